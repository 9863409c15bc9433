"""A plan: for each tensor of a model the distribution that the model's own code gives it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from . import replay
from .classify import Constant, Random, Slice, Understood, draws
from .dtensor import Local, boxes
from .errors import UnknownTensorsError
from .fill import Filler
from .fingerprints import fingerprint_of
from .laws import Law, Scalar
from .recorder import Event
from .rules import RuleFiles, write_rules
from .views import Ranges, View, intersection, whole


@dataclass(frozen=True)
class Part:
    """A box of a tensor and what fills it: a number, or a distribution and its stream's name.

    `shape` is the tensor that the stream's elements count in.
    """

    box: Ranges
    shape: tuple[int, ...]
    value: Scalar | Law
    stream: str = ""


@dataclass(frozen=True)
class Entry:
    """One tensor of a model."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    is_buffer: bool
    is_persistent: bool = True
    aliases: tuple[str, ...] = ()
    parts: tuple[Part, ...] | None = None
    slice: Slice | None = field(default=None, repr=False)
    leaves: Mapping[int, tuple[str, bool]] = field(default_factory=dict, repr=False)
    unknown: str = ""

    @property
    def is_random(self) -> bool:
        """Whether the values depend on the seed."""
        if self.parts is None:
            return bool(self.leaves)
        return any(isinstance(part.value, Law) and part.value.is_random for part in self.parts)

    @property
    def is_written(self) -> bool:
        """Whether the model's code writes the tensor at all."""
        return self.slice is None or self.slice.is_written

    @property
    def distribution(self) -> str:
        """The distribution in words: `normal(mean=0.0, std=0.02), [0:1, :] zeros`."""
        if self.unknown:
            return f"unknown: {self.unknown}"
        if self.parts is None:
            operations = sorted({event.name for event in self.slice.leaves}) if self.slice else []
            return f"computed from {', '.join(operations)}" if self.leaves else "computed"
        return ", ".join(_describe(part, self.shape) for part in self.parts) or "empty"

    def values(self, seed: int = 0) -> torch.Tensor:
        """The whole tensor on the CPU."""
        made = torch.empty(self.shape, dtype=self.dtype)
        self.fill(made, seed, Filler())
        return made

    def fill(
        self, target: torch.Tensor, seed: int, filler: Filler, local: Local | None = None
    ) -> None:
        """Fills a tensor in place, or the ranges of it that are local."""
        if local is None:
            local = [[(0, size)] if size else [] for size in self.shape]
        if self.parts is None:
            if target.numel():
                values = self._replayed(seed)
                for here, box in boxes(target, local):
                    here.copy_(values[tuple(slice(start, stop) for start, stop in box)])
            return
        for here, box in boxes(target, local):
            for part in self.parts:
                _fill_part(here, box, part, seed, filler)

    def _replayed(self, seed: int) -> torch.Tensor:
        assert self.slice is not None
        filler = Filler()

        def draw(event: Event, args: Any, kwargs: dict[str, Any]) -> Any:
            stream, is_ours = self.leaves[event.index]
            law = draws(event) if is_ours else None
            text = None if law is None else law.text()
            if text is None:
                return draw_by_torch(event, args, kwargs, f"{seed}/{stream}")
            out = event.outs[0]
            made = (
                args[0]
                if event.writes == event.reads[:1]
                else torch.empty(out.size, dtype=out.dtype)
            )
            filler.fill(made, text, seed, stream)
            return made

        return self.slice.run(draw, poison=0 if self.unknown else None)


def _fill_part(target: torch.Tensor, box: Ranges, part: Part, seed: int, filler: Filler) -> None:
    common = intersection(box, part.box)
    if common is None or not target.numel():
        return
    for dim, ((start, stop), (first, _)) in enumerate(zip(common, box, strict=True)):
        target = target.narrow(dim, start - first, stop - start)
    if not isinstance(part.value, Law):
        target.fill_(part.value)
        return
    text = part.value.text()
    assert text is not None
    inner = tuple((a - c, b - c) for (a, b), (c, _) in zip(common, part.box, strict=True))
    if len(part.shape) == len(inner):
        filler.fill(target, text, seed, part.stream, part.shape, inner)
    else:
        made = torch.empty(part.shape, dtype=target.dtype)
        filler.fill(made, text, seed, part.stream)
        lengths = [stop - start for start, stop in part.box]
        target.copy_(made.view(lengths)[tuple(slice(a, b) for a, b in inner)])


