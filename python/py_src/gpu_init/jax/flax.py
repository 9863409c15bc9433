"""Initializes a whole Flax model (linen) by its own initializers, its parameters' paths and a seed.

The model's `init` is traced without values, which tells the initializer, shape and path of each
parameter. Then each is called for real, with JAX's initializers replaced by ours of the same
distribution. Flax NNX keeps no initializers: pass it those of `gpu_init.jax.initializers`.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

import gpu_init
from gpu_init._unknown import UnknownInitialization
from gpu_init.jax import initializers

_lock = threading.RLock()
_tracing = threading.local()


_ADVICE = (
    'Use initializers of jax.nn or gpu_init.jax, or pass on_unknown="flax": these variables then '
    "get their own initializers' values, for a key made of the seed and the name."
)


def init(
    module: nn.Module,
    *arguments: Any,
    seed: int = 0,
    rngs: Sequence[str] = (),
    shardings: Any = None,
    on_unknown: Literal["error", "flax"] = "error",
    **options: Any,
) -> dict[str, Any]:
    """The variables that `module.init(key, *arguments, **options)` returns, with our values.

    A parameter's values depend on `seed`, its path such as `Dense_0/kernel`, and its shape alone.
    Under `nn.scan` and `nn.vmap` the copies are named `Block_0/kernel/0`, `Block_0/kernel/1`...
    Arguments may be `jax.ShapeDtypeStruct`: nothing is computed with them. `rngs` names streams
    besides `params` that the model asks for, such as `dropout`. `shardings` has the sharding of
    each variable, as in `nn.get_sharding`'s result, and each shard is made alone.

    # Errors
    `UnknownInitialization`, a `ValueError`, names variables whose initializer uses its key in a
    way of its own.
    """
    if on_unknown not in ("error", "flax"):
        raise gpu_init.InvalidArgument(f'on_unknown must be "error" or "flax", not {on_unknown!r}')
    shapes, calls = _traced(module, arguments, options, ("params", *rngs))
    laid_out = {} if shardings is None else _flat(shardings)
    made: dict[tuple[str, ...], Any] = {}
    unknown: dict[str, str] = {}
    for path, expected in _flat(shapes).items():
        name = "/".join(path[1:] if path[0] == "params" else path)
        variable = _Variable(
            name, seed, expected, nn.meta.unbox(laid_out.get(path)), on_unknown == "flax"
        )
        try:
            made[path] = variable.make(calls.get(path))
        except _Unknown as reason:
            unknown[name] = str(reason)
    if unknown:
        raise UnknownInitialization(unknown, _ADVICE)
    variables: dict[str, Any] = traverse_util.unflatten_dict(made)  # type: ignore[no-untyped-call]
    return variables


class _Unknown(Exception):
    """Why a variable's initial values are not known."""


class _Call(NamedTuple):
    """How a module initializes a variable. One of the collection `params` is given a key first."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    takes_key: bool


class _NoKey:
    """In the place of a key: nothing can be drawn with it."""

    def __repr__(self) -> str:
        return "a key of gpu_init, which only initializers of jax.nn and gpu_init.jax take"


class _Variable:
    """One variable to be made."""

    def __init__(self, name: str, seed: int, expected: Any, sharding: Any, any_key: bool) -> None:
        self.name, self.seed, self.sharding, self.any_key = name, seed, sharding, any_key
        self.box, self.expected = expected, nn.meta.unbox(expected)

    def make(self, call: _Call | None) -> Any:
        if call is None:
            raise _Unknown("no module has it as a parameter or variable")
        call = call._replace(function=_ours(call.function))
        value = self._called(call, self.name)
        shape, expected = value.shape, self.expected.shape
        axes = [
            axis for axis in range(len(expected)) if expected[:axis] + expected[axis + 1 :] == shape
        ]
        if shape != expected and axes:
            # Copies, which the model has stacked along an axis of its own.
            copies = [
                self._called(call, f"{self.name}/{index}") for index in range(expected[axes[0]])
            ]
            value = jnp.stack(copies, axes[0])
        if (value.shape, value.dtype) != (expected, self.expected.dtype):
            given, wanted = (
                f"{value.dtype}{list(value.shape)}",
                f"{self.expected.dtype}{list(expected)}",
            )
            raise _Unknown(f"its initializer gives {given}, not {wanted}")
        if self.sharding is not None:
            value = jax.device_put(value, self.sharding)
        return nn.meta.replace_boxed(self.box, value)

    def _called(self, call: _Call, name: str) -> jax.Array:
        drawn = 0

        def given(shape: tuple[int, ...]) -> tuple[int, str, Any]:
            nonlocal drawn
            stream = f"{name}#{drawn}" if drawn else name
            drawn += 1
            return self.seed, stream, self.sharding if shape == self.expected.shape else None

        keys: list[Any] = [_NoKey()] if call.takes_key else []
        try:
            with initializers.given(given):
                try:
                    value = call.function(*keys, *call.arguments, **call.options)
                except Exception:
                    if not (self.any_key and keys):
                        raise
                    drawn = 0
                    value = call.function(_key(self.seed, name), *call.arguments, **call.options)
            return jnp.asarray(nn.meta.unbox(value))
        except Exception as error:
            raise _Unknown(f"its initializer fails: {str(error).splitlines()[0]}") from error


def _key(seed: int, name: str) -> jax.Array:
    """A key of JAX for what only JAX can draw."""
    words = np.array([gpu_init.stream_of(f"{seed}/{name}")], "<u8").view(np.uint32)
    key: jax.Array = jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")
    return key


def _flat(variables: Any) -> dict[tuple[str, ...], Any]:
    flat = traverse_util.flatten_dict(dict(variables))  # type: ignore[no-untyped-call]
    return dict(flat)


def _traced(
    module: nn.Module, arguments: Any, options: Any, rngs: Sequence[str]
) -> tuple[Any, dict[tuple[str, ...], _Call]]:
    """The shapes of the variables, by JAX's abstract evaluation, and how each is initialized."""
    calls: dict[tuple[str, ...], _Call] = {}
    leaves, structure = jax.tree.flatten((arguments, options))
    is_array = [hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in leaves]

    def run(arrays: list[Any]) -> Any:
        given = iter(arrays)
        inputs = [
            next(given) if array else leaf for leaf, array in zip(leaves, is_array, strict=True)
        ]
        arguments, options = jax.tree.unflatten(structure, inputs)
        return module.init({name: jax.random.key(0) for name in rngs}, *arguments, **options)

    with _recorded(calls):
        shapes = jax.eval_shape(
            run, [leaf for leaf, array in zip(leaves, is_array, strict=True) if array]
        )
    return shapes, calls


