"""`trace`: the distributions that a model's own code gives its tensors."""

from __future__ import annotations

import copy
import dataclasses
import functools
import logging
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn

from gpu_init._errors import InvalidArgument, InvalidType

from .classify import Part, Random, Understood, understand
from .dtensor import is_dtensor
from .errors import TraceError
from .guard import unchanged_process
from .modules import Named, named_tensors, stand_ins, untied
from .plan import Found, TorchPlan, complain_about, draw_by_torch, make_plan
from .recorder import Recorder, Recording

logger = logging.getLogger("gpu_init.torch")

OnUnknown = Literal["error", "torch"]
Initialize = Callable[[Any], object]

ADVICE = (
    "Trace the construction, trace(lambda: Model(config)), name the code that initializes, "
    'trace(model, initialize=...), or leave these tensors to PyTorch by on_unknown="torch".'
)


def trace(
    model: nn.Module | Callable[[], nn.Module],
    *,
    initialize: Initialize | None = None,
    on_unknown: OnUnknown = "error",
    independent_copies: bool = False,
) -> TorchPlan:
    """The distribution of each parameter and buffer, from the model's own code.

    `model` is a function that builds it, `lambda: Model(config)`, which is recorded without memory
    for the tensors; or a model that exists, on any device, whose own initialization is recorded on
    stand-ins: its `initialize_weights` (Hugging Face) or `init_weights`; the `reset_parameters` of
    all modules, if each is PyTorch's or has one; or what `initialize(model)` does. The model and
    the process stay as they are.

    What nothing wrote, or cannot be understood, is an `UnknownTensorsError`; with
    `on_unknown="torch"` it is left to PyTorch, with a generator seeded by the tensor's name, and
    reported. Layers that are copies of each other (`nn.TransformerEncoder`) stay alike, as in
    PyTorch; `independent_copies=True` makes them differ.
    """
    if on_unknown not in ("error", "torch"):
        raise InvalidArgument(f'on_unknown is "error" or "torch", not {on_unknown!r}')
    found, has_drawn = _trace_once(model, initialize, 0)
    if has_drawn:
        found = _without_python_randomness(found, _trace_once(model, initialize, 1)[0])
    plan = make_plan(found, independent_copies)
    if on_unknown == "error":
        complain_about(plan, ADVICE)
    elif plan.unknown:
        names = ", ".join(plan.unknown)
        logger.warning("left to PyTorch, with a generator seeded by each name: %s", names)
    return plan


def _trace_once(model: Any, initialize: Initialize | None, seed: int) -> tuple[list[Found], bool]:
    with unchanged_process(seed) as draws:
        if isinstance(model, nn.Module):
            found = _trace_model(model, initialize)
        elif callable(model):
            found = _trace_construction(model, initialize)
        else:
            raise InvalidType(
                f"trace takes a model or a function that builds one, not {type(model).__name__}"
            )
        draws.look()
    return found, draws.happened


def _trace_construction(
    build: Callable[[], nn.Module], initialize: Initialize | None
) -> list[Found]:
    with Recorder() as recorder:
        model = build()
        if not isinstance(model, nn.Module):
            raise InvalidType(
                f"the function returned {type(model).__name__}, not a torch.nn.Module"
            )
        _check_not_lazy(model)
        if initialize is not None:
            initialize(model)
        elif _is_unfinished(model):
            _initialize_untied(model)
    return [_found(recorder.recording, one, one.tensor) for one in named_tensors(model)]


def _is_unfinished(model: nn.Module) -> bool:
    """Whether transformers left out the initialization, as it does under `torch.device("meta")`."""
    return _is_hugging_face(model) and not getattr(model, "_is_hf_initialized", False)


def _initialize_untied(model: Any) -> None:
    with untied(model):
        model.initialize_weights()


def _trace_model(model: nn.Module, initialize: Initialize | None) -> list[Found]:
    _check_not_lazy(model)
    named = named_tensors(model)
    with stand_ins(model):
        with Recorder() as recorder:
            (initialize or find_initialize(model))(model)
        found = [_found(recorder.recording, one, one.current) for one in named]
    if initialize is None and _is_hugging_face(model) and any(_is_unwritten(one) for one in found):
        found = _with_constructor(model, found)
    return [
        _kept(one, was.tensor) if _is_unwritten(one) else one
        for one, was in zip(found, named, strict=True)
    ]