def draw_by_torch(event: Event, args: Any, kwargs: dict[str, Any], name: str) -> Any:
    """Draws by PyTorch's generator on the CPU, seeded by the name."""
    state = torch.default_generator.get_state()
    try:
        digest = hashlib.sha256(name.encode()).digest()
        torch.default_generator.manual_seed(int.from_bytes(digest[:8], "little"))
        return replay.perform(event, args, kwargs)
    finally:
        torch.default_generator.set_state(state)


def _describe(part: Part, shape: tuple[int, ...]) -> str:
    if isinstance(part.value, Law):
        words = part.value.text() or part.value.kind
    else:
        named = {0.0: "zeros", 1.0: "ones"}
        words = named.get(float(part.value), f"constant({part.value!r})")
    if part.box == whole(shape):
        return words
    cut = [
        ":" if one == (0, size) else f"{one[0]}:{one[1]}"
        for one, size in zip(part.box, shape, strict=True)
    ]
    return f"[{', '.join(cut)}] {words}"


@dataclass(frozen=True)
class Found:
    """A tensor of a traced model, before streams are given out."""

    name: str
    aliases: tuple[str, ...]
    is_buffer: bool
    is_persistent: bool
    understood: Understood

    @property
    def view(self) -> View:
        """The recorded view that the tensor is."""
        return self.understood.slice.view


class TorchPlan(Mapping[str, Entry]):
    """A model's tensors by qualified name, each with its distribution.

    Tied names have the same entry. Printed, it is a table.
    """

    def __init__(self, entries: list[Entry]) -> None:
        """Takes the entries in the model's order."""
        self.entries = tuple(entries)
        self._by_name = {name: entry for entry in entries for name in (entry.name, *entry.aliases)}

    def __getitem__(self, name: str) -> Entry:
        """Gives a tensor's entry by any of its names."""
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        """Gives all names, those of tied tensors as well."""
        return iter(self._by_name)

    def __len__(self) -> int:
        """Counts the names."""
        return len(self._by_name)

    @property
    def unknown(self) -> dict[str, str]:
        """The tensors whose distribution is unknown, and why."""
        return {entry.name: entry.unknown for entry in self.entries if entry.unknown}

    def values(self, seed: int = 42) -> dict[str, torch.Tensor]:  # type: ignore[override]
        """All tensors on the CPU, by their owners' names."""
        return {entry.name: entry.values(seed) for entry in self.entries}

    def fingerprint(self, seed: int = 42) -> str:
        """64 bits over every element that a checkpoint has, as `gpu-init model` prints them."""
        persistent = [entry for entry in self.entries if entry.is_persistent]
        return fingerprint_of((entry.name, entry.values(seed)) for entry in persistent)

    def to_rules(self, folder: str | os.PathLike[str], seed: int = 42) -> RuleFiles:
        """Writes `rules.toml`, `tensors.json` and, for what rules cannot say, `kept.safetensors`.

        `gpu-init` takes them by `RuleFiles.arguments`. Kept tensors have the values of this seed.
        """
        complain_about(self, "Rules need every tensor's distribution.")
        return write_rules(self, folder, seed)

    def __repr__(self) -> str:
        """Makes a table."""
        rows = [("tensor", "shape", "dtype", "distribution")]
        for entry in self.entries:
            words = entry.distribution + "".join(f" = {alias}" for alias in entry.aliases)
            rows.append(
                (entry.name, str(list(entry.shape)), str(entry.dtype).removeprefix("torch."), words)
            )
        widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:3]]
        return "\n".join(
            "  ".join(
                [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]
            )
            for row in rows
        )


