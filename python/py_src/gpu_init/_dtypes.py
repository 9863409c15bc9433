"""Element types by any of their names: NumPy's, ml_dtypes' and the library's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._errors import InvalidArgument, MissingPackage

# NumPy's names by the library's own, which are safetensors'.
_NUMPY_NAMES = {
    "f32": "float32",
    "f16": "float16",
    "bf16": "bfloat16",
    "f64": "float64",
    "f8_e4m3": "float8_e4m3fn",
    "f8_e5m2": "float8_e5m2",
    "i8": "int8",
    "u8": "uint8",
    "i16": "int16",
    "u16": "uint16",
    "i32": "int32",
    "u32": "uint32",
    "i64": "int64",
    "u64": "uint64",
    "bool": "bool",
}
_OURS = {name: ours for ours, name in _NUMPY_NAMES.items()}
# Those that NumPy has from the package ml_dtypes.
_FROM_ML_DTYPES = {"bfloat16", "float8_e4m3fn", "float8_e5m2"}


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
