"""Whole models: rules or a recipe and a list of tensors make a plan, which fills arrays by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from . import _gpu_init
from ._arrays import as_array, readable_bytes, writable_bytes
from ._dtypes import name_of, numpy_dtype, numpy_names
from ._errors import InvalidArgument, InvalidType
from ._fill import fingerprint_in_model
from ._gpu_init import KeptTensor, PlanEntry
from ._request import Request
from ._types import Device, Progress

_PLAN = "plan"


class Rules:
    """An ordered list of rules: the first one that matches a tensor says how it is initialized."""

    __slots__ = ("_rules",)

    def __init__(self, rules: _gpu_init.Rules) -> None:
        self._rules = rules

    @classmethod
    def from_text(cls, text: str) -> Rules:
        """Reads the text of a rules file, which is TOML."""
        return cls(_gpu_init.Rules(text))

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> Rules:
        """Reads a rules file."""
        text = Path(path).read_text(encoding="utf-8")
        try:
            return cls.from_text(text)
        except InvalidArgument as error:
            raise InvalidArgument(f"{Path(path)}: {error}") from None

    @property
    def seed(self) -> int:
        """The seed of every tensor."""
        return self._rules.seed

    @property
    def dtype(self) -> str | None:
        """The element type of tensors that neither their rule nor the list gives one."""
        return self._rules.dtype

    @property
    def rules(self) -> list[tuple[str, str]]:
        """Each rule as reports show it, and its initializer."""
        return self._rules.rules

    def with_seed(self, seed: SupportsIndex) -> Rules:
        """Returns the rules with another seed."""
        return Rules(self._rules.with_seed(Request("rules").u64("seed", seed)))

    def with_dtype(self, dtype: npt.DTypeLike) -> Rules:
        """Returns the rules with one element type for all tensors but those listed as integers."""
        return Rules(self._rules.with_dtype(name_of(dtype, "rules")))

    def with_listed_dtypes(self) -> Rules:
        """Returns the rules with a preference for each tensor's own element type in the list."""
        return Rules(self._rules.with_listed_dtypes())

    def with_tied(self, pairs: Iterable[tuple[str, str]]) -> Rules:
        """Returns the rules with further tied tensors, pairs of an owner and an alias."""
        return Rules(self._rules.with_tied(list(pairs)))

    def fit(self, names: Iterable[str]) -> bool | None:
        """Says whether they are made for a model with these names; None if they do not say."""
        return self._rules.fit(list(names))

    def plan(self, tensors: Mapping[str, Any]) -> Plan:
        """Applies the rules to a model's tensors.

        Each name has a shape and an element type or None, `((768, 768), "bf16")`, a shape alone, or
        something that has both, such as an array or a `jax.ShapeDtypeStruct`.
        """
        return Plan(self._rules.plan([_listed(name, it) for name, it in tensors.items()]))

    def __repr__(self) -> str:
        return f"Rules({len(self.rules)} rules, seed={self.seed})"


class Recipe:
    """A built-in rules file."""

    __slots__ = ("name", "summary", "text")

    def __init__(self, name: str, summary: str, text: str) -> None:
        self.name = name
        self.summary = summary
        self.text = text

    @classmethod
    def all(cls) -> list[Recipe]:
        """Returns every recipe."""
        return [cls(*described) for described in _gpu_init.recipes()]

    @classmethod
    def named(cls, name: str) -> Recipe:
        """Returns the recipe of this name."""
        recipes = {recipe.name: recipe for recipe in cls.all()}
        if name not in recipes:
            raise InvalidArgument(f"recipe: there is no {name!r}; use one of {', '.join(recipes)}")
        return recipes[name]

    @classmethod
    def fitting(cls, names: Iterable[str]) -> list[Recipe]:
        """Returns the recipes that are made for a model with these names."""
        return [cls.named(name) for name in _gpu_init.recipes_fitting(list(names))]

    def rules(self) -> Rules:
        """Returns the rules."""
        return Rules.from_text(self.text)

    def __repr__(self) -> str:
        return f"Recipe({self.name!r})"


