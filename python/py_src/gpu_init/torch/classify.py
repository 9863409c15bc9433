"""What the events of a recording make of a tensor: distributions of its parts, or a program."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from . import replay
from .laws import PRECISION, Law, Scalar
from .views import (
    Ranges,
    View,
    intersection,
    is_disjoint,
    rectangle,
    same_order,
    volume,
    whole,
)

if TYPE_CHECKING:
    from .recorder import Event, Recording


@dataclass(frozen=True)
class Uninitialized:
    """Memory that nothing wrote."""


@dataclass(frozen=True)
class Constant:
    """One value everywhere."""

    value: Scalar


@dataclass(frozen=True)
class Random:
    """A distribution, drawn by one event.

    `order` is the view through which the elements stand in the order in which they were drawn; None
    if they are in another order, or only some of them.
    """

    law: Law
    leaf: int
    order: View | None
    dtype: torch.dtype


@dataclass(frozen=True)
class Computed:
    """Whatever a replay of the events gives."""

    is_random: bool
    reads_empty: bool = False


Value = Uninitialized | Constant | Random | Computed


@dataclass(frozen=True)
class Part:
    """A box of a tensor with one value; `size` is the shape in which it was written."""

    ranges: Ranges
    size: tuple[int, ...]
    value: Constant | Random


@dataclass(frozen=True)
class Slice:
    """The events that decide a tensor, for a replay."""

    recording: Recording
    events: list[Event]
    view: View

    def run(self, draw: replay.Draw | None = None, poison: int | None = None) -> torch.Tensor:
        """The tensor, contiguous, on the CPU."""
        return replay.run(self.recording, self.events, self.view, draw, poison).contiguous()

    @property
    def is_written(self) -> bool:
        """Whether anything is written, or was there before."""
        has_data = self.view.storage in self.recording.constants
        return has_data or any(event.name not in replay.EMPTY for event in self.events)

    @property
    def leaves(self) -> list[Event]:
        """The random events."""
        return [event for event in self.events if event.is_random]


@dataclass(frozen=True)
class Understood:
    """A tensor's parts, or None if only a replay gives it; or why it is unknown."""

    slice: Slice
    parts: list[Part] | None
    is_random: bool
    unknown: str = ""


def understand(recording: Recording, view: View) -> Understood:
    """Classifies a tensor."""
    events, missing = replay.backward_slice(recording, view.storage)
    found = Slice(recording, events, view)
    if not view.numel:
        return Understood(found, [], False)
    if not found.is_written:
        return Understood(found, None, False, "nothing wrote it")
    if missing:
        return Understood(found, None, False, "it is computed from tensors that nothing wrote")
    if not events and view.numel == 1:
        only = Constant(found.run().item())
        return Understood(found, [Part(whole(view.size), view.size, only)], False)
    machine = _Interpreter(recording)
    for event in events:
        machine.step(event)
    parts, computed = machine.parts(view)
    reads_empty = computed is not None and (
        computed.reads_empty or any(event.name in replay.EMPTY for event in events)
    )
    if reads_empty:
        try:
            has_gaps = _has_gaps(found)
        except Exception as error:  # an operation that only meta has
            return Understood(found, None, False, f"it cannot be computed on the CPU: {error}")
        if has_gaps:
            return Understood(found, None, False, "it is computed from memory that nothing wrote")
    is_random = any(event.is_random for event in events)
    if computed is None and parts is None:
        return Understood(found, None, False, "nothing wrote all of it")
    return Understood(found, parts if computed is None else None, is_random)


def _has_gaps(found: Slice) -> bool:
    """Whether memory that nothing wrote shows: two replays with other bytes there differ."""

    def draw(event: Event, args: Any, kwargs: dict[str, Any]) -> Any:
        if event.name.endswith("_"):
            return args[0].fill_(1)
        made = [torch.full(out.size, 1, dtype=out.dtype) for out in event.outs]
        return made[0] if len(made) == 1 else tuple(made)

    one, other = (found.run(draw, poison).view(-1).view(torch.uint8) for poison in (0x11, 0x4D))
    return not torch.equal(one, other)


