"""From a Keras initializer to a tensor of the backend: as text, as an array, as a tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras  # type: ignore[import-untyped]
import numpy as np

import gpu_init
from gpu_init._dtypes import numpy_dtype

K = keras.initializers

# Keras' random initializers; all others of its own are subclasses of the first.
RANDOM = (K.VarianceScaling, K.RandomNormal, K.TruncatedNormal, K.RandomUniform, K.Orthogonal)
# Keras' "normal" is truncated; ours is not.
_DISTRIBUTIONS = {
    "truncated_normal": "truncated_normal",
    "untruncated_normal": "normal",
    "uniform": "uniform",
}


@dataclass(frozen=True)
class Scheme:
    """An initializer as text, and the fans if they are not those of Keras' layout."""

    init: str
    fans: tuple[int, int] | None = None

    def array(self, shape: Sequence[int], dtype: str, seed: int, name: str | int) -> np.ndarray:
        """The tensor of that shape on the host."""
        array = np.empty(tuple(shape), numpy_dtype(dtype, "gpu_init.keras"))
        if array.size:
            gpu_init.fill(array, self.init, seed=seed, name=name, **self._fans())
        return array

    def tensor(
        self, shape: Sequence[int], dtype: str, seed: int, name: str | int, layout: Any = None
    ) -> Any:
        """The backend's tensor of that shape; under a layout of JAX each shard is made alone."""
        if layout is not None:
            from gpu_init.jax import array

            element = numpy_dtype(dtype, "gpu_init.keras")
            sharding = getattr(layout, "backend_layout", layout)
            fans: Any = {"layout": None, **self._fans()}
            return array(
                self.init, shape, seed=seed, name=name, dtype=element, sharding=sharding, **fans
            )
        return tensor(self.array(shape, dtype, seed, name), dtype)

    def check(self, shape: Sequence[int], dtype: str) -> None:
        """Raises what filling that shape would raise."""
        if math.prod(shape):
            gpu_init.distribution(self.init, tuple(shape), dtype=dtype, **self._fans())

    def _fans(self) -> dict[str, Any]:
        return {"fans": self.fans} if self.fans else {"layout": "keras"}


def scheme(initializer: Any, shape: Sequence[int]) -> Scheme | None:
    """What an initializer of Keras or of ours does, or `None` for any other callable.

    A class that overrides `__call__` does something else.
    """
    call = type(initializer).__call__
    ours = getattr(call, "draws_as_keras", False)
    if any(isinstance(initializer, base) and (ours or call is base.__call__) for base in RANDOM):
        return of_arguments(initializer, shape)
    return None


def of_arguments(initializer: Any, shape: Sequence[int]) -> Scheme:
    """What the arguments of one of Keras' random initializers say, whatever a subclass does."""
    if isinstance(initializer, K.VarianceScaling):
        return _variance_scaling(initializer, shape)
    if isinstance(initializer, K.RandomNormal):
        return normal(initializer.mean, initializer.stddev)
    if isinstance(initializer, K.TruncatedNormal):
        return truncated_normal(initializer.mean, initializer.stddev)
    if isinstance(initializer, K.RandomUniform):
        return uniform(initializer.minval, initializer.maxval)
    return Scheme(f"orthogonal(gain={_number(initializer.gain)})")


def normal(mean: Any, std: Any) -> Scheme:
    return Scheme(f"normal(mean={_number(mean)}, std={_number(std)})")


def truncated_normal(mean: Any, std: Any) -> Scheme:
    mean, std = _number(mean), _number(std)
    return Scheme(f"truncated_normal_sigma(mean={mean}, std={std}, lower=-2, upper=2)")


def uniform(low: Any, high: Any) -> Scheme:
    return Scheme(f"uniform(a={_number(low)}, b={_number(high)})")


def constant_text(initializer: Any) -> str | None:
    """The text of an initializer of Keras without random numbers, or `None`."""
    kind = type(initializer)
    if kind is K.Zeros or kind is K.Ones:
        return "zeros" if kind is K.Zeros else "ones"
    if kind is K.Identity:
        return f"eye(gain={_number(initializer.gain)})"
    if kind is K.Constant and np.ndim(initializer.value) == 0:
        return f"constant(val={_number(initializer.value)})"
    return None


def _variance_scaling(initializer: Any, shape: Sequence[int]) -> Scheme:
    distribution = _DISTRIBUTIONS[initializer.distribution]
    options = f"scale={_number(initializer.scale)}, mode={initializer.mode}"
    init = f"variance_scaling({options}, distribution={distribution})"
    inputs = getattr(initializer, "input_axes", None)
    outputs = getattr(initializer, "output_axes", None)
    if inputs is None or outputs is None:
        return Scheme(init)
    # As in Keras, an axis of neither list counts for nothing, and a fan is at least 1.
    fan_in, fan_out = (
        max(1, math.prod(shape[axis] for axis in axes)) for axes in (inputs, outputs)
    )
    return Scheme(init, (fan_in, fan_out))


def _number(value: Any) -> float:
    """A Python number of what may be a scalar tensor."""
    return float(value if isinstance(value, (int, float)) else keras.ops.convert_to_numpy(value))


def tensor(array: np.ndarray, dtype: str) -> Any:
    """The backend's tensor of an array: the same bits, in Keras' current device."""
    if keras.backend.backend() == "torch" and (dtype == "bfloat16" or dtype.startswith("float8")):
        # Torch reads none of ml_dtypes' types.
        import torch

        held = torch.from_numpy(array.reshape(-1).view(np.uint8)).view(getattr(torch, dtype))
        return keras.ops.convert_to_tensor(held.reshape(array.shape))
    return keras.ops.convert_to_tensor(array, dtype=dtype)