class Plan:
    """The tensors of a model, each with what fills it: computed from names and shapes alone."""

    __slots__ = ("_plan",)

    def __init__(self, plan: _gpu_init.Plan) -> None:
        self._plan = plan

    @property
    def entries(self) -> list[PlanEntry]:
        """The tensors to fill, in the list's order; tied ones are one entry."""
        return self._plan.entries

    @property
    def kept(self) -> list[KeptTensor]:
        """The tensors that are not filled."""
        return self._plan.kept

    @property
    def warnings(self) -> list[str]:
        """Rules that apply to no tensor, and tensors that were read as convolutions."""
        return self._plan.warnings

    @property
    def elements(self) -> int:
        """The number of elements of all entries."""
        return self._plan.elements

    @property
    def nbytes(self) -> int:
        """The bytes of all entries."""
        return self._plan.bytes

    def shard(self, rank: SupportsIndex, world: SupportsIndex) -> Plan:
        """Returns the part of one process of `world`.

        Tensors are divided along the dimension that their rule names, or the first one.
        """
        request = Request("shard")
        return Plan(self._plan.shard(request.u64("rank", rank), request.u64("world", world)))

    def fill(
        self,
        *,
        device: Device = "cpu",
        source: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Returns new arrays by name; tied names have the same one.

        Tensors that are not filled are those of `source`. `progress(done, total)` is called with
        numbers of elements; what it raises ends the work.
        """
        kept = self._kept(source)
        self._plan.check_memory()
        weights: dict[str, npt.NDArray[Any]] = {}
        for entry, array in self._filled(device, progress):
            weights.update(dict.fromkeys([entry.name, *entry.aliases], array))
        for tensor, array in kept:
            weights.update(dict.fromkeys([tensor.name, *tensor.aliases], array))
        return weights

    def fingerprint(
        self,
        weights: Mapping[str, Any] | None = None,
        *,
        device: Device = "cpu",
        source: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> str:
        """Returns the fingerprint that `gpu-init model` prints.

        It is that of `weights`, or else of the tensors that the plan fills, one at a time.
        """
        kept = self._kept(source if weights is None else weights)
        if weights is None:
            filled = self._filled(device, progress)
        else:
            named = ((entry, _found(weights, entry, entry.shape)) for entry in self.entries)
            filled = ((entry, _of_type(array, entry)) for entry, array in named)
        total = sum(entry.fingerprint(readable_bytes(array)) for entry, array in filled)
        for tensor, array in kept:
            # The elements of a type that cannot be filled are its bytes.
            dtype = array.dtype.name if array.dtype.name in numpy_names() else "uint8"
            total += fingerprint_in_model(tensor.name, readable_bytes(array), dtype)
        return f"{total % 2**64:016x}"

    def _filled(self, device: Device, progress: Progress | None) -> Iterable[Any]:
        """Fills one entry after the other."""
        total, before = self.elements, 0
        for entry in self.entries:
            dtype = numpy_dtype(entry.dtype, _PLAN)
            array: npt.NDArray[Any] = np.empty(entry.shape, dtype)
            done = _shifted(progress, before, total)
            entry._spec.fill(writable_bytes(array, _PLAN), device, done)
            before += array.size
            yield entry, array

    def _kept(self, source: Mapping[str, Any] | None) -> list[tuple[KeptTensor, npt.NDArray[Any]]]:
        """Returns the tensors that are not filled, from their source."""
        if self.kept and source is None:
            names = ", ".join(repr(tensor.name) for tensor in self.kept[:10])
            more = f" and {len(self.kept) - 10} more" if len(self.kept) > 10 else ""
            raise InvalidArgument(
                f"plan: {names}{more} are kept as their source has them; pass them as "
                "source={name: array}, or give them a rule with another init"
            )
        return [(tensor, _found(source or {}, tensor, tensor.shape)) for tensor in self.kept]

    def __repr__(self) -> str:
        tensors = f"{len(self.entries)} tensors, {self.elements} elements, {self.nbytes} bytes"
        return f"Plan({tensors}, {len(self.kept)} kept)" if self.kept else f"Plan({tensors})"


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Returns the progress of a model from that of one of its tensors."""
    return None if progress is None else lambda done, _: progress(before + done, total)


def _found(
    arrays: Mapping[str, Any], tensor: PlanEntry | KeptTensor, shape: Iterable[int]
) -> npt.NDArray[Any]:
    """Returns a tensor's array, by its name or that of a tied one."""
    name = next((name for name in [tensor.name, *tensor.aliases] if name in arrays), None)
    if name is None:
        raise InvalidArgument(f"plan: there is no array {tensor.name!r}; pass one by that name")
    array = as_array(arrays[name], _PLAN)
    if array.shape != tuple(shape):
        raise InvalidArgument(
            f"plan: array {name!r} has shape {array.shape}, and the tensor {tuple(shape)}"
        )
    return array


def _of_type(array: npt.NDArray[Any], entry: PlanEntry) -> npt.NDArray[Any]:
    """Returns the array if it has its entry's element type."""
    own, expected = name_of(array.dtype, _PLAN), entry.dtype
    if own != expected:
        raise InvalidArgument(f"plan: array {entry.name!r} is {own}, and the tensor {expected}")
    return array


def _listed(name: str, tensor: Any) -> tuple[str, list[int], str | None]:
    """Returns a tensor's name, shape and element type."""
    if not isinstance(name, str):
        raise InvalidType(f"plan: names are text, not {name!r}")
    request = Request(f"plan: tensor {name!r}")
    if hasattr(tensor, "shape"):
        shape, dtype = tensor.shape, getattr(tensor, "dtype", None)
    elif isinstance(tensor, tuple | list) and len(tensor) == 2 and hasattr(tensor[0], "__len__"):
        shape, dtype = tensor
    else:
        shape, dtype = tensor, None
    dtype_name = None if dtype is None else name_of(dtype, request.operation)
    return name, request.shape(shape), dtype_name
