"""Boxes of a tensor, a range of indices for each dimension, however many dimensions are cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import gpu_init

Box = Sequence[tuple[int, int]]


def fill_box(
    flat: npt.NDArray[Any], init: str, shape: Sequence[int], box: Box, **options: Any
) -> None:
    """Fills a vector with a box of a tensor of this shape; `options` are those of `fill`."""
    if levels(shape, box) > 3:
        dim = next(dim for dim, (start, stop) in enumerate(box) if stop - start > 1)
        start, stop = box[dim]
        for index, part in zip(range(start, stop), np.split(flat, stop - start), strict=True):
            inner = (*box[:dim], (index, index + 1), *box[dim + 1 :])
            fill_box(part, init, shape, inner, **options)
        return
    is_whole = all(range_ == (0, size) for range_, size in zip(box, shape, strict=True))
    gpu_init.fill(flat, init, shape=shape, slices=None if is_whole else box, **options)


def levels(shape: Sequence[int], box: Box) -> int:
    """How many nested runs of consecutive elements a box is; the library takes three."""
    found, stride, run = 1, 1, 1
    for size, (start, stop) in zip(reversed(shape), reversed(box), strict=True):
        count = stop - start
        if count > 1:
            if run == stride:
                run *= count
            else:
                found, run = found + 1, count * stride
        stride *= size
    return found
