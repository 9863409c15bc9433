"""Arrays as the bytes that Rust fills and reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._dtypes import name_of, size_of
from ._errors import InvalidArgument, InvalidType

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]


def as_array(array: Any, operation: str) -> npt.NDArray[Any]:
    """Returns an array that shares its argument's memory."""
    if isinstance(array, np.ndarray):
        return np.asarray(array)
    try:
        return np.asarray(memoryview(array))
    except TypeError:
        kind = type(array).__name__
        raise InvalidType(
            f"{operation}: a {kind} does not share its memory; "
            "pass a NumPy array or another object with a buffer"
        ) from None


def dtype_of(array: npt.NDArray[Any], dtype: Any, operation: str) -> str:
    """Returns the name of the element type: the array's own, or what its bytes are taken as."""
    return name_of(array.dtype if dtype is None else dtype, operation)


def writable_bytes(array: npt.NDArray[Any], operation: str) -> Bytes:
    """Returns the bytes of an array to fill."""
    flags = array.flags
    if not flags.writeable:
        raise InvalidArgument(f"{operation}: the array is read-only; pass a copy of it")
    if not flags.c_contiguous:
        raise InvalidArgument(
            f"{operation}: the array of shape {array.shape} has strides {array.strides}; only "
            "C-contiguous ones are filled: fill a new array, and copy it there"
        )
    return array.reshape(-1).view(np.uint8)


def readable_bytes(array: npt.NDArray[Any]) -> Bytes:
    """Returns the bytes of an array in row-major order, a copy if they are not contiguous."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def elements(array: npt.NDArray[Any], name: str, operation: str) -> int:
    """Returns how many elements of a type the array's bytes are."""
    size = size_of(name)
    if array.nbytes % size:
        raise InvalidArgument(
            f"{operation}: {array.nbytes} bytes are no whole number of {name}, {size} bytes each; "
            "pass an array of another length or dtype"
        )
    return array.nbytes // size
