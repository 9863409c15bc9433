"""JAX arrays and Flax parameters whose values depend on a seed and a name alone.

`gpu_init.jax.initializers` has drop-in replacements of `jax.nn.initializers`; `array` makes an
array, sharded or not, by name; `gpu_init.jax.flax` initializes a whole model. See docs/jax.md.
"""

from gpu_init._errors import MissingPackage

try:
    import jax  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "jax":  # A package that jax needs.
        raise
    raise MissingPackage('gpu_init.jax needs jax: pip install "gpu-init[jax]"') from error

from gpu_init.jax import initializers
from gpu_init.jax._arrays import array, seed_and_stream

__all__ = ["array", "initializers", "seed_and_stream"]