MAPS = {"mul", "div", "add", "sub", "neg", "rsub", "erfinv", "clamp"}


class _Interpreter:
    """Runs events on values instead of data.

    A storage holds views with values, later ones on top.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.layers: dict[int, list[tuple[View, Value]]] = {}

    def step(self, event: Event) -> None:
        """Writes what the event gives."""
        value = self._result(event)
        for view in event.writes:
            self._write(view, value)

    def _write(self, view: View, value: Value) -> None:
        if self.recording.covers(view):
            self.layers[view.storage] = [(view, value)]
        else:
            layers = self._layers(view.storage)
            layers[1:] = [layer for layer in layers[1:] if not same_order(layer[0], view)]
            layers.append((view, value))

    def _layers(self, storage: int) -> list[tuple[View, Value]]:
        if storage not in self.layers:
            size = self.recording.storages[storage].nbytes()
            all_of_it = View(storage, (size,), (1,), 0, torch.uint8)
            is_constant = storage in self.recording.constants
            self.layers[storage] = [
                (all_of_it, Computed(False) if is_constant else Uninitialized())
            ]
        return self.layers[storage]

    def read(self, view: View) -> Value:
        """The value of a view."""
        below: list[Value] = []
        layers = self._layers(view.storage)
        for top, value in reversed(layers):
            inside = rectangle(top, view)
            if inside is not None or self.recording.covers(top):
                if below:
                    return _mixture([value, *below])
                return self._part(top, view, value, inside)
            if not is_disjoint(layers[0][0], top, view):
                below.append(value)
        return _mixture([Uninitialized(), *below])

    def _part(self, top: View, view: View, value: Value, inside: Ranges | None) -> Value:
        if not isinstance(value, Random):
            return value
        if view.overlaps_itself or view.dtype != top.dtype:
            return Computed(value.law.is_random)
        is_all = view.numel == top.numel and inside is not None
        if is_all and same_order(value.order, view):
            return replace(value, order=view)
        return (
            replace(value, order=None)
            if value.law.is_independent
            else Computed(value.law.is_random)
        )

    def _result(self, event: Event) -> Value:
        name, args = event.name, event.args
        target = event.writes[0]
        if name in replay.EMPTY:
            return Uninitialized()
        if len({view.storage for view in event.writes}) > 1:
            return self._computed(event)
        drawn = draws(event)
        if drawn is not None:
            if drawn.kind in ("normal", "truncated") and drawn.numbers[1] == 0:
                return (
                    Constant(drawn.numbers[0]) if drawn.kind == "normal" else self._computed(event)
                )
            return Random(drawn, event.index, target, target.dtype)
        constant = _constant(event, self)
        if constant is not None:
            return constant
        if name in ("copy_", "clone", "_to_copy", "detach", "lift_fresh", "lift_fresh_copy"):
            source = event.reads[-1] if name == "copy_" else event.reads[0]
            return self._copied(source, target, event)
        base = name.rstrip("_")
        if base in MAPS:
            mapped = self._mapped(base, args, event, target)
            if mapped is not None:
                return mapped
        return self._computed(event)

    def _copied(self, source: View, target: View, event: Event) -> Value:
        value = self.read(source)
        if isinstance(value, Constant):
            return Constant(_as_type(value.value, source.dtype, target.dtype))
        if isinstance(value, Uninitialized):
            return value
        if isinstance(value, Random) and source.size == target.size and not source.overlaps_itself:
            rises = PRECISION.get(target.dtype, -1) >= PRECISION.get(source.dtype, 9)
            if source.dtype == target.dtype or (not rises and target.dtype in PRECISION):
                order = target if same_order(value.order, source) else None
                return replace(value, order=order, dtype=target.dtype)
        return self._computed(event)

    def _mapped(self, name: str, args: Any, event: Event, target: View) -> Value | None:
        source = event.reads[0]
        value = self.read(source)
        if source.size != target.size or source.dtype != target.dtype:
            return None
        if isinstance(value, Constant):
            return self._constant_of(event, value, target)
        if not isinstance(value, Random) or source.dtype not in PRECISION:
            return None
        law = self._law_of(name, value.law, args, event)
        if law is None:
            return None
        # Folded in, a mirrored value or a quantile is another one for the same word of the stream.
        is_kept = same_order(value.order, source) and not self._reorders(name, args)
        return replace(value, law=law, order=target if is_kept else None)

    def _reorders(self, name: str, args: Any) -> bool:
        if name in ("neg", "rsub", "erfinv"):
            return True
        return name in ("mul", "div") and (self._number(args[1]) or 0) < 0

    def _law_of(self, name: str, law: Law, args: Any, event: Event) -> Law | None:
        if name == "neg":
            return law.scaled(-1.0)
        if name == "erfinv":
            return law.erfinv()
        if name == "clamp":
            low, high = (*args[1:3], None, None)[:2]
            return law.clamped(event.kwargs.get("min", low), event.kwargs.get("max", high))
        number = self._number(args[1]) if len(args) > 1 else None
        if number is None or event.kwargs.get("rounding_mode") is not None:
            return None
        number *= event.kwargs.get("alpha", 1) if name in ("add", "sub") else 1
        if name == "rsub":
            if event.kwargs.get("alpha", args[2] if len(args) > 2 else 1) != 1:
                return None
            negated = law.scaled(-1.0)
            return None if negated is None else negated.shifted(number)
        if name == "mul":
            return law.scaled(number)
        if name == "div":
            return law.scaled(1 / number) if number else None
        return law.shifted(number if name == "add" else -number)

    def _number(self, value: Any) -> float | None:
        """A Python number, or the only value of a tensor."""
        if not isinstance(value, View):
            return float(value) if isinstance(value, (int, float)) else None
        if value.numel != 1 or len(value.size):
            return None
        known = self.read(value)
        if isinstance(known, Constant):
            return float(known.value)
        if isinstance(known, Computed) and value.storage in self.recording.constants:
            return float(replay.run(self.recording, [], value).item())
        return None

    def _constant_of(self, event: Event, value: Constant, target: View) -> Value | None:
        """Arithmetic on a constant, done by the operator itself on one element."""
        if any(isinstance(arg, View) for arg in event.args[1:]) or event.reads[1:]:
            return None
        one = torch.full((), value.value, dtype=event.reads[0].dtype, device="cpu")
        with torch.no_grad():
            result = event.op(one, *event.args[1:], **event.kwargs)
        return Constant(result.to(target.dtype).item())

    def _computed(self, event: Event) -> Computed:
        mixed = _mixture([self.read(view) for view in event.reads])
        return replace(mixed, is_random=mixed.is_random or event.is_random)

    def parts(self, view: View) -> tuple[list[Part] | None, Computed | None]:
        """The parts of a tensor; or None and what it is otherwise."""
        parts: list[tuple[Ranges, tuple[int, ...], Value]] = []
        layers = self._layers(view.storage)
        for top, value in layers:
            inside = rectangle(view, top)
            if rectangle(top, view) is not None or self.recording.covers(top):
                one = self._part(top, view, value, rectangle(top, view))
                parts = [(whole(view.size), view.size, one)]
            elif inside is not None:
                value = self._in_box(top, inside, value)
                parts = [part for part in parts if part[0] != inside]
                parts.append((inside, top.size, value))
            elif not is_disjoint(layers[0][0], top, view):
                return None, _mixture([v for _, _, v in parts] + [value])
        return _resolve(
            [(box, size, self._as_drawn(value, size)) for box, size, value in parts], view
        )

    def _as_drawn(self, value: Value, size: tuple[int, ...]) -> Value:
        """A value whose elements depend on the shape must have been drawn in this one."""
        if not isinstance(value, Random) or value.law.is_independent:
            return value
        drawn = self.recording.events[value.leaf].outs[0].size
        return value if drawn == size else Computed(value.law.is_random)

    def _in_box(self, top: View, box: Ranges, value: Value) -> Value:
        """A value whose elements are in the box's own order, or whose order does not matter."""
        if not isinstance(value, Random) or same_order(value.order, top):
            lengths = [stop - start for start, stop in box if stop - start > 1]
            if not isinstance(value, Random) or lengths == [n for n in top.size if n > 1]:
                return value
        if value.law.is_independent:
            return replace(value, order=None)
        return Computed(value.law.is_random)


