"""Arrays of JAX from values that are made on the host: eager, traced and sharded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gpu_init
from gpu_init._boxes import fill_box

# The start and the end along each dimension.
Ends = Sequence[tuple[int, int]]
# Makes the part of a tensor between the ends.
Draw = Callable[[Ends], np.ndarray]


def array(
    init: str,
    shape: Sequence[int],
    *,
    seed: int = 0,
    name: str | int = "w",
    dtype: Any = None,
    sharding: Any = None,
    layout: str | None = "kernel_in_out",
    fans: tuple[int, int] | None = None,
) -> jax.Array:
    """An array by its seed and name: the bits that the program and every other framework have.

    `init` is an initializer as text. With a `sharding` each shard is made alone, for the devices
    of this process.

    ```python
    mesh = jax.make_mesh((4, 2), ("data", "model"))
    sharding = NamedSharding(mesh, PartitionSpec("data", "model"))
    w = gpu_init.jax.array("normal(std=0.02)", (4096, 512), seed=42, name="wte", sharding=sharding)
    ```
    """
    whole = tuple(shape)
    dtype = float_dtype(dtype)

    def draw(ends: Ends) -> np.ndarray:
        return part(init, whole, ends, dtype, seed=seed, name=name, layout=layout, fans=fans)

    return laid_out(draw, whole, resolved(sharding, tracing=False))


def part(init: str, shape: tuple[int, ...], ends: Ends, dtype: Any, **options: Any) -> np.ndarray:
    """The part of a tensor between the ends."""
    values = np.empty([stop - start for start, stop in ends], dtype)
    if values.size:
        fill_box(values.reshape(-1), init, shape, ends, **options)
    return values


def laid_out(draw: Draw, shape: tuple[int, ...], sharding: Any) -> jax.Array:
    """The array, on one device or sharded; a shard that several devices have is made once."""
    whole = [(0, size) for size in shape]
    if sharding is None:
        return jnp.asarray(draw(whole))
    made: dict[tuple[tuple[int, int], ...], np.ndarray] = {}

    def shard(index: Any) -> np.ndarray:
        ends = tuple(range_.indices(size)[:2] for range_, size in zip(index, shape, strict=True))
        if ends not in made:
            made[ends] = draw(ends)
        return made[ends]

    return jax.make_array_from_callback(shape, sharding, shard)


def traced(
    draw: Callable[[np.ndarray, Ends], np.ndarray],
    words: Any,
    shape: tuple[int, ...],
    dtype: Any,
    sharding: Any,
) -> jax.Array:
    """The same in a function that JAX traces: the host is called when the function runs.

    `draw` takes the words of the key, which are only known then.
    """
    if sharding is None:
        return _from_host(lambda words: draw(words, [(0, n) for n in shape]), shape, dtype, words)
    # Refuses sizes that the devices do not divide, as JAX does.
    local = sharding.shard_shape(shape)
    spec = (*sharding.spec, *[None] * len(shape))[: len(shape)]

    def shard(words: np.ndarray, *indices: np.ndarray) -> np.ndarray:
        starts = [int(index) * size for index, size in zip(indices, local, strict=True)]
        return draw(words, [(at, at + size) for at, size in zip(starts, local, strict=True)])

    def on_each_device(words: Any) -> Any:
        indices = [jax.lax.axis_index(axes) if axes else jnp.int32(0) for axes in spec]
        return _from_host(shard, local, dtype, words, *indices)

    in_specs = jax.sharding.PartitionSpec()  # type: ignore[no-untyped-call]
    placed = {"in_specs": in_specs, "out_specs": sharding.spec, "check_vma": False}
    array: jax.Array = jax.shard_map(on_each_device, mesh=sharding.mesh, **placed)(words)
    return array


def _from_host(
    draw: Callable[..., np.ndarray], shape: Any, dtype: Any, *arguments: Any
) -> jax.Array:
    """The array that a function of the host makes of arguments that are known when it runs."""
    made = jax.ShapeDtypeStruct(shape, dtype)  # type: ignore[no-untyped-call]

    def called(*values: Any) -> np.ndarray:
        return draw(*[np.asarray(value) for value in values])

    array: jax.Array = jax.pure_callback(called, made, *arguments, vmap_method="sequential")
    return array


def resolved(sharding: Any, tracing: bool) -> Any:
    """A sharding with a mesh, of what may be a partition spec for the mesh of the context."""
    if isinstance(sharding, jax.sharding.PartitionSpec):
        mesh = jax.sharding.get_abstract_mesh() if tracing else jax.sharding.get_mesh()
        if mesh.empty:
            raise gpu_init.InvalidArgument(
                f"out_sharding={sharding} needs a mesh: use jax.set_mesh, or pass a NamedSharding"
            )
        sharding = jax.sharding.NamedSharding(mesh, sharding)
    if not tracing and isinstance(getattr(sharding, "mesh", None), jax.sharding.AbstractMesh):
        return jax.sharding.NamedSharding(jax.sharding.get_mesh(), sharding.spec)
    return sharding


def is_tracing(*values: Any) -> bool:
    """Whether JAX is tracing: the values, or whatever is computed now."""
    return any(isinstance(value, jax.core.Tracer) for value in (*values, jnp.zeros((), jnp.int32)))


def key_words(key: Any) -> Any:
    """The 32-bit words of a key, typed or raw: two or four."""
    dtype = getattr(key, "dtype", None)
    if dtype is None:
        raise gpu_init.InvalidType(f"expected a key, as jax.random.key makes it, not {key!r}")
    words = (
        jax.random.key_data(key) if jnp.issubdtype(dtype, jax.dtypes.prng_key) else jnp.asarray(key)
    )
    if words.dtype != jnp.uint32 or words.shape not in ((2,), (4,)):
        raise gpu_init.InvalidArgument(
            f"expected one key of two or four 32-bit words, not {dtype}{list(key.shape)}: "
            "use jax.vmap over many keys"
        )
    return words


def seed_and_stream(key: Any) -> tuple[int, int]:
    """The seed and stream of a key: `jax.random.key(42)` is seed 42, stream 0.

    The first two words are the seed, the high one first. The next two, which keys of the
    implementations `rbg` and `unsafe_rbg` have, are the stream. So no two keys of one
    implementation have the same values.
    """
    return of_words(np.asarray(key_words(key)))


def of_words(words: np.ndarray) -> tuple[int, int]:
    """The seed and stream of a key's words."""
    high, low, *rest = (int(word) for word in words)
    return high << 32 | low, rest[0] << 32 | rest[1] if rest else 0


def float_dtype(dtype: Any) -> np.dtype:
    """The element type; JAX's default float for `None`."""
    return np.dtype(jnp.zeros((), dtype).dtype if dtype is not None else jnp.zeros(()).dtype)
