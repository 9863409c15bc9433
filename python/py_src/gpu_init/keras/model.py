"""Initializes a whole model: each variable by its own initializer, its path and one seed."""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import keras  # type: ignore[import-untyped]
from keras.src.utils.naming import to_snake_case  # type: ignore[import-untyped]

import gpu_init
from gpu_init._unknown import UnknownInitialization
from gpu_init.keras import _random, _record, _values

_QUANTIZED = {"int8", "int4", "gptq", "awq"}
# Their configuration has the current values of a module of another framework.
_FOREIGN = ("FlaxLayer", "JaxLayer", "TorchModuleWrapper")

_ADVICE = (
    "Build the model inside `with gpu_init.keras.record():`, give these layers a `get_config`, "
    'or pass on_unknown="keep" to leave these variables as they are.'
)


def init_(
    model: Any, seed: int = 0, *, on_unknown: Literal["error", "keep"] = "error"
) -> dict[str, str]:
    """Initializes the weights of a built layer or model in place; returns each one's initializer.

    Each variable gets the distribution of its own initializer, and values that depend on `seed`,
    the variable's name as `names` gives it, and its shape alone: the same bits on every backend
    and in every order of building. A seed in an initializer is not used.

    Weights are what `model.weights` lists. States of seed generators, metrics and optimizers stay,
    and so do the statistics of `keras.layers.Normalization`, which are data.

    # Errors
    `ValueError` for a model that is not built, `UnknownInitialization`, a `ValueError` too, with
    the names of variables whose initializer is not known. Nothing has changed then.
    """
    if on_unknown not in ("error", "keep"):
        raise gpu_init.InvalidArgument(f'on_unknown must be "error" or "keep", not {on_unknown!r}')
    if not model.built:
        raise gpu_init.InvalidArgument(
            f"{model.name} is not built: call it on data, or its build() with a shape, first"
        )
    if not 0 <= operator.index(seed) < 2**64:
        raise gpu_init.InvalidArgument(f"seed must be from 0 to 2**64 - 1, not {seed}")
    fills: dict[str, _Fill] = {}
    unknown: dict[str, str] = {}
    found = _initializers(model)
    for name, variable in names(model).items():
        initializer = found.get(id(variable), _Unknown("no layer of the model has made it"))
        try:
            if initializer is not _KEPT:
                fills[name] = _fill(variable, initializer, seed, name)
        except _Unknown as reason:
            unknown[name] = str(reason)
        except gpu_init.Error as error:
            raise gpu_init.InvalidArgument(f"{name}: {error}") from error
    if unknown and on_unknown == "error":
        raise UnknownInitialization(unknown, _ADVICE)
    # Nothing has changed yet, and from here on nothing is expected to fail.
    for fill in fills.values():
        fill.variable.assign(fill.tensor())
    return {name: fill.text for name, fill in fills.items()}


class _Unknown(Exception):
    """Why a variable's initial values are not known."""


class _Fill(NamedTuple):
    variable: Any
    text: str
    tensor: Callable[[], Any]


_KEPT = object()


def _fill(variable: Any, initializer: Any, seed: int, name: str) -> _Fill:
    """What to assign to a variable. Everything that can fail does so here."""
    if isinstance(initializer, _Unknown):
        raise initializer
    shape, dtype = tuple(variable.shape), keras.backend.standardize_dtype(variable._dtype)
    scheme = _values.scheme(initializer, shape)
    if scheme is None:
        text, tensor = _called(initializer, shape, dtype, seed, name)
        return _Fill(variable, text, lambda: tensor)
    scheme.check(shape, dtype)
    return _Fill(
        variable, scheme.init, lambda: scheme.tensor(shape, dtype, seed, name, _sharding(variable))
    )


def _sharding(variable: Any) -> Any:
    """Where JAX has a variable that lies on several devices."""
    if keras.backend.backend() != "jax" or len(variable.value.sharding.device_set) == 1:
        return None
    return variable.value.sharding


def _called(
    initializer: Any, shape: tuple[int, ...], dtype: str, seed: int, name: str
) -> tuple[str, Any]:
    """The text and the value of an initializer that has to be called to know what it does.

    The random numbers that it asks Keras for are ours. Others make its two values differ.
    """
    if isinstance(initializer, _record.Value):
        return "value", initializer.value
    values, schemes = [], []
    for _ in range(2):
        drawn = _random.Drawn(seed, name)
        try:
            with _random.stepping_in(drawn):
                values.append(
                    keras.ops.convert_to_tensor(initializer(shape, dtype=dtype), dtype=dtype)
                )
        except Exception as error:
            raise _Unknown(f"its initializer fails: {_line(error)}") from error
        schemes = drawn.schemes
    if tuple(values[0].shape) != shape:
        raise _Unknown(f"its initializer gives the shape {tuple(values[0].shape)}, not {shape}")
    first, second = (_record.bits(keras.ops.convert_to_numpy(value)) for value in values)
    if first != second:
        raise _Unknown("its initializer has random numbers of its own, not Keras'")
    parts = ", ".join(scheme.init for scheme in schemes)
    computed = f"computed from {parts}" if parts else "computed"
    return _values.constant_text(initializer) or computed, values[0]


