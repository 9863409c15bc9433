"""Flax: our initializers in its modules, and whole linen models by their parameters' paths."""

import flax.linen as nn
import gpu_init
import gpu_init.jax.flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx, traverse_util
from gpu_init.jax import initializers as ours
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

init = gpu_init.jax.flax.init
UnknownInitialization = gpu_init.jax.flax.UnknownInitialization


def flat(variables):
    return traverse_util.flatten_dict(nn.meta.unbox(variables), sep="/")


def filled(text, shape, seed, name, **options):
    return gpu_init.fill(
        np.empty(shape, np.float32), text, seed=seed, name=name, **(options or {"layout": "jax"})
    )


def same(array, expected):
    assert array.shape == expected.shape
    assert np.asarray(array).tobytes() == expected.tobytes()


# Our initializers in modules.


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_linen_takes_them(wrap):
    seeds = []

    def kernel_init(key, shape, dtype):
        seeds.append(key)
        return ours.he_normal()(key, shape, dtype)

    module = nn.Dense(16, kernel_init=ours.he_normal(), bias_init=ours.normal(0.1))
    drawn = flat(wrap(module.init)(jax.random.key(1), VECTOR))
    nn.Dense(16, kernel_init=kernel_init).init(jax.random.key(1), VECTOR)
    seed, stream = gpu_init.jax.seed_and_stream(seeds[0])
    same(drawn["params/kernel"], filled("he_normal", (24, 16), seed, stream))


@pytest.mark.parametrize("wrap", [lambda f: f, nnx.jit], ids=["eager", "jit"])
def test_nnx_takes_them(wrap):
    def model():
        rngs = nnx.Rngs(1)
        return nnx.Sequential(
            nnx.Linear(8, 16, kernel_init=ours.he_normal(), rngs=rngs),
            nnx.Conv(16, 4, (3,), kernel_init=ours.lecun_normal(), rngs=rngs),
            nnx.MultiHeadAttention(2, 4, kernel_init=ours.glorot_uniform(), rngs=rngs),
        )

    made = nnx.state(wrap(model)(), nnx.Param)
    for leaf, again in zip(
        jax.tree.leaves(made), jax.tree.leaves(nnx.state(model(), nnx.Param)), strict=True
    ):
        same(leaf, np.asarray(again))
    seed, stream = gpu_init.jax.seed_and_stream(nnx.Rngs(1).params())
    same(made["layers"][0]["kernel"][...], filled("he_normal", (8, 16), seed, stream))


def test_nnx_with_a_sharding():
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    with jax.set_mesh(mesh):
        linear = nnx.Linear(
            8, 16, kernel_init=nnx.with_partitioning(ours.he_normal(), ("x", "y")), rngs=nnx.Rngs(1)
        )
    seed, stream = gpu_init.jax.seed_and_stream(nnx.Rngs(1).params())
    same(linear.kernel[...], filled("he_normal", (8, 16), seed, stream))


def test_nnx_vmapped_modules_differ():
    @nnx.split_rngs(splits=3)
    @nnx.vmap
    def layers(rngs):
        return nnx.Linear(8, 8, kernel_init=ours.he_normal(), rngs=rngs)

    kernels = np.asarray(layers(nnx.Rngs(1)).kernel[...])
    assert kernels.shape == (3, 8, 8) and len({kernel.tobytes() for kernel in kernels}) == 3


# Whole linen models.

IMAGE = jnp.ones((1, 8, 8, 16))
VECTOR = jnp.ones((1, 24))
TOKENS = jnp.zeros((1, 4), jnp.int32)
SEQUENCE = jnp.ones((1, 5, 24))


class Cell(nn.Module):
    """A cell over a sequence."""

    cell: nn.Module

    @nn.compact
    def __call__(self, x):
        return nn.RNN(self.cell)(x)