def _resolve(
    parts: list[tuple[Ranges, tuple[int, ...], Value]], view: View
) -> tuple[list[Part] | None, Computed | None]:
    values = [value for _, _, value in parts]
    if any(isinstance(value, Computed) for value in values):
        return None, _mixture(values)
    if parts and isinstance(values[0], Uninitialized):
        boxes = [box for box, _, _ in parts[1:]]
        apart = all(intersection(a, b) is None for i, a in enumerate(boxes) for b in boxes[:i])
        if not apart or sum(map(volume, boxes)) != view.numel:
            return None, (None if apart else Computed(any(map(_is_random, values)), True))
        parts = parts[1:]
    return [
        Part(box, size, value) for box, size, value in parts if isinstance(value, Constant | Random)
    ], None


def _mixture(values: list[Value]) -> Computed:
    return Computed(
        any(_is_random(value) for value in values),
        any(_reads_empty(value) for value in values),
    )


def _is_random(value: Value) -> bool:
    if isinstance(value, Random):
        return value.law.is_random
    return isinstance(value, Computed) and value.is_random


def _reads_empty(value: Value) -> bool:
    return isinstance(value, Uninitialized) or (isinstance(value, Computed) and value.reads_empty)


def _as_type(value: Scalar, source: torch.dtype, target: torch.dtype) -> Scalar:
    return torch.full((), value, dtype=source, device="cpu").to(target).item()


