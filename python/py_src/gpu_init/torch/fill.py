"""Fills a tensor, or a box of one, wherever it is, with the bits that the box has in the whole."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from gpu_init._boxes import fill_box
from gpu_init._dtypes import numpy_names
from gpu_init._errors import InvalidType

from .views import Ranges, volume, whole

# PyTorch has NumPy's and ml_dtypes' names.
NAMES = {getattr(torch, name): name for name in numpy_names()}
# What is filled on the host at a time for a tensor on an accelerator.
PIECE_BYTES = 64 << 20


class Filler:
    """Fills boxes of tensors; keeps the staging memory between calls.

    `piece_bytes` forces pieces of that size, on the CPU as well.
    """

    def __init__(self, piece_bytes: int | None = None) -> None:
        """Makes a filler without staging memory."""
        self._forced = piece_bytes is not None
        self._piece_bytes = PIECE_BYTES if piece_bytes is None else piece_bytes
        self._staging: dict[torch.device, _Staging] = {}

    def fill(
        self,
        target: torch.Tensor,
        init: str,
        seed: int,
        name: str | int,
        shape: Sequence[int] | None = None,
        box: Ranges | None = None,
        **options: Any,
    ) -> None:
        """Fills `target`, which is the box of a tensor of this shape: by default all of it."""
        shape = tuple(target.shape if shape is None else shape)
        box = whole(shape) if box is None else box
        if not target.numel():
            return
        target = target.detach()
        if target.dtype not in NAMES:
            raise InvalidType(f"{target.dtype} cannot be filled; use {', '.join(NAMES.values())}")
        call = _Call(init, seed, name, shape, options)
        # A piece of an orthogonal or sparse tensor costs as much as the whole.
        is_whole = init.startswith(("orthogonal", "delta_orthogonal", "sparse"))
        is_direct = target.device.type == "cpu" and not self._forced
        if is_direct and target.is_contiguous():
            call.fill(target, box)
        elif is_direct or is_whole or not target.is_contiguous():
            made = torch.empty(target.shape, dtype=target.dtype, device="cpu")
            call.fill(made, box)
            target.copy_(made)
        else:
            self._fill_by_pieces(target, call, box)

    def _fill_by_pieces(self, target: torch.Tensor, call: _Call, box: Ranges) -> None:
        staging = self._staging.setdefault(target.device, _Staging(target.device))
        flat = target.view(-1)
        start = 0
        for piece in pieces(box, max(1, self._piece_bytes // target.element_size())):
            size = [stop - first for first, stop in piece]
            with staging.buffer(math.prod(size) * target.element_size()) as buffer:
                made = buffer.view(target.dtype).view(size)
                call.fill(made, piece)
                flat[start : start + made.numel()].copy_(made.view(-1), non_blocking=True)
            start += made.numel()


class _Call:
    """One call of the library, for any box of its tensor."""

    def __init__(
        self, init: str, seed: int, name: str | int, shape: tuple[int, ...], options: dict[str, Any]
    ) -> None:
        self._init = init
        self._shape = shape
        self._options = {"seed": seed, "name": name, **options}

    def fill(self, made: torch.Tensor, box: Ranges) -> None:
        """Fills a contiguous tensor on the CPU."""
        try:
            self._fill(made, box)
        except ValueError:
            # A spread that these types hardly have: rounded from float32, as PyTorch does.
            if made.dtype not in (torch.float16, torch.float8_e4m3fn, torch.float8_e5m2):
                raise
            wide = torch.empty(made.shape, dtype=torch.float32)
            self._fill(wide, box)
            made.copy_(wide)

    def _fill(self, made: torch.Tensor, box: Ranges) -> None:
        array, dtype = raw_bytes(made).numpy(), NAMES[made.dtype]
        fill_box(array, self._init, self._shape, box, dtype=dtype, **self._options)


class _Staging:
    """Two buffers in host memory: one is copied from while the other is filled."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._buffers: list[torch.Tensor | None] = [None, None]
        self._copied: list[Any] = [None, None]
        self._next = 0

    @contextlib.contextmanager
    def buffer(self, size: int) -> Iterator[torch.Tensor]:
        """A buffer whose last copy is over. The caller begins a copy of it before it leaves."""
        number, self._next = self._next, 1 - self._next
        if self._copied[number] is not None:
            self._copied[number].synchronize()
        buffer = self._buffers[number]
        if buffer is None or buffer.numel() < size:
            buffer = self._buffers[number] = _pinned(size, self._device)
        yield buffer[:size]
        if self._device.type != "cpu":
            self._copied[number] = torch.Event(self._device.type)
            self._copied[number].record(torch.accelerator.current_stream(self._device))


def raw_bytes(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of a contiguous tensor, in its own memory."""
    return tensor.detach().view(-1).view(torch.uint8)


def _pinned(size: int, device: torch.device) -> torch.Tensor:
    try:
        return torch.empty(size, dtype=torch.uint8, pin_memory=device.type != "cpu")
    except RuntimeError:
        return torch.empty(size, dtype=torch.uint8)


def pieces(box: Ranges, most: int) -> Iterator[Ranges]:
    """Cuts a box into boxes of at most `most` elements, each consecutive in row-major order."""
    if volume(box) <= most or not box:
        yield box
        return
    (start, stop), rest = box[0], box[1:]
    rows = max(1, most // max(1, volume(rest)))
    for first in range(start, stop, rows):
        part = ((first, min(first + rows, stop)), *rest)
        if volume(part) <= most:
            yield part
        else:
            yield from ((part[0], *inner) for inner in pieces(rest, most))
