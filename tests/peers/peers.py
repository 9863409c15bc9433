"""The peers' ways to draw a tensor: every function here returns a function of a shape and a seed."""
import importlib.metadata
import inspect
import os
import warnings

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import flax.linen  # noqa: E402
import flax.nnx  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import keras  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402

# trunc_normal_ warns about a mean far outside of its bounds, which the comparisons include.
warnings.filterwarnings("ignore", message="mean is more than 2 std", category=UserWarning)

PACKAGES = {"PyTorch": "torch", "Keras": "keras", "JAX": "jax", "Flax": "flax", "numpy": "numpy"}


def version(peer):
    return importlib.metadata.version(PACKAGES[peer])


def pytorch(name, transposed=False, **options):
    """A function of torch.nn.init; `transposed` exchanges the first axes, for transposed convolutions."""

    def draw(shape, seed):
        torch.manual_seed(seed)
        tensor = torch.empty(shape)
        getattr(torch.nn.init, name)(tensor.transpose(0, 1) if transposed else tensor, **options)
        return tensor.numpy()

    return draw


def pytorch_layer(make, parameter="weight"):
    """A parameter of a fresh module."""

    def draw(_shape, seed):
        torch.manual_seed(seed)
        return getattr(make(), parameter).detach().numpy()

    return draw


def keras_initializer(name, **options):
    """An initializer of keras.initializers."""
    kind = getattr(keras.initializers, name)
    random = "seed" in inspect.signature(kind).parameters

    def draw(shape, seed):
        initializer = kind(**options, seed=seed) if random else kind(**options)
        return numpy.array(initializer(shape, dtype="float32"))

    return draw


def keras_layer(make, inputs, variable="kernel"):
    """A variable of a fresh layer."""

    def draw(_shape, seed):
        keras.utils.set_random_seed(seed)
        layer = make()
        layer.build(inputs)
        return numpy.array(getattr(layer, variable))

    return draw


def jax_initializer(initializer):
    """An initializer that a function of jax.nn.initializers returned."""

    def draw(shape, seed):
        return numpy.array(initializer(jax.random.key(seed), shape, jnp.float32))

    return draw


def flax_layer(module, inputs, parameter="kernel", dtype=jnp.float32):
    """A parameter of a flax.linen module."""

    def draw(_shape, seed):
        variables = module.init(jax.random.key(seed), jnp.zeros(inputs, dtype))
        return numpy.array(variables["params"][parameter])

    return draw


def flax_nnx_layer(make):
    """The kernel of a fresh flax.nnx module."""

    def draw(_shape, seed):
        return numpy.array(make(flax.nnx.Rngs(seed)).kernel)

    return draw
