"""Keras' random initializers with values that depend on the seed and a name alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import keras  # type: ignore[import-untyped]
from keras import initializers as K

import gpu_init
from gpu_init.keras import _values

_register = keras.saving.register_keras_serializable(package="gpu_init")


class _Named:
    """The mixin that draws, beside a class of Keras that has the arguments."""

    name: str | None
    seed: Any
    _calls: dict[str | None, int]

    def _set_name(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise gpu_init.InvalidType(f"name must be a string or None, not {name!r}")
        if isinstance(self.seed, int) and not 0 <= self.seed < 2**64:
            raise gpu_init.InvalidArgument(f"seed must be from 0 to 2**64 - 1, not {self.seed}")
        self.name = name
        self._calls = {}

    def __call__(self, shape: Sequence[int], dtype: Any = None, layout: Any = None) -> Any:
        """Returns a tensor of the backend.

        `layout`, a `keras.distribution.TensorLayout` or a sharding of JAX, is where it lies; each
        shard is then made alone.
        """
        shape = tuple(int(size) for size in shape)
        dtype = keras.backend.standardize_dtype(dtype)
        owner, is_placeholder = _variable_being_made()
        if is_placeholder:
            return keras.ops.zeros(shape, dtype)
        scheme = _values.of_arguments(self, shape)
        stream = self._stream(None if owner is None else owner.path)
        return scheme.tensor(shape, dtype, self._seed(), stream, layout)

    def _seed(self) -> int:
        if isinstance(self.seed, int):
            return self.seed
        low, high = (int(word) for word in keras.ops.convert_to_numpy(self.seed.next()))
        return low | high << 32

    def _stream(self, path: str | None) -> str | int:
        """The name; else the variable's path, or a number, which no second call gets again."""
        if self.name is not None:
            return self.name
        call = self._calls.get(path, 0)
        self._calls[path] = call + 1
        if path is None:
            return call
        return f"{path}#{call}" if call else path

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()  # type: ignore[misc]
        return {**config, "name": self.name}


# Tells our `__call__` from that of a subclass.
_Named.__call__.draws_as_keras = True  # type: ignore[attr-defined]


def _variable_being_made() -> tuple[Any, bool]:
    """The variable that called, and whether it only wants a placeholder for inferring shapes.

    Keras tells an initializer the shape and dtype alone, also when it calls it long after the
    layer's scope has ended, so that only the callers' frames know.
    """
    frame = sys._getframe(2)
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, keras.Variable):
            return caller, frame.f_code.co_name == "value"
        frame = frame.f_back  # type: ignore[assignment]
    return None, False


def _axes(input_axes: Any, output_axes: Any) -> dict[str, Any]:
    """Passed on only if given: versions of Keras before 3.13 do not know them."""
    axes = {"input_axes": input_axes, "output_axes": output_axes}
    return {name: value for name, value in axes.items() if value is not None}


class _ByFans(_Named):
    """The constructor of those whose variance is a number over a fan."""

    def __init__(
        self,
        seed: Any = None,
        input_axes: Any = None,
        output_axes: Any = None,
        *,
        name: str | None = None,
    ) -> None:
        """Takes the arguments of Keras and a name, the stream of the values."""
        super().__init__(seed=seed, **_axes(input_axes, output_axes))  # type: ignore[call-arg]
        self._set_name(name)


class _ByDeviation(_Named):
    """The constructor of those with a mean and a standard deviation."""

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None, *, name: str | None = None
    ) -> None:
        """Takes the arguments of Keras and a name, the stream of the values."""
        super().__init__(mean, stddev, seed)  # type: ignore[call-arg]
        self._set_name(name)


@_register
class VarianceScaling(_Named, K.VarianceScaling):  # type: ignore[misc]
    """Variance scale / fan: `truncated_normal`, `untruncated_normal` or `uniform`."""

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Any = None,
        output_axes: Any = None,
        *,
        name: str | None = None,
    ) -> None:
        """Takes the arguments of Keras and a name, the stream of the values."""
        super().__init__(scale, mode, distribution, seed, **_axes(input_axes, output_axes))
        self._set_name(name)


@_register
class GlorotNormal(_ByFans, K.GlorotNormal):  # type: ignore[misc]
    """Normal, truncated at two standard deviations, of variance 2 / (fan_in + fan_out)."""


@_register
class GlorotUniform(_ByFans, K.GlorotUniform):  # type: ignore[misc]
    """Uniform, of variance 2 / (fan_in + fan_out)."""


@_register
class HeNormal(_ByFans, K.HeNormal):  # type: ignore[misc]
    """Normal, truncated at two standard deviations, of variance 2 / fan_in."""


@_register
class HeUniform(_ByFans, K.HeUniform):  # type: ignore[misc]
    """Uniform, of variance 2 / fan_in."""


@_register
class LecunNormal(_ByFans, K.LecunNormal):  # type: ignore[misc]
    """Normal, truncated at two standard deviations, of variance 1 / fan_in."""


@_register
class LecunUniform(_ByFans, K.LecunUniform):  # type: ignore[misc]
    """Uniform, of variance 1 / fan_in."""


@_register
class RandomNormal(_ByDeviation, K.RandomNormal):  # type: ignore[misc]
    """Normal."""


@_register
class TruncatedNormal(_ByDeviation, K.TruncatedNormal):  # type: ignore[misc]
    """Normal, truncated at two standard deviations."""


@_register
class RandomUniform(_Named, K.RandomUniform):  # type: ignore[misc]
    """Uniform from `minval` to `maxval`."""

    def __init__(
        self,
        minval: float = -0.05,
        maxval: float = 0.05,
        seed: Any = None,
        *,
        name: str | None = None,
    ) -> None:
        """Takes the arguments of Keras and a name, the stream of the values."""
        super().__init__(minval, maxval, seed)
        self._set_name(name)


@_register
class Orthogonal(_Named, K.Orthogonal):  # type: ignore[misc]
    """Orthonormal columns, or rows if those are fewer, times `gain`: the Haar distribution."""

    def __init__(self, gain: float = 1.0, seed: Any = None, *, name: str | None = None) -> None:
        """Takes the arguments of Keras and a name, the stream of the values."""
        super().__init__(gain, seed)
        self._set_name(name)
