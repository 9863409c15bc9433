"""Steps between Keras' random functions and their caller, in one thread and for one block."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras  # type: ignore[import-untyped]
from keras.src import backend  # type: ignore[import-untyped]

from gpu_init.keras import _values
from gpu_init.keras.initializers import _Named

FUNCTIONS = (
    *("normal", "truncated_normal", "uniform"),
    *("randint", "categorical", "shuffle", "dropout", "gamma", "beta", "binomial"),
)
_stepping = threading.local()
lock = threading.RLock()

# What is called instead of a function: its name, the function itself and its arguments.
Step = Callable[..., Any]


@contextlib.contextmanager
def stepping_in(step: Step) -> Iterator[None]:
    """Calls `step(name, function, *arguments, **options)` instead of Keras' random functions.

    `name` is that of a function of `keras.random`, or "initializer" for the call of a random
    initializer, Keras' or ours.
    """
    with lock, contextlib.ExitStack() as stack:
        outer = getattr(_stepping, "step", None)
        for name in FUNCTIONS:
            wrap = functools.partial(_through, name)
            stack.enter_context(patched(backend.random, name, wrap))
        for kind in (*_values.RANDOM, _Named):
            wrap = functools.partial(_through, "initializer")
            stack.enter_context(patched(kind, "__call__", wrap))
        _stepping.step = step
        try:
            yield
        finally:
            _stepping.step = outer


def _through(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def function(*arguments: Any, **options: Any) -> Any:
        step = getattr(_stepping, "step", None)
        if step is None:
            return original(*arguments, **options)
        return step(name, original, *arguments, **options)

    return function


@contextlib.contextmanager
def patched(owner: Any, name: str, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Replaces an attribute in the block; afterwards `owner` has its own one again, or none."""
    own = vars(owner).get(name)
    setattr(owner, name, wrap(getattr(owner, name)))
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


class Drawn:
    """A step that draws from our streams: the n-th tensor of a variable from `name#n`."""

    def __init__(self, seed: int, name: str) -> None:
        self.seed, self.name = seed, name
        self.schemes: list[_values.Scheme] = []

    def __call__(self, function: str, original: Any, *arguments: Any, **options: Any) -> Any:
        if function == "initializer":
            initializer, shape, dtype = _initializer_call(*arguments, **options)
            scheme = _values.of_arguments(initializer, shape)
        elif function in ("normal", "truncated_normal", "uniform"):
            scheme, shape, dtype = getattr(self, f"_{function}")(*arguments, **options)
        else:
            raise NotImplementedError(f"random numbers of keras.random.{function}")
        name = f"{self.name}#{len(self.schemes)}" if self.schemes else self.name
        self.schemes.append(scheme)
        dtype = keras.backend.standardize_dtype(dtype)
        return _values.tensor(scheme.array(shape, dtype, self.seed, name), dtype)

    @staticmethod
    def _normal(
        shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
    ) -> Any:
        return _values.normal(mean, stddev), shape, dtype

    @staticmethod
    def _truncated_normal(
        shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
    ) -> Any:
        return _values.truncated_normal(mean, stddev), shape, dtype

    @staticmethod
    def _uniform(
        shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
    ) -> Any:
        return _values.uniform(minval, maxval), shape, dtype


def _initializer_call(
    initializer: Any, shape: Any, dtype: Any = None, layout: Any = None
) -> tuple[Any, Any, Any]:
    return initializer, shape, dtype
