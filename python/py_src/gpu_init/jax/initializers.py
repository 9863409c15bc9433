"""`jax.nn.initializers` with the same names, arguments and distributions, and our values.

An initializer is called with a key, as in JAX: `gpu_init.jax.seed_and_stream` tells the seed that
the key stands for.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import constant, ones, zeros

import gpu_init
from gpu_init.jax import _arrays

__all__ = [
    "Initializer",
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

Axes = int | Sequence[int]


@dataclass(frozen=True)
class _FanAxes:
    """Which axes JAX counts as inputs, outputs and batch."""

    input: tuple[int, ...]
    output: tuple[int, ...]
    batch: tuple[int, ...]

    def fans(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """The inputs and the outputs of an array, times its kernel's size."""
        if self.input == (-2,) and len(shape) < 2:
            raise gpu_init.InvalidArgument(
                f"no fans for shape {shape}: it needs two dimensions, or an in_axis that it has"
            )

        def size(axes: tuple[int, ...]) -> int:
            return math.prod([shape[axis] for axis in axes])

        # Each is the size of all axes but the other's and the batch's. In Flax's embeddings the
        # input axis is the output axis, too, and this is what JAX's arithmetic comes to.
        count, batch = math.prod(shape), size(self.batch)
        fan_in, rest_in = divmod(count, size(self.output) * batch)
        fan_out, rest_out = divmod(count, size(self.input) * batch)
        if rest_in or rest_out:
            raise gpu_init.InvalidArgument(f"no whole fans for shape {shape} with {self}")
        return fan_in, fan_out


@dataclass(frozen=True)
class Initializer:
    """What the functions of this module return: `(key, shape, dtype=None, out_sharding=None)`.

    It works eagerly, in `jax.jit` (the host is called when the compiled function runs), under
    `jax.vmap`, and wherever Flax takes an initializer. With an `out_sharding` each shard is made
    alone. Equal initializers are equal and hash alike, so that they may be static arguments.
    """

    init: str
    dtype: Any = None
    axes: _FanAxes | None = None
    column_axis: int = -1
    check: Callable[[tuple[int, ...]], None] | None = field(default=None, repr=False)

    def __call__(
        self, key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None
    ) -> jax.Array:
        """Returns the array of a key, on the default device or sharded."""
        shape = tuple(int(size) for size in shape)
        if self.check is not None:
            self.check(shape)
        element = _arrays.float_dtype(self.dtype if dtype is None else dtype)
        if not jnp.issubdtype(element, jnp.floating):
            raise gpu_init.InvalidArgument(
                f"{self.init} has no values of type {element}, only of floats that are real"
            )
        draw = self._draw(shape, element)
        given = getattr(_given, "given", None)
        if given is not None:
            seed, name, sharding = given(shape)
            return _arrays.laid_out(lambda ends: draw(seed, name, ends), shape, sharding)
        tracing = _arrays.is_tracing(key)
        words = _arrays.key_words(key)
        sharding = _arrays.resolved(out_sharding, tracing)
        if tracing:

            def draw_by_words(words: np.ndarray, ends: Any) -> np.ndarray:
                return draw(*_arrays.of_words(words), ends)

            return _arrays.traced(draw_by_words, words, shape, element, sharding)
        seed, stream = _arrays.of_words(np.asarray(words))
        return _arrays.laid_out(lambda ends: draw(seed, stream, ends), shape, sharding)

    def _draw(
        self, shape: tuple[int, ...], dtype: np.dtype
    ) -> Callable[[int, str | int, Any], np.ndarray]:
        fans: dict[str, Any] = {"layout": "kernel_in_out"}
        if self.axes is not None and 0 not in shape:
            fans = {"fans": self.axes.fans(shape)}
        # The columns are the last axis of what is filled.
        order = list(range(len(shape)))
        order.append(order.pop(self.column_axis)) if order else None
        filled = tuple(shape[axis] for axis in order)

        def draw(seed: int, name: str | int, ends: Any) -> np.ndarray:
            moved = [ends[axis] for axis in order]
            values = _arrays.part(self.init, filled, moved, dtype, seed=seed, name=name, **fans)
            return values if order == sorted(order) else np.moveaxis(values, -1, self.column_axis)

        return draw


_given = threading.local()