class Block(nn.Module):
    """A layer to scan over."""

    @nn.compact
    def __call__(self, x, _):
        return x + nn.Dense(24, bias_init=nn.initializers.normal(0.1))(x), None


class Scanned(nn.Module):
    """Stacked blocks."""

    axis: int = 0

    @nn.compact
    def __call__(self, x):
        blocks = nn.scan(
            Block, variable_axes={"params": self.axis}, split_rngs={"params": True}, length=20
        )
        return blocks(name="blocks")(x, None)[0]


class Mapped(nn.Module):
    """Experts."""

    @nn.compact
    def __call__(self, x):
        experts = nn.vmap(
            nn.Dense,
            in_axes=None,
            axis_size=8,
            variable_axes={"params": 0},
            split_rngs={"params": True},
        )
        return experts(16, name="experts")(x)


CASES = {
    "Dense": (lambda: nn.Dense(48), VECTOR),
    "Dense, all of jax.nn": (
        lambda: nn.Sequential(
            [
                nn.Dense(48, kernel_init=make())
                for make in (
                    nn.initializers.he_normal,
                    nn.initializers.glorot_uniform,
                    lambda: nn.initializers.normal(0.3),
                    lambda: nn.initializers.uniform(0.3),
                    lambda: nn.initializers.truncated_normal(0.3, lower=-1, upper=3),
                    nn.initializers.orthogonal,
                    lambda: nn.initializers.variance_scaling(0.5, "fan_geo_avg", "normal"),
                    lambda: nn.initializers.constant(0.3),
                    nn.initializers.ones_init,
                )
            ]
        ),
        VECTOR,
    ),
    "DenseGeneral": (lambda: nn.DenseGeneral((4, 12), axis=(-2, -1)), SEQUENCE),
    "DenseGeneral, batch": (
        lambda: nn.DenseGeneral(12, axis=-1, batch_dims=(0,)),
        jnp.ones((5, 2, 24)),
    ),
    "Einsum": (lambda: nn.Einsum((24, 4, 12), "abc,cde->abde"), SEQUENCE),
    "Embed": (lambda: nn.Embed(100, 16), TOKENS),
    "Conv": (lambda: nn.Conv(16, (3, 3)), IMAGE),
    "Conv, groups": (lambda: nn.Conv(32, (3, 3), feature_group_count=4), IMAGE),
    "Conv, delta": (
        lambda: nn.Conv(32, (3, 3), kernel_init=nn.initializers.delta_orthogonal()),
        IMAGE,
    ),
    "ConvTranspose": (lambda: nn.ConvTranspose(16, (3, 3)), IMAGE),
    "ConvLocal": (lambda: nn.ConvLocal(4, (3, 3)), IMAGE),
    "MultiHeadDotProductAttention": (
        lambda: nn.MultiHeadDotProductAttention(4, qkv_features=32),
        SEQUENCE,
    ),
    "LSTMCell": (lambda: Cell(nn.LSTMCell(24)), SEQUENCE),
    "OptimizedLSTMCell": (lambda: Cell(nn.OptimizedLSTMCell(24)), SEQUENCE),
    "GRUCell": (lambda: Cell(nn.GRUCell(24)), SEQUENCE),
    "SimpleCell": (lambda: Cell(nn.SimpleCell(24)), SEQUENCE),
    "ConvLSTMCell": (lambda: Cell(nn.ConvLSTMCell(8, (3, 3))), jnp.ones((1, 3, 8, 8, 4))),
    "LayerNorm": (nn.LayerNorm, VECTOR),
    "RMSNorm": (nn.RMSNorm, VECTOR),
    "GroupNorm": (lambda: nn.GroupNorm(4), VECTOR),
    "InstanceNorm": (nn.InstanceNorm, IMAGE),
    "BatchNorm": (lambda: nn.BatchNorm(use_running_average=False), VECTOR),
    "WeightNorm": (lambda: nn.WeightNorm(nn.Dense(48)), VECTOR),
    "PReLU": (nn.PReLU, VECTOR),
    "scan": (Scanned, VECTOR),
    "scan along the last axis": (lambda: Scanned(1), VECTOR),
    "vmap": (Mapped, VECTOR),
    "remat": (lambda: nn.remat(nn.Dense)(48), VECTOR),
    "partitioned": (
        lambda: nn.Dense(
            48, kernel_init=nn.with_partitioning(nn.initializers.lecun_normal(), ("x", "y"))
        ),
        VECTOR,
    ),
    "logically partitioned": (
        lambda: nn.DenseGeneral(
            (4, 12),
            kernel_init=nn.with_logical_partitioning(nn.initializers.lecun_normal(), ("x", "y")),
        ),
        SEQUENCE,
    ),
}


