"""Element types by any of their names: NumPy's, ml_dtypes' and the library's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._errors import InvalidArgument, MissingPackage
from ._gpu_init import dtypes

# NumPy's names by the library's own, which are safetensors' in lower case.
_NUMPY_NAMES = {ours.lower(): name for ours, name in dtypes()}
_OURS = {name: ours for ours, name in dtypes()}
# Those that NumPy has from the package ml_dtypes.
_FROM_ML_DTYPES = {"bfloat16", "float8_e4m3fn", "float8_e5m2"}


def numpy_names() -> list[str]:
    """Returns NumPy's names of all element types that the library has."""
    return list(_OURS)


def safetensors_name(name: str) -> str:
    """Returns the name that safetensors files have for a name of `name_of`."""
    return _OURS[name]


def name_of(dtype: Any, operation: str) -> str:
    """Returns NumPy's name of an element type that the library has."""
    if isinstance(dtype, str):
        name = dtype.lower()
        name = _NUMPY_NAMES.get(name, name)
        if name in _OURS:
            return name
    try:
        resolved: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise _unknown(dtype, operation) from None
    if resolved.byteorder == ">":
        raise InvalidArgument(
            f"{operation}: dtype {resolved.str!r} is big-endian; "
            f"use {resolved.name!r}, in the machine's order"
        )
    name = str(resolved.name)
    if name not in _OURS:
        raise _unknown(dtype, operation)
    return name


def numpy_dtype(name: str, operation: str) -> np.dtype[Any]:
    """Returns NumPy's element type of a name of `name_of`."""
    if name not in _FROM_ML_DTYPES:
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError:
        raise MissingPackage(
            f"{operation}: NumPy has no {name} of its own; "
            "pip install ml_dtypes, or use another dtype"
        ) from None
    dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return dtype


def size_of(name: str) -> int:
    """Returns the bytes of an element."""
    return 2 if name == "bfloat16" else 1 if name in _FROM_ML_DTYPES else np.dtype(name).itemsize


def _unknown(dtype: Any, operation: str) -> InvalidArgument:
    return InvalidArgument(f"{operation}: unknown dtype {dtype!r}; use one of {', '.join(_OURS)}")