@contextlib.contextmanager
def given(
    seed_name_and_sharding: Callable[[tuple[int, ...]], tuple[int, str | int, Any]],
) -> Iterator[None]:
    """In the block the initializers of this thread take that instead of their key's seed."""
    outer = getattr(_given, "given", None)
    _given.given = seed_name_and_sharding
    try:
        yield
    finally:
        _given.given = outer


def variance_scaling(
    scale: float,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"],
    distribution: Literal["truncated_normal", "normal", "uniform"],
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = None,
) -> Initializer:
    """Variance scale / fan."""
    if mode not in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg"):
        raise gpu_init.InvalidArgument(
            f"mode must be fan_in, fan_out, fan_avg or fan_geo_avg, not {mode!r}"
        )
    if distribution not in ("truncated_normal", "normal", "uniform"):
        raise gpu_init.InvalidArgument(
            f"distribution must be truncated_normal, normal or uniform, not {distribution!r}"
        )
    init = f"variance_scaling(scale={float(scale)}, mode={mode}, distribution={distribution})"
    return Initializer(init, dtype, _FanAxes(_tuple(in_axis), _tuple(out_axis), _tuple(batch_axis)))


def _tuple(axes: Axes) -> tuple[int, ...]:
    return (axes,) if isinstance(axes, int) else tuple(axes)


def glorot_uniform(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Uniform, of variance 2 / (fan_in + fan_out)."""
    return variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)


def glorot_normal(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Normal, truncated at two standard deviations, of variance 2 / (fan_in + fan_out)."""
    return variance_scaling(
        1.0, "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis, dtype
    )


xavier_uniform = glorot_uniform
xavier_normal = glorot_normal


def lecun_uniform(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Uniform, of variance 1 / fan_in."""
    return variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def lecun_normal(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Normal, truncated at two standard deviations, of variance 1 / fan_in."""
    return variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def he_uniform(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Uniform, of variance 2 / fan_in."""
    return variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def he_normal(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Normal, truncated at two standard deviations, of variance 2 / fan_in."""
    return variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


kaiming_uniform = he_uniform
kaiming_normal = he_normal


def uniform(scale: float = 1e-2, dtype: Any = None) -> Initializer:
    """Uniform between 0 and `scale`."""
    low, high = sorted((0.0, float(scale)))
    return Initializer(f"uniform(a={low}, b={high})", dtype)


def normal(stddev: float = 1e-2, dtype: Any = None) -> Initializer:
    """Normal of mean 0."""
    return Initializer(f"normal(mean=0, std={float(stddev)})", dtype)


def truncated_normal(
    stddev: float = 1e-2, dtype: Any = None, lower: float = -2.0, upper: float = 2.0
) -> Initializer:
    """Normal of mean 0, truncated at `lower` and `upper` standard deviations."""
    bounds = f"lower={float(lower)}, upper={float(upper)}"
    return Initializer(f"truncated_normal_sigma(mean=0, std={float(stddev)}, {bounds})", dtype)


def orthogonal(scale: float = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Orthonormal columns, or rows if those are fewer, times `scale`: the Haar distribution.

    The columns are `column_axis`; all other axes together are the rows.
    """
    return Initializer(f"orthogonal(gain={float(scale)})", dtype, None, column_axis, _matrix)


def _matrix(shape: tuple[int, ...]) -> None:
    if len(shape) < 2:
        raise gpu_init.InvalidArgument(
            f"an orthogonal matrix needs two dimensions or more, not shape {shape}"
        )


def delta_orthogonal(scale: float = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """An orthogonal matrix, times `scale`, at the centre of a kernel that is zero elsewhere.

    `column_axis` makes no difference to the distribution of a matrix with more columns than rows,
    and others are refused.
    """
    if column_axis not in (-2, -1, 0, 1):
        raise gpu_init.InvalidArgument(
            f"column_axis must be an axis of the kernel's matrices, not {column_axis}"
        )
    return Initializer(f"delta_orthogonal(gain={float(scale)})", dtype, None, -1, _kernel)


def _kernel(shape: tuple[int, ...]) -> None:
    if len(shape) not in (3, 4, 5):
        raise gpu_init.InvalidArgument(
            f"a delta orthogonal kernel has 3, 4 or 5 dimensions, not shape {shape}"
        )
    if shape[-1] < shape[-2]:
        raise gpu_init.InvalidArgument(
            f"a delta orthogonal kernel has no more inputs than outputs, not shape {shape}"
        )
