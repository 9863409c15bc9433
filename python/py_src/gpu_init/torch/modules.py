"""A model's tensors by name, and stand-ins for them while its initialization is recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import nn

# Wrappers that put a segment of their own into the names of a model's tensors.
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")


@dataclass
class Place:
    """Where a module holds a tensor."""

    module: nn.Module
    key: str
    is_buffer: bool

    @property
    def tensors(self) -> dict[str, torch.Tensor | None]:
        """The module's own dictionary."""
        tensors: Any = self.module._buffers if self.is_buffer else self.module._parameters
        return cast("dict[str, torch.Tensor | None]", tensors)

    @property
    def is_persistent(self) -> bool:
        """Whether checkpoints have the tensor."""
        return not self.is_buffer or self.key not in self.module._non_persistent_buffers_set

    def put(self, tensor: torch.Tensor) -> None:
        """Replaces the tensor, past the setters of wrappers."""
        self.tensors[self.key] = tensor


@dataclass
class Named:
    """A tensor of a model with all of its names; the first one owns it."""

    tensor: torch.Tensor
    is_buffer: bool
    places: dict[str, Place] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name whose stream the tensor has."""
        return next(iter(self.places))

    @property
    def current(self) -> torch.Tensor:
        """What the owning module holds now."""
        place = self.places[self.name]
        tensor = place.tensors[place.key]
        assert tensor is not None
        return tensor

    @property
    def is_persistent(self) -> bool:
        """Whether checkpoints have the tensor."""
        return any(place.is_persistent for place in self.places.values())

    @property
    def aliases(self) -> tuple[str, ...]:
        """The other names."""
        return tuple(self.places)[1:]


def named_tensors(model: nn.Module) -> list[Named]:
    """Parameters, then buffers, each once, in the model's order."""
    if type(model).__name__ in ("DistributedDataParallel", "DataParallel"):
        model = cast("nn.Module", model.module)
    found: dict[int, Named] = {}
    for is_buffer in (False, True):
        for prefix, module in model.named_modules(remove_duplicate=False):
            tensors = module._buffers if is_buffer else module._parameters
            for key, tensor in tensors.items():
                if tensor is None:
                    continue
                name = f"{prefix}.{key}" if prefix else key
                for wrapper in WRAPPERS:
                    name = name.replace(wrapper, "")
                one = found.setdefault(id(tensor), Named(tensor, is_buffer))
                one.places.setdefault(name, Place(module, key, is_buffer))
    tied = set(tied_names(model))
    for one in found.values():
        owners = {name: place for name, place in one.places.items() if name not in tied}
        one.places = {**owners, **one.places}
    return list(found.values())


def tied_names(model: nn.Module) -> dict[str, str]:
    """The names that Hugging Face ties after the initialization, each to the one it is tied to."""
    found: dict[str, str] = {}
    keys = getattr(model, "all_tied_weights_keys", None)
    if isinstance(keys, dict):
        found.update(keys)
    return found


@contextlib.contextmanager
def stand_ins(model: nn.Module) -> Iterator[None]:
    """Puts plain meta tensors of whole shapes in the place of all tensors; at the end all back.

    A name that is tied after the initialization gets one of its own meanwhile, so that what is done
    to the alias does not show.
    """
    originals: list[tuple[Place, torch.Tensor]] = []
    tied = tied_names(model)
    named = named_tensors(model)
    flags = _take_flags(model)
    try:
        for one in named:
            shared = _stand_in(one.tensor)
            for name, place in one.places.items():
                originals.append((place, one.tensor))
                is_alias = name in tied and name != one.name
                place.put(_stand_in(one.tensor) if is_alias else shared)
        yield
    finally:
        for place, tensor in originals:
            place.put(tensor)
        for module, flag in flags:
            vars(module)["_is_hf_initialized"] = flag


@contextlib.contextmanager
def untied(model: nn.Module) -> Iterator[None]:
    """Gives the names that are tied after the initialization tensors of their own meanwhile."""
    tied = tied_names(model)
    originals: list[tuple[Place, torch.Tensor]] = []
    try:
        for one in named_tensors(model):
            for name in one.aliases:
                if name in tied:
                    originals.append((one.places[name], one.tensor))
                    one.places[name].put(_stand_in(one.tensor))
        yield
    finally:
        for place, tensor in originals:
            place.put(tensor)


def _stand_in(tensor: torch.Tensor) -> torch.Tensor:
    meta = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    if not isinstance(tensor, nn.Parameter):
        return meta
    parameter = nn.Parameter(meta, requires_grad=tensor.requires_grad)
    own = {key: value for key, value in vars(tensor).items() if key != "_is_hf_initialized"}
    vars(parameter).update(
        {key: value for key, value in own.items() if not isinstance(value, torch.Tensor)}
    )
    return parameter


def _take_flags(model: nn.Module) -> list[tuple[nn.Module, bool]]:
    """Removes transformers' marks of initialized modules, which it would skip."""
    taken = []
    for module in model.modules():
        if "_is_hf_initialized" in vars(module):
            taken.append((module, vars(module).pop("_is_hf_initialized")))
    return taken
