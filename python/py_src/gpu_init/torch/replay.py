"""Backward slices of a recording, and their replay on the CPU with real data."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from . import trees
from .views import View

if TYPE_CHECKING:
    from .recorder import Event, Recording

# Operations that write every element of their view without reading it.
OVERWRITES = {
    "fill_",
    "zero_",
    "normal_",
    "uniform_",
    "copy_",
    "exponential_",
    "log_normal_",
    "cauchy_",
    "geometric_",
    "bernoulli_",
    "random_",
    "trunc_normal_",
    "orthogonal_",
    "sparse_",
    "dirac_",
}


# Operators whose result is memory that nothing wrote.
EMPTY = {"empty", "empty_strided", "empty_like", "new_empty", "new_empty_strided"}


def overwrites(event: Event, view: View) -> bool:
    """Whether the event writes all of the view without reading it."""
    if view not in event.reads:
        return True
    if isinstance(event.op, str) or event.name in OVERWRITES:
        return True
    return event.name == "eye" and event.kwargs.get("out") == view


def backward_slice(recording: Recording, storage: int) -> tuple[list[Event], set[int]]:
    """The events that decide a storage's content, in order, and storages that none of them made.

    Stores that are overwritten before they are read are left out.
    """
    needed, chosen = {storage}, []
    queued: set[int] = set()
    heap: list[int] = []

    def queue(number: int, before: int) -> None:
        writers = recording.writers.get(number, [])
        for index in writers[: bisect_left(writers, before)]:
            if index not in queued:
                queued.add(index)
                heapq.heappush(heap, -index)

    queue(storage, len(recording.events))
    while heap:
        event = recording.events[-heapq.heappop(heap)]
        written = [view for view in event.writes if view.storage in needed]
        if not written:
            continue
        chosen.append(event)
        ended = {
            view.storage
            for view in written
            if view not in event.reads or (overwrites(event, view) and recording.covers(view))
        }
        needed -= ended
        for view in event.reads:
            is_target = view.storage in ended and view in event.writes
            if not is_target and view.storage not in needed:
                needed.add(view.storage)
                queue(view.storage, event.index)
    return chosen[::-1], {number for number in needed if number not in recording.constants}


# Does a random event with real arguments and gives its result.
Draw = Callable[["Event", Any, dict[str, Any]], Any]


def run(
    recording: Recording,
    events: list[Event],
    view: View,
    draw: Draw | None = None,
    poison: int | None = None,
) -> torch.Tensor:
    """The view's tensor after the events, on the CPU.

    `draw` does each random event; `poison` is the byte of memory that nothing wrote.
    One thread computes, because the order of a sum depends on their number.
    """
    machine = _Machine(recording, draw, poison)
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    try:
        with (
            torch.utils._python_dispatch._disable_current_modes(),
            torch._C.DisableTorchFunction(),
            torch.no_grad(),
        ):
            for event in events:
                torch.set_default_dtype(event.default_dtype)
                machine.step(event)
            return machine.tensor(view)
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)


class _Machine:
    def __init__(self, recording: Recording, draw: Draw | None, poison: int | None) -> None:
        self.recording = recording
        self.draw = draw
        self.poison = poison
        self.memory: dict[int, torch.UntypedStorage] = {}

    def tensor(self, view: View) -> torch.Tensor:
        if view.storage not in self.memory:
            constant: Any = self.recording.constants.get(view.storage)
            self.memory[view.storage] = (
                self._empty(view.storage) if constant is None else constant.clone()
            )
        return torch.empty(0, dtype=view.dtype).set_(
            self.memory[view.storage], view.offset, view.size, view.stride
        )

    def _empty(self, storage: int) -> torch.UntypedStorage:
        size = self.recording.storages[storage].nbytes()
        memory = torch.empty(size, dtype=torch.uint8, device="cpu")
        return (memory if self.poison is None else memory.fill_(self.poison)).untyped_storage()

    def step(self, event: Event) -> None:
        if event.name in EMPTY:
            return
        args, kwargs = trees.mapped(
            lambda value: self.tensor(value) if isinstance(value, View) else value,
            (event.args, event.kwargs),
        )
        does = self.draw if event.is_random and self.draw is not None else perform
        result = does(event, args, kwargs)
        for out, tensor in zip(event.outs, trees.tensors(result), strict=True):
            if out.storage not in self.memory:
                self._adopt(out, tensor)

    def _adopt(self, out: View, tensor: torch.Tensor) -> None:
        size = self.recording.storages[out.storage].nbytes()
        is_same = (tensor.dtype, tuple(tensor.stride()), tensor.storage_offset()) == (
            out.dtype,
            out.stride,
            out.offset,
        )
        if is_same and tensor.untyped_storage().nbytes() >= size:
            self.memory[out.storage] = tensor.untyped_storage()
        else:
            self.tensor(out).copy_(tensor)


def perform(event: Event, args: Any, kwargs: dict[str, Any]) -> Any:
    """Runs an event's operation on real tensors."""
    from .recorder import ORIGINAL

    kwargs = {key: value for key, value in kwargs.items() if key != "generator"}
    if isinstance(event.op, str):
        return ORIGINAL[event.name](*args)
    if "device" in kwargs:
        kwargs["device"] = torch.device("cpu")
    return event.op(*args, **kwargs)
