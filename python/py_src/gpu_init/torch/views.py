"""Views of storages as plain numbers, and how they lie in each other.

A recorded tensor is a view: a storage's number, sizes, strides, offset and element type. Everything
here is arithmetic on those; nothing touches a tensor.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

Ranges = tuple[tuple[int, int], ...]


class View(NamedTuple):
    """A tensor of a storage; strides and offset in elements."""

    storage: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.size)

    @property
    def nbytes(self) -> int:
        """The bytes of the elements."""
        return self.numel * self.dtype.itemsize

    @property
    def overlaps_itself(self) -> bool:
        """Whether elements share memory, as those of an expanded tensor do."""
        dims = sorted((s, n) for n, s in zip(self.size, self.stride, strict=True) if n > 1)
        reach = 1
        for stride, size in dims:
            if stride < reach:
                return True
            reach = stride * size
        return False

    def span(self) -> tuple[int, int]:
        """The first element's place in the storage, and one past the last's."""
        if not self.numel:
            return self.offset, self.offset
        last = sum((n - 1) * s for n, s in zip(self.size, self.stride, strict=True))
        return self.offset, self.offset + last + 1


def merged(view: View) -> list[tuple[int, int]]:
    """(size, stride) from the outermost dimension on; those that continue each other are one."""
    blocks: list[tuple[int, int]] = []
    for size, stride in zip(view.size, view.stride, strict=True):
        if size == 1:
            continue
        if blocks and blocks[-1][1] == size * stride:
            blocks[-1] = (blocks[-1][0] * size, stride)
        else:
            blocks.append((size, stride))
    return blocks


def same_order(a: View | None, b: View | None) -> bool:
    """Whether two views list the same elements in the same order."""
    return (
        a is not None
        and b is not None
        and (a.storage, a.offset, a.dtype) == (b.storage, b.offset, b.dtype)
        and merged(a) == merged(b)
    )


def rectangle(outer: View, inner: View) -> Ranges | None:
    """The ranges of `outer`'s dimensions that `inner` covers; None if that is no rectangle."""
    if outer.storage != inner.storage or outer.dtype != inner.dtype:
        return None
    if outer.overlaps_itself or inner.overlaps_itself or not inner.numel:
        return None
    rest = inner.offset - outer.offset
    if rest < 0:
        return None
    dims = sorted(
        (d for d in range(len(outer.size)) if outer.size[d] > 1),
        key=lambda d: (-outer.stride[d], outer.size[d]),
    )
    start, length = [0] * len(outer.size), [1] * len(outer.size)
    for d in dims:
        start[d] = rest // outer.stride[d]
        rest -= start[d] * outer.stride[d]
        if start[d] >= outer.size[d]:
            return None
    if rest:
        return None
    by_stride = {outer.stride[d]: d for d in dims}
    for size, stride in merged(inner):
        while size > 1:
            d = by_stride.pop(stride, -1)
            if d < 0:
                return None
            whole, free = outer.size[d], outer.size[d] - start[d]
            if size <= free:
                length[d] = size
                break
            if start[d] or size % whole:
                return None
            length[d], size, stride = whole, size // whole, stride * whole
    if math.prod(length) != inner.numel:
        return None
    return tuple((s, s + n) for s, n in zip(start, length, strict=True))


def intersection(a: Ranges, b: Ranges) -> Ranges | None:
    """The common part of two boxes, or None."""
    both = tuple((max(x[0], y[0]), min(x[1], y[1])) for x, y in zip(a, b, strict=True))
    return None if any(start >= stop for start, stop in both) else both


def volume(ranges: Ranges) -> int:
    """The number of elements of a box."""
    return math.prod(stop - start for start, stop in ranges)


def whole(size: tuple[int, ...]) -> Ranges:
    """The box that is all of a tensor."""
    return tuple((0, n) for n in size)


def is_disjoint(base: View, a: View, b: View) -> bool:
    """Whether two views of `base`'s storage surely share no element."""
    (a0, a1), (b0, b1) = a.span(), b.span()
    if a.dtype == b.dtype and (a1 <= b0 or b1 <= a0):
        return True
    ra, rb = rectangle(base, a), rectangle(base, b)
    return ra is not None and rb is not None and intersection(ra, rb) is None