def distance(mine, theirs):
    both = np.sort(np.concatenate([mine, theirs]))
    steps = [
        np.searchsorted(np.sort(sample), both, side="right") / sample.size
        for sample in (mine, theirs)
    ]
    return np.abs(steps[0] - steps[1]).max() * np.sqrt(
        mine.size * theirs.size / (mine.size + theirs.size)
    )


@pytest.mark.parametrize("name", CASES)
def test_a_module_gets_what_flax_gives_it(name):
    make, inputs = CASES[name]
    module = make()
    # These keys compile ten times as fast on the CPU as JAX's default ones.
    keys = [jax.random.key(seed, impl="unsafe_rbg") for seed in (1, 2)]
    drawn_by_flax = jax.jit(module.init)
    theirs = [drawn_by_flax(key, inputs) for key in keys]
    mine = init(module, jax.ShapeDtypeStruct(inputs.shape, inputs.dtype), seed=1)
    assert jax.tree.structure(mine) == jax.tree.structure(theirs[0])
    first, second = flat(theirs[0]), flat(theirs[1])
    again, other = (flat(init(module, inputs, seed=seed)) for seed in (1, 2))
    for path, value in flat(mine).items():
        assert (value.shape, value.dtype) == (first[path].shape, first[path].dtype)
        same(value, np.asarray(again[path]))
        fixed = np.asarray(first[path] == second[path])
        np.testing.assert_array_equal(np.asarray(value)[fixed], np.asarray(first[path])[fixed])
        drawn = np.asarray(value)[~fixed]
        if drawn.size:
            assert drawn.size >= 400 and len(np.unique(drawn)) > 0.99 * drawn.size
            pooled = np.concatenate([np.asarray(each[path])[~fixed] for each in (first, second)])
            assert distance(drawn, pooled) < 2.7
            assert np.asarray(other[path]).tobytes() != np.asarray(value).tobytes()


def test_a_parameter_has_the_values_of_its_path():
    variables = flat(init(nn.Sequential([nn.Dense(16), nn.Dense(4)]), VECTOR, seed=5))
    same(
        variables["params/layers_0/kernel"], filled("lecun_normal", (24, 16), 5, "layers_0/kernel")
    )
    same(variables["params/layers_1/kernel"], filled("lecun_normal", (16, 4), 5, "layers_1/kernel"))
    embedding = flat(init(nn.Embed(100, 16), TOKENS, seed=5))["params/embedding"]
    text = "variance_scaling(scale=1, mode=fan_in, distribution=normal)"
    same(embedding, filled(text, (100, 16), 5, "embedding", fans=(16, 100)))


def test_copies_are_numbered():
    for axis in (0, 1):
        kernel = flat(init(Scanned(axis), VECTOR, seed=5))["params/blocks/Dense_0/kernel"]
        third = np.take(np.asarray(kernel), 3, axis=axis)
        same(third, filled("lecun_normal", (24, 24), 5, "blocks/Dense_0/kernel/3"))