@contextlib.contextmanager
def _recorded(calls: dict[tuple[str, ...], _Call]) -> Iterator[None]:
    """Notes how this thread's modules initialize their variables; restores the methods after."""
    with _lock:
        param, variable = nn.Module.param, nn.Module.variable

        def note(module: Any, collection: str, name: str, call: _Call) -> None:
            noted = getattr(_tracing, "calls", None)
            if noted is not None and module.scope is not None:
                noted.setdefault((collection, *module.scope.path, name), call)

        @functools.wraps(param)
        def noted_param(
            self: Any, name: str, init_fn: Any, *arguments: Any, unbox: bool = True, **options: Any
        ) -> Any:
            note(self, "params", name, _Call(init_fn, arguments, options, True))
            return param(self, name, init_fn, *arguments, unbox=unbox, **options)

        @functools.wraps(variable)
        def noted_variable(
            self: Any,
            col: str,
            name: str,
            init_fn: Any = None,
            *arguments: Any,
            unbox: bool = True,
            **options: Any,
        ) -> Any:
            if init_fn is not None:
                note(self, col, name, _Call(init_fn, arguments, options, False))
            return variable(self, col, name, init_fn, *arguments, unbox=unbox, **options)

        outer = getattr(_tracing, "calls", None)
        _tracing.calls = calls
        nn.Module.param, nn.Module.variable = noted_param, noted_variable  # type: ignore[method-assign]
        try:
            yield
        finally:
            nn.Module.param, nn.Module.variable = param, variable  # type: ignore[method-assign]
            _tracing.calls = outer


def _ours(function: Any, depth: int = 0) -> Any:
    """A function in which JAX's initializers are ours: itself, or those that it encloses.

    Layers call them by a closure of theirs (`DenseGeneral`), `nn.with_partitioning` by another.
    """
    initializer = _equivalent(function)
    if initializer is not None or depth > 4:
        return initializer or function
    if isinstance(function, functools.partial):
        arguments = [_ours(argument, depth + 1) for argument in function.args]
        return functools.partial(_ours(function.func, depth + 1), *arguments, **function.keywords)
    if isinstance(function, nn.Module):
        module = copy.copy(function)
        for name, value in vars(function).items():
            if callable(value) and not isinstance(value, nn.Module):
                object.__setattr__(module, name, _ours(value, depth + 1))
        return module
    if isinstance(function, types.FunctionType) and function.__closure__:
        try:
            cells = [
                types.CellType(_ours(cell.cell_contents, depth + 1))
                for cell in function.__closure__
            ]
        except ValueError:  # A cell without contents.
            return function
        made = types.FunctionType(
            function.__code__,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            tuple(cells),
        )
        made.__kwdefaults__ = function.__kwdefaults__
        return made
    return function


def _equivalent(function: Any) -> Any:
    """Our initializer for one that a function of `jax.nn.initializers` returned, or `None`."""
    maker, _, rest = getattr(function, "__qualname__", "").partition(".")
    ours = getattr(initializers, maker, None)
    if rest != "<locals>.init" or ours is None or maker == "constant":
        return None
    if "jax" not in function.__module__.split(".") or hasattr(function, "__wrapped__"):
        return None
    options = inspect.getclosurevars(function).nonlocals
    known = inspect.signature(ours).parameters
    arguments = {name: value for name, value in options.items() if name in known}
    dtype = inspect.signature(function).parameters["dtype"].default
    return ours(**{**arguments, "dtype": dtype})
