"""Filling arrays."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex, TypeVar

import numpy.typing as npt

from ._arrays import Bytes, as_array, dtype_of, elements, readable_bytes, writable_bytes
from ._dtypes import name_of, size_of
from ._errors import InvalidArgument
from ._gpu_init import Distribution, Spec, Stats, stream_of
from ._gpu_init import fingerprint as _fingerprint
from ._gpu_init import stats as _stats
from ._request import Request
from ._types import Device, Fans, Name, Progress, Shape, Shards, Slices

Array = TypeVar("Array")


def fill(
    array: Array,
    init: str,
    *,
    seed: SupportsIndex = 0,
    name: Name = "w",
    shape: Shape | None = None,
    shard: Shards | None = None,
    slices: Slices | None = None,
    scale: float = 1.0,
    layout: str | None = None,
    fans: Fans | None = None,
    dtype: npt.DTypeLike | None = None,
    device: Device = "cpu",
    progress: Progress | None = None,
) -> Array:
    """Fills an array in place, and returns it."""
    target = as_array(array, "fill")
    name_of_type = dtype_of(target, dtype, "fill")
    whole = _shape_as(target, name_of_type) if shape is None else shape
    spec = Request("fill").spec(
        init,
        whole,
        name_of_type,
        seed=seed,
        name=name,
        shard=shard,
        slices=slices,
        scale=scale,
        layout=layout,
        fans=fans,
    )
    fill_spec(target, spec, name_of_type, device, progress, "fill")
    return array


def fill_spec(
    target: npt.NDArray[Any],
    spec: Spec,
    dtype: str,
    device: Device,
    progress: Progress | None,
    operation: str,
) -> None:
    """Fills the bytes of an array with the elements of a request."""
    memory = writable_bytes(target, operation)
    expected, actual = math.prod(spec.shape), elements(target, dtype, operation)
    if expected != actual:
        raise InvalidArgument(
            f"{operation}: the array has {actual} elements of {dtype}, and {expected} are to be "
            f"filled, of shape {spec.shape}; pass an array of that shape, or the whole tensor's as "
            "shape"
        )
    spec.fill(memory, device, progress)


def fingerprint(array: Any, dtype: npt.DTypeLike | None = None, first: SupportsIndex = 0) -> str:
    """Returns 64 bits over every element and its index, as 16 hex digits."""
    source = as_array(array, "fingerprint")
    name = dtype_of(source, dtype, "fingerprint")
    elements(source, name, "fingerprint")
    return _fingerprint(readable_bytes(source), name, Request("fingerprint").u64("first", first))


def fingerprint_in_model(name: str, memory: Bytes, dtype: str) -> int:
    """Returns the share of a whole tensor in the fingerprint of a model, the sum mod 2**64."""
    return int(_fingerprint(memory, dtype, 0), 16) * (stream_of(name) | 1)


def stats(array: Any, dtype: npt.DTypeLike | None = None) -> Stats:
    """Returns the statistics of an array."""
    source = as_array(array, "stats")
    name = dtype_of(source, dtype, "stats")
    elements(source, name, "stats")
    return _stats(readable_bytes(source), name)


def distribution(
    init: str,
    shape: Shape,
    *,
    layout: str | None = None,
    fans: Fans | None = None,
    dtype: npt.DTypeLike = "float32",
    scale: float = 1.0,
) -> Distribution:
    """Returns the distribution that an initializer gives a tensor of this shape."""
    spec = Request("distribution").spec(
        init,
        shape,
        name_of(dtype, "distribution"),
        seed=0,
        name=0,
        shard=None,
        slices=None,
        scale=scale,
        layout=layout,
        fans=fans,
    )
    return spec.distribution()


def _shape_as(array: npt.NDArray[Any], dtype: str) -> tuple[int, ...]:
    """Returns the shape of an array whose bytes are taken as a type: its last dimension differs."""
    size = size_of(dtype)
    if array.itemsize == size or array.ndim == 0:
        return array.shape
    last = elements(array[tuple([0] * (array.ndim - 1))], dtype, "fill") if array.size else 0
    return (*array.shape[:-1], last)
