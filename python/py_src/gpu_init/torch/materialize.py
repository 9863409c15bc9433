"""`init_`: fills a model in place, wherever its tensors are."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn

from .dtensor import is_dtensor, local_ranges
from .errors import TraceError, UnknownTensorsError
from .fill import Filler
from .modules import Named, named_tensors
from .plan import TorchPlan
from .trace import Initialize, OnUnknown, trace

Model = TypeVar("Model", bound=nn.Module)


def init_(
    model: Model,
    seed: int = 42,
    *,
    plan: TorchPlan | None = None,
    device: torch.device | str | None = None,
    initialize: Initialize | None = None,
    on_unknown: OnUnknown = "error",
    independent_copies: bool = False,
) -> Model:
    """Initializes a model in place as its own code would, with the bits of the seed and the names.

    Tensors on the meta device are made on `device`: by default the mesh's for DTensors, else
    PyTorch's default device. Of a DTensor each process fills what it has, without communication.
    `plan` is a trace of the same model, `trace(lambda: Model(config))`; without one the model is
    traced as `trace(model, initialize=..., ...)` does. A model may be a part of the plan's.
    """
    if plan is None:
        plan = trace(
            model,
            initialize=initialize,
            on_unknown=on_unknown,
            independent_copies=independent_copies,
        )
    named = named_tensors(model)
    _check(named, plan)
    if any(one.tensor.is_meta for one in named):
        _check_known(named, plan)
        _materialize(model, named, device)
        named = named_tensors(model)
    filler = Filler()
    with torch.no_grad():
        for one in named:
            fill_tensor(one, plan, seed, filler)
    return model


def fill_tensor(one: Named, plan: TorchPlan, seed: int, filler: Filler) -> None:
    """Fills a tensor of a model, or the part of it that this process has."""
    entry = plan[one.name]
    if entry.unknown and not entry.is_written:
        return
    if is_dtensor(one.tensor):
        tensor: Any = one.tensor
        entry.fill(tensor.to_local().detach(), seed, filler, local_ranges(tensor, one.name))
    else:
        entry.fill(one.tensor.detach(), seed, filler)


def _check(named: list[Named], plan: TorchPlan) -> None:
    missing = {one.name: "the plan does not have it" for one in named if one.name not in plan}
    if missing:
        raise UnknownTensorsError(missing, "Trace the model that is to be initialized.")
    for one in named:
        entry = plan[one.name]
        if tuple(one.tensor.shape) != entry.shape:
            raise TraceError(
                f"{one.name} has the shape {tuple(one.tensor.shape)}, not the plan's, {entry.shape}"
            )


def _check_known(named: list[Named], plan: TorchPlan) -> None:
    lost = {
        one.name: plan[one.name].unknown
        for one in named
        if one.tensor.is_meta and plan[one.name].unknown and not plan[one.name].is_written
    }
    if lost:
        raise UnknownTensorsError(
            lost, "They are on the meta device, so that PyTorch has no values for them either."
        )


def _materialize(model: nn.Module, named: list[Named], device: torch.device | str | None) -> None:
    """Gives the meta tensors memory, tied ones once."""
    if torch.distributed.is_available():
        from torch.distributed.fsdp import FSDPModule

        if any(isinstance(module, FSDPModule) for module in model.modules()):
            # It keeps references of its own to its parameters, which only `to_empty` renews.
            ties = {name: one.name for one in named for name in one.aliases}
            model.to_empty(device=_device_of(named, device))
            _tie_again(model, ties)
            return
    for one in named:
        if one.tensor.is_meta:
            new = torch.empty_like(one.tensor, device=_device_of([one], device))
            if isinstance(one.tensor, nn.Parameter):
                new = nn.Parameter(new, requires_grad=one.tensor.requires_grad)
                vars(new).update(vars(one.tensor))
            for place in one.places.values():
                place.put(new)


def _tie_again(model: nn.Module, ties: dict[str, str]) -> None:
    places = {name: place for one in named_tensors(model) for name, place in one.places.items()}
    for alias, owner in ties.items():
        tensor = places[owner].tensors[places[owner].key]
        if tensor is not None and places[alias].tensors[places[alias].key] is not tensor:
            places[alias].put(tensor)


def _device_of(named: list[Named], device: torch.device | str | None) -> torch.device:
    if device is not None:
        return torch.device(device)
    for one in named:
        if is_dtensor(one.tensor):
            mesh: Any = one.tensor
            return torch.device(mesh.device_mesh.device_type)
    default = torch.get_default_device()
    return torch.device("cpu") if default.type == "meta" else default
