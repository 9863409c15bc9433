"""Finds out which initializer each variable has: Keras forgets it once the variable is made.

Two ways: `record()` watches variables as they are made; `replay()` makes a layer anew, from its
configuration and without values, and looks at the variables of the copy.
"""

from __future__ import annotations

import contextlib
import inspect
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import keras  # type: ignore[import-untyped]
import numpy as np
from keras.src.backend.common import global_state  # type: ignore[import-untyped]

from gpu_init.keras._random import lock, patched, stepping_in

_watching = threading.local()
# By id, as variables do not hash. An entry goes with its variable.
_recorded: dict[int, tuple[weakref.ref[Any], Any]] = {}


class Value:
    """A variable that got a value and no initializer."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return keras.ops.cast(self.value, dtype)


class Assigned:
    """A variable that was assigned to after it had been made."""


@contextlib.contextmanager
def record() -> Iterator[None]:
    """Remembers the initializer of every variable that this thread makes in the block.

    `init_` needs it for variables of layers that cannot be made again from their configuration:
    those without `get_config`, or that make variables outside of `build`.

    ```python
    with gpu_init.keras.record():
        model = MyModel()
        model.build((None, 64))
    gpu_init.keras.init_(model, seed=42)
    ```
    """
    with _watched(_remember):
        yield


def recorded(variable: Any) -> Any:
    """What `record` has seen: an initializer, a `Value`, `Assigned`, or `None` if nothing."""
    reference, initializer = _recorded.get(id(variable), (None, None))
    return initializer if reference is not None and reference() is variable else None


def replay(layer: Any) -> list[Any] | None:
    """The initializers of a layer's own variables, in their order, or `None` if it has other ones.

    An initializer is `None` if the variable got a value that random numbers may be in.

    # Errors
    Whatever the layer's constructor and `build` raise.
    """
    numbers = random.getstate(), np.random.get_state()
    drawn: list[str] = []

    def step(function: str, original: Any, *arguments: Any, **options: Any) -> Any:
        drawn.append(function)
        return original(*arguments, **options)

    try:
        with stepping_in(step):
            first, copy = _replayed(layer)
            if not _alike(own_variables(layer), copy):
                return None
            if not any(isinstance(initializer, Value) for initializer in first):
                return first
            # A value that was computed is the same every time, or it is random.
            second, _ = _replayed(layer)
    finally:
        random.setstate(numbers[0])
        np.random.set_state(numbers[1])

    def known(a: Any, b: Any) -> Any:
        return a if not isinstance(a, Value) or (not drawn and _equal(a.value, b.value)) else None

    return [known(a, b) for a, b in zip(first, second, strict=True)]


def own_variables(layer: Any) -> list[Any]:
    """The weights of a layer without its sublayers'."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _remember(variable: Any, initializer: Any) -> None:
    identity = id(variable)

    def forget(reference: weakref.ref[Any]) -> None:
        if _recorded.get(identity, (None, None))[0] is reference:
            del _recorded[identity]

    _recorded[identity] = (weakref.ref(variable, forget), initializer)


def _replayed(layer: Any) -> tuple[list[Any], list[Any]]:
    """The initializers and the variables of a copy of the layer, which have no values."""
    seen: dict[int, Any] = {}

    def see(variable: Any, initializer: Any) -> None:
        seen[id(variable)] = initializer

    pending = global_state.get_global_attribute("uninitialized_variables")
    global_state.set_global_attribute("uninitialized_variables", [])
    try:
        with (
            keras.StatelessScope(initialize_variables=False) as scope,
            _watched(see, valueless=True),
        ):
            copy = _copied(layer)
            if layer.built and not copy.built:
                copy.build_from_config(layer.get_build_config())
    finally:
        global_state.set_global_attribute("uninitialized_variables", pending or [])
    variables = own_variables(copy)

    def initializer_of(variable: Any) -> Any:
        assigned = scope.get_current_value(variable)
        return seen.get(id(variable)) if assigned is None else Value(assigned)

    return [initializer_of(variable) for variable in variables], variables


def _copied(layer: Any) -> Any:
    """A layer of the same configuration, with the initializers themselves where it has them.

    Not every initializer can be written to a configuration and read back. A few layers, such as
    ConvLSTM's cells, need an argument that their configuration lacks; it is an attribute.
    """
    config = layer.get_config()
    live = {
        key: getattr(layer, key)
        for key in config
        if key.endswith("initializer") and hasattr(layer, key)
    }
    needed = {
        name: getattr(layer, name)
        for name, parameter in inspect.signature(type(layer).__init__).parameters.items()
        if parameter.default is inspect.Parameter.empty and name not in config and name != "self"
        if hasattr(layer, name)
    }
    try:
        return type(layer).from_config({**config, **live, **needed})
    except Exception:
        return type(layer).from_config(layer.get_config())


def _alike(variables: list[Any], others: list[Any]) -> bool:
    def traits(variable: Any) -> tuple[Any, ...]:
        return tuple(variable.shape), variable.dtype

    return [traits(v) for v in variables] == [traits(v) for v in others]


def _equal(a: Any, b: Any) -> bool:
    return bits(keras.ops.convert_to_numpy(a)) == bits(keras.ops.convert_to_numpy(b))


def bits(array: np.ndarray) -> tuple[Any, ...]:
    """An array's bits, shape and type, to compare."""
    return array.dtype, array.shape, array.tobytes()


@contextlib.contextmanager
def _watched(see: Callable[[Any, Any], None], valueless: bool = False) -> Iterator[None]:
    """Calls `see(variable, initializer)` for each variable that this thread makes in the block."""
    with lock:
        outer = getattr(_watching, "see", None)
        _watching.see = see, valueless
        try:
            with (
                patched(keras.Variable, "__init__", _init),
                patched(keras.Variable, "assign", _assign),
            ):
                yield
        finally:
            _watching.see = outer


def _init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(
        self: Any, initializer: Any, shape: Any = None, dtype: Any = None, **options: Any
    ) -> None:
        watching = getattr(_watching, "see", None)
        if watching is None:
            return original(self, initializer, shape, dtype, **options)
        see, valueless = watching
        if isinstance(initializer, str):
            initializer = keras.initializers.get(initializer)
        seen = initializer
        if not callable(initializer):
            # Without an initializer there can be no variable without a value.
            tensor = keras.ops.convert_to_tensor(initializer, dtype)
            seen = Value(tensor)
            if valueless:
                initializer, shape = seen, tensor.shape
                dtype = dtype or keras.backend.standardize_dtype(tensor.dtype)
        original(self, initializer, shape, dtype, **options)
        see(self, seen)

    return __init__


def _assign(original: Callable[..., Any]) -> Callable[..., Any]:
    def assign(self: Any, value: Any) -> Any:
        watching = getattr(_watching, "see", None)
        if watching is not None and not watching[1] and recorded(self) is not None:
            _remember(self, Assigned())
        return original(self, value)

    return assign
