"""Which elements of a DTensor this process has."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch

from gpu_init._errors import InvalidArgument

from .views import Ranges

Local = list[list[tuple[int, int]]]


def is_dtensor(tensor: torch.Tensor) -> bool:
    """Whether a tensor is a DTensor; without torch.distributed none is."""
    return (
        torch.distributed.is_available()
        and hasattr(tensor, "placements")
        and hasattr(tensor, "device_mesh")
    )


def local_ranges(tensor: Any, name: str) -> Local:
    """For each dimension the ranges of the whole tensor that stand one after the other locally.

    PyTorch's own offsets are wrong for `_StridedShard`. So the indices themselves are divided, by
    the placements, as PyTorch divides the data.
    """
    mesh, shape = tensor.device_mesh, tuple(tensor.shape)
    indices = [torch.arange(size) for size in shape]
    coordinate = mesh.get_coordinate()
    if coordinate is None:
        return [[] for _ in shape]
    for dim, placement in enumerate(tensor.placements):
        if placement.is_partial():
            raise InvalidArgument(
                f"{name} is a DTensor with a Partial placement: its local values are summands, "
                "which no initializer gives; redistribute it to Shard or Replicate"
            )
        if placement.is_replicate():
            continue
        axis = placement.dim
        indices[axis] = _split(placement, indices[axis], mesh.size(dim))[coordinate[dim]]
    local = [_merge(index) for index in indices]
    sizes = tuple(len(index) for index in indices)
    actual = tensor.to_local()
    if sizes != tuple(actual.shape) and not (0 in sizes and not actual.numel()):
        raise RuntimeError(
            f"{name} has the local shape {tuple(actual.shape)}, not {sizes}; please report this"
        )
    return local


def _split(placement: Any, index: torch.Tensor, parts: int) -> list[torch.Tensor]:
    """Divides the indices of a dimension as the placement divides a tensor along it."""
    shape = [1] * placement.dim + [len(index)]
    divided = placement._split_tensor(
        index.view(shape), parts, with_padding=False, contiguous=True
    )[0]
    return [part.reshape(-1) for part in divided]


def _merge(index: torch.Tensor) -> list[tuple[int, int]]:
    """Ranges of consecutive numbers."""
    if not len(index):
        return []
    breaks = (index[1:] != index[:-1] + 1).nonzero().view(-1).add(1).tolist()
    bounds = [0, *breaks, len(index)]
    return [(int(index[a]), int(index[b - 1]) + 1) for a, b in itertools.pairwise(bounds)]


def boxes(tensor: torch.Tensor, local: Local) -> Iterator[tuple[torch.Tensor, Ranges]]:
    """Each box of the whole tensor that is here, and the part of the local tensor that has it."""
    for box in itertools.product(*local):
        part = tensor
        for dim, (ranges, one) in enumerate(zip(local, box, strict=True)):
            start = sum(stop - first for first, stop in ranges[: ranges.index(one)])
            part = part.narrow(dim, start, one[1] - one[0])
        yield part, box