def _found(recording: Recording, one: Named, tensor: torch.Tensor) -> Found:
    understood = understand(recording, recording.view(tensor))
    return Found(one.name, one.aliases, one.is_buffer, one.is_persistent, understood)


def _is_unwritten(one: Found) -> bool:
    return not one.understood.slice.is_written


def _with_constructor(model: Any, found: list[Found]) -> list[Found]:
    """Takes what only the constructor writes from a construction by the same configuration."""
    try:
        built = {
            one.name: one
            for one in _trace_construction(lambda: type(model)(copy.deepcopy(model.config)), None)
        }
    except Exception:  # the class may want other arguments: then these tensors stay unknown
        return found

    def better(one: Found) -> Found:
        other = built.get(one.name, one)
        is_same = (other.view.size, other.view.dtype) == (one.view.size, one.view.dtype)
        return (
            dataclasses.replace(one, understood=other.understood)
            if is_same and _is_unwritten(one)
            else one
        )

    return [better(one) for one in found]


def _kept(one: Found, tensor: torch.Tensor) -> Found:
    """A buffer that has data and that the initialization does not write keeps its data."""
    if not one.is_buffer or tensor.is_meta or is_dtensor(tensor):
        return one
    recording = Recording()
    view = recording.view(tensor)
    recording.keep_data(tensor, view.storage)
    return dataclasses.replace(one, understood=understand(recording, view))


def find_initialize(model: nn.Module) -> Initialize:
    """The code that initializes a model that exists."""
    if _is_hugging_face(model):
        return lambda model: model.initialize_weights()
    if callable(getattr(model, "init_weights", None)):
        return lambda model: model.init_weights()
    others = {
        type(module).__qualname__
        for module in model.modules()
        if not type(module).__module__.startswith("torch.nn.modules.")
        and not hasattr(module, "reset_parameters")
    }
    names = ", ".join(sorted(others))
    if names:
        raise TraceError(
            f"{names} may initialize tensors in the constructor, which this model "
            "is past. Trace the construction, trace(lambda: Model(config)), or name the code that "
            "initializes, trace(model, initialize=...)."
        )
    return _reset_all


def _reset_all(model: nn.Module) -> None:
    # As constructors do: parts first, then what is made of them.
    for module in reversed(list(model.modules())):
        for name in ("reset_parameters", "_reset_parameters"):
            if callable(getattr(module, name, None)):
                getattr(module, name)()
                break


def _is_hugging_face(model: nn.Module) -> bool:
    return callable(getattr(model, "initialize_weights", None)) and hasattr(
        model, "all_tied_weights_keys"
    )


def _check_not_lazy(model: nn.Module) -> None:
    lazy = [name for name, parameter in model.named_parameters() if nn.parameter.is_lazy(parameter)]
    if lazy:
        raise TraceError(
            f"{', '.join(lazy)} of lazy modules have no shape before the first batch: run one first"
        )


def _without_python_randomness(found: list[Found], again: list[Found]) -> list[Found]:
    """Marks what differs if Python's and numpy's generators are seeded otherwise."""
    reason = "Python's or numpy's generator decides it"

    def checked(one: Found, other: Found) -> Found:
        if one.name != other.name or one.view.size != other.view.size:
            raise TraceError("two constructions of the model have different tensors")
        if one.understood.unknown or _is_alike(one.understood, other.understood):
            return one
        return dataclasses.replace(
            one, understood=dataclasses.replace(one.understood, parts=None, unknown=reason)
        )

    if len(found) != len(again):
        raise TraceError("two constructions of the model have different tensors")
    return [checked(one, other) for one, other in zip(found, again, strict=True)]


def _is_alike(one: Understood, other: Understood) -> bool:
    if one.parts is not None and other.parts is not None:
        return [_meaning(part) for part in one.parts] == [_meaning(part) for part in other.parts]
    if (one.parts is None) != (other.parts is None):
        return False
    if [str(event.op) for event in one.slice.events] != [
        str(event.op) for event in other.slice.events
    ]:
        return False
    draw = functools.partial(draw_by_torch, name="")
    return bytes_equal(one.slice.run(draw), other.slice.run(draw))


def _meaning(part: Part) -> tuple[object, ...]:
    value = part.value
    return part.ranges, value.law if isinstance(value, Random) else value


def bytes_equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two contiguous tensors have the same bits."""
    return torch.equal(one.view(-1).view(torch.uint8), other.view(-1).view(torch.uint8))