class Mixed(nn.Module):
    """Parameters of every kind that users write."""

    odd: bool = False

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dropout(0.5, deterministic=not train)(x)
        scale = self.param("scale", lambda key, shape: jnp.full(shape, 2.0), (24,))
        given = self.param("given", ours.normal(0.2), (24, 40))
        steps = self.variable("state", "steps", lambda: jnp.zeros((), jnp.int32))
        if self.odd:
            odd = self.param("odd", lambda key, shape: jax.random.gamma(key, 2.0, shape), (24,))
            x = x * odd
        return (x * scale) @ given + steps.value


def test_parameters_of_users():
    variables = flat(init(Mixed(), VECTOR, train=True, rngs=["dropout"], seed=5))
    assert list(variables) == ["params/given", "params/scale", "state/steps"]
    same(variables["params/given"], filled("normal(std=0.2)", (24, 40), 5, "given"))
    np.testing.assert_array_equal(variables["params/scale"], 2)
    assert variables["state/steps"].dtype == jnp.int32


def test_what_cannot_be_known_is_an_error_with_names():
    with pytest.raises(UnknownInitialization, match="odd: its initializer fails") as caught:
        init(Mixed(odd=True), VECTOR, seed=5)
    assert list(caught.value.names) == ["odd"]
    made = [flat(init(Mixed(odd=True), VECTOR, seed=seed, on_unknown="flax")) for seed in (5, 5, 6)]
    odd = [np.asarray(variables["params/odd"]).tobytes() for variables in made]
    assert odd[0] == odd[1] != odd[2]
    same(made[0]["params/given"], filled("normal(std=0.2)", (24, 40), 5, "given"))
    with pytest.raises(ValueError, match="on_unknown"):
        init(Mixed(), VECTOR, on_unknown="keep")


def test_flax_is_as_before():
    methods = nn.Module.param, nn.Module.variable
    module = nn.Dense(4)
    kernel_init = module.kernel_init
    init(module, VECTOR)
    with pytest.raises(UnknownInitialization):
        init(Mixed(odd=True), VECTOR)
    with pytest.raises(Exception, match="shape"):
        init(nn.Sequential([nn.Dense(4), lambda x: x @ jnp.ones((5, 5))]), VECTOR)
    assert (nn.Module.param, nn.Module.variable) == methods
    assert module.kernel_init is kernel_init


def test_no_memory_is_needed_to_find_out():
    class Large(nn.Module):
        @nn.compact
        def __call__(self, x):
            table = self.param(
                "table", lambda key, shape: jax.random.gamma(key, 2.0, shape), (10**7, 10**6)
            )
            return x + table[0]

    with pytest.raises(UnknownInitialization, match="table"):
        init(Large(), jax.ShapeDtypeStruct((1, 10**6), jnp.float32))


def test_shards_are_made_alone(monkeypatch):
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    module = nn.Dense(
        32, kernel_init=nn.with_partitioning(nn.initializers.lecun_normal(), ("x", "y"))
    )
    abstract = jax.eval_shape(module.init, jax.random.key(0), VECTOR)
    shardings = nn.get_sharding(abstract, mesh)
    expected = init(module, VECTOR, seed=5)
    sizes = []
    fill = gpu_init.fill

    def watched(array, *arguments, **options):
        sizes.append(array.size)
        return fill(array, *arguments, **options)

    monkeypatch.setattr(gpu_init, "fill", watched)
    made = init(module, VECTOR, seed=5, shardings=shardings)
    assert jax.tree.structure(made) == jax.tree.structure(expected)
    assert sizes == [6 * 16] * 8
    kernel = made["params"]["kernel"].unbox()
    assert kernel.sharding == NamedSharding(mesh, P("x", "y"))
    same(kernel, np.asarray(expected["params"]["kernel"].unbox()))


def test_a_model_by_init_runs():
    module = nn.Sequential([nn.Dense(16), nn.relu, nn.Dense(4)])
    variables = init(module, VECTOR, seed=5)
    assert module.apply(variables, VECTOR).shape == (1, 4)