def make_plan(found: list[Found], independent_copies: bool) -> TorchPlan:
    """Gives each tensor its streams: what two tensors share is drawn once, by its owner's name."""
    programs = _programs(found, independent_copies)
    streams: dict[int, str] = {}
    for one in found:
        if one.name not in programs:
            for number, value in enumerate(_drawn(one)):
                stream = one.name if number == 0 else f"{one.name}#{number}"
                streams.setdefault(value.leaf, stream)
    for one in found:
        if one.name in programs:
            for number, event in enumerate(one.understood.slice.leaves):
                streams.setdefault(event.index, f"{one.name}#{number}")
    return TorchPlan(
        [_entry(one, one.name in programs, streams, independent_copies) for one in found]
    )


def _drawn(one: Found) -> list[Random]:
    values = [part.value for part in one.understood.parts or ()]
    return [value for value in values if isinstance(value, Random) and value.law.is_random]


def _programs(found: list[Found], independent_copies: bool) -> set[str]:
    """The tensors that only a replay gives, or gives as others that share a draw have it."""
    programs = {
        one.name for one in found if one.understood.parts is None and not one.understood.unknown
    }
    while True:
        users: dict[int, set[str]] = {}
        for one in found:
            replayed = one.understood.slice.leaves if one.name in programs else []
            drawn = [event.index for event in replayed] + [value.leaf for value in _drawn(one)]
            for leaf in drawn:
                users.setdefault(leaf, set()).add(one.name)
        new = {one.name for one in found if _is_program(one, users, programs, independent_copies)}
        if new <= programs:
            return programs
        programs |= new


def _is_program(
    one: Found, users: Mapping[int, set[str]], programs: set[str], independent_copies: bool
) -> bool:
    for part in one.understood.parts or ():
        value = part.value
        if not isinstance(value, Random):
            continue
        if value.law.text() is None:
            return True
        others = users.get(value.leaf, set()) - {one.name}
        event = one.understood.slice.recording.events[value.leaf]
        # Folded arithmetic rounds once, and a replay after each operation.
        is_raw = draws(event) == value.law and event.outs[0].dtype == value.dtype
        is_replayed = not others.isdisjoint(programs)
        if is_replayed and not (is_raw and value.order is not None):
            return True
        if others and not independent_copies and value.order is None:
            return True
    return False


def _entry(
    one: Found, is_program: bool, streams: dict[int, str], independent_copies: bool
) -> Entry:
    understood = one.understood
    entry = Entry(
        one.name,
        one.view.size,
        one.view.dtype,
        one.is_buffer,
        one.is_persistent,
        one.aliases,
        unknown=understood.unknown,
    )
    if understood.unknown:
        return replace(entry, slice=understood.slice, leaves=_leaves_of(understood, one.name))
    if is_program:
        leaves = {event.index: (streams[event.index], True) for event in understood.slice.leaves}
        return replace(entry, slice=understood.slice, leaves=leaves)
    parts: list[Part] = []
    number, seen = 0, set()
    for part in understood.parts or ():
        lengths = tuple(stop - start for start, stop in part.ranges)
        if isinstance(part.value, Constant):
            parts.append(Part(part.ranges, lengths, part.value.value))
            continue
        law = part.value.law
        own = one.name if number == 0 else f"{one.name}#{number}"
        # A part of a draw that other parts have, too, is another part's elements no more.
        is_own = independent_copies or not law.is_random or part.value.leaf in seen
        stream = own if is_own else streams[part.value.leaf]
        seen.add(part.value.leaf)
        parts.append(Part(part.ranges, lengths if law.is_independent else part.size, law, stream))
        number += 1
    return replace(entry, parts=tuple(parts))


def _leaves_of(understood: Understood, name: str) -> dict[int, tuple[str, bool]]:
    events = understood.slice.leaves
    return {event.index: (f"{name}#{number}", False) for number, event in enumerate(events)}


def complain_about(plan: TorchPlan, advice: str) -> None:
    """Raises if something is unknown."""
    if plan.unknown:
        raise UnknownTensorsError(plan.unknown, advice)