def _line(error: Exception) -> str:
    """The first line of an error, whose rest may be a configuration."""
    return (str(error) or repr(error)).splitlines()[0][:200]


def _initializers(model: Any) -> dict[int, Any]:
    """Of each weight, by its id: its initializer, `_KEPT` or an `_Unknown`."""
    foreign = tuple(getattr(keras.layers, name) for name in _FOREIGN if hasattr(keras.layers, name))
    found: dict[int, Any] = {}
    for layer in _layers(model):
        variables = _record.own_variables(layer)
        if isinstance(layer, keras.layers.Normalization):
            of_layer: list[Any] = [_KEPT] * len(variables)
        elif isinstance(layer, foreign):
            reason = "its layer wraps a module of another framework"
            of_layer = [_Unknown(reason)] * len(variables)
        elif getattr(layer, "quantization_mode", None) in _QUANTIZED:
            reason = "its layer is quantized: initialize before quantize()"
            of_layer = [_Unknown(reason)] * len(variables)
        else:
            of_layer = _of_layer(layer, variables)
        found.update(zip(map(id, variables), of_layer, strict=True))
    return found


def _of_layer(layer: Any, variables: list[Any]) -> list[Any]:
    """The initializers of a layer's own variables: as recorded, or of a copy of the layer."""
    recorded = [_record.recorded(variable) for variable in variables]
    if all(map(_is_initializer, recorded)):
        return recorded
    kind = type(layer).__name__
    copied: list[Any] = [None] * len(variables)
    reason = "it was made from a value, which random numbers may be in"
    try:
        replayed = _record.replay(layer)
        if replayed is None:
            reason = f"{kind} made from its configuration has other variables"
        else:
            copied = replayed
    except Exception as error:
        reason = f"{kind} cannot be made from its configuration: {_line(error)}"

    def known(seen: Any, of_copy: Any) -> Any:
        if isinstance(seen, _record.Assigned):
            return _Unknown("it was assigned to after it had been made")
        if of_copy is None and isinstance(seen, _record.Value):
            return _Unknown("it was made from a value, which random numbers may be in")
        return (seen if _is_initializer(seen) else of_copy) or _Unknown(reason)

    return [known(seen, of_copy) for seen, of_copy in zip(recorded, copied, strict=True)]


def _is_initializer(recorded: Any) -> bool:
    return callable(recorded) and not isinstance(recorded, _record.Value)


def _layers(model: Any) -> list[Any]:
    """A layer and all layers in it, each once."""
    layers = model._flatten_layers(include_self=True, recursive=True)
    return list({id(layer): layer for layer in layers}.values())


def names(model: Any) -> dict[str, Any]:
    """The weights of a layer or model by the names whose streams `init_` uses.

    A name is the path that the variable has in a process that builds nothing but this model:
    where Keras has numbered layers automatically, the numbers count from 0 in the model. So
    `dense_7/kernel` is `dense/kernel` in a model whose first `Dense` is number 7 of its process.
    Of variables with the same path the second is `path#1`, and so on.
    """
    renamed = {
        **_renumbered((layer.name, _kind(layer)) for layer in _layers(model)),
        **_renumbered((variable.name, "variable") for variable in model.weights),
    }
    named: dict[str, Any] = {}
    copies: dict[str, int] = defaultdict(int)
    for variable in model.weights:
        path = "/".join(renamed.get(part, part) for part in variable.path.split("/"))
        named[f"{path}#{copies[path]}" if copies[path] else path] = variable
        copies[path] += 1
    return named


def _renumbered(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """New names for those of the form `kind` or `kind_7`: numbered from 0, in their order."""
    numbers: dict[str, dict[int, str]] = defaultdict(dict)
    for name, kind in named:
        match = re.fullmatch(rf"({_SIDE}{kind})(?:_(\d+))?", name)
        if match:
            numbers[match[1]][int(match[2] or 0)] = name
    return {
        name: f"{kind}_{index}" if index else kind
        for kind, by_number in numbers.items()
        for index, (_, name) in enumerate(sorted(by_number.items()))
    }


# How `Bidirectional` names its layers after the one it was given.
_SIDE = "(?:forward_|backward_)?"


def _kind(layer: Any) -> str:
    """What Keras names a layer after."""
    kind: str = to_snake_case(type(layer).__name__)
    return kind