def draws(event: Event) -> Law | None:
    """The distribution that a random event draws, if it is one of ours."""
    name, args, kwargs = event.name, event.args, event.kwargs
    inputs = [arg for arg in args if isinstance(arg, View) and arg not in event.writes]
    if inputs and not name.endswith("_like"):
        return None
    if event.outs and event.outs[0].dtype not in PRECISION:
        return None

    def numbers(
        names: tuple[str, ...], defaults: tuple[float, ...], first: int
    ) -> tuple[float, ...]:
        given = list(args[first : first + len(names)])
        given += [
            kwargs.get(n, d) for n, d in list(zip(names, defaults, strict=True))[len(given) :]
        ]
        return tuple(float(number) for number in given)

    match name:
        case "normal_":
            return Law("normal", numbers(("mean", "std"), (0, 1), 1))
        case "normal":
            return Law("normal", numbers(("mean", "std"), (0, 1), 0))
        case "randn" | "randn_like":
            return Law("normal", (0.0, 1.0))
        case "uniform_":
            return _uniform(numbers(("from", "to"), (0, 1), 1))
        case "rand" | "rand_like":
            return Law("uniform", (0.0, 1.0))
        case "trunc_normal_":
            return Law("truncated", numbers(("mean", "std", "a", "b"), (0, 1, -2, 2), 1))
        case "orthogonal_":
            return Law("orthogonal", numbers(("gain",), (1,), 1))
        case "sparse_":
            return Law("sparse", numbers(("sparsity", "std"), (0, 0.01), 1))
        case "dirac_":
            return Law("dirac", numbers(("groups",), (1,), 1))
        case "eye" if event.kwargs.get("out") is None or len(event.kwargs["out"].size) == 2:
            return Law("eye", ())
    return None


def _uniform(bounds: tuple[float, ...]) -> Law | None:
    return (
        Law("uniform", bounds)
        if bounds[0] < bounds[1] and all(map(math.isfinite, bounds))
        else None
    )


def _constant(event: Event, machine: _Interpreter) -> Constant | None:
    name, args = event.name, event.args
    target = event.writes[0]
    match name:
        case "zero_" | "zeros" | "zeros_like" | "new_zeros":
            value: Any = 0
        case "ones" | "ones_like" | "new_ones":
            value = 1
        case "fill_" | "full" | "full_like" | "fill":
            value = args[1]
        case "new_full":
            value = args[2]
        case "uniform_" if len(args) > 2 and args[1] == args[2]:
            value = args[1]
        case _:
            return None
    if isinstance(value, View):
        value = machine._number(value)
    if not isinstance(value, (int, float, bool)):
        return None
    return Constant(torch.full((), value, dtype=target.dtype, device="cpu").item())
