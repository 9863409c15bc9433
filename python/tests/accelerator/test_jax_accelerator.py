"""Arrays on JAX's accelerator beside those of the host, bit for bit."""

import gpu_init
import gpu_init.jax
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from gpu_init.jax import initializers
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

KEY = jax.random.key(42)
SHAPE = (130, 97)
DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def expected(init: str, dtype: str) -> np.ndarray:
    """The host's array."""
    return gpu_init.fill(np.empty(SHAPE, DTYPES[dtype]), init, seed=42, name=0, layout="jax")


def same(array: jax.Array, other: np.ndarray) -> bool:
    """Whether an array on the accelerator has these bits."""
    assert {device.platform for device in array.devices()} != {"cpu"}
    return np.asarray(array).tobytes() == other.tobytes()


def test_there_is_an_accelerator() -> None:
    assert jax.default_backend() != "cpu"


@pytest.mark.parametrize("dtype", list(DTYPES))
@pytest.mark.parametrize("name", ["he_normal", "glorot_uniform", "lecun_normal", "orthogonal"])
def test_bits(name: str, dtype: str) -> None:
    """Eagerly, in `jit`, under `vmap`, and on a mesh."""
    init = getattr(initializers, name)()
    values = expected(name, dtype)
    assert same(init(KEY, SHAPE, dtype), values)
    assert same(jax.jit(lambda key: init(key, SHAPE, dtype))(KEY), values)
    sharding = NamedSharding(jax.make_mesh((jax.device_count(),), ("model",)), P(None, "model"))
    if SHAPE[1] % jax.device_count() == 0:
        assert same(init(KEY, SHAPE, dtype, out_sharding=sharding), values)
        made = jax.jit(lambda key: init(key, SHAPE, dtype, out_sharding=sharding))(KEY)
        assert same(made, values)
    keys = jnp.stack([KEY, jax.random.key(43)])
    assert same(jax.vmap(lambda key: init(key, SHAPE, dtype))(keys)[0], values)


def test_arrays_by_name() -> None:
    array = gpu_init.jax.array("normal(std=0.02)", (5000, 3000), seed=42, name="wte")
    values = gpu_init.normal((5000, 3000), std=0.02, seed=42, name="wte")
    assert same(array, values)
