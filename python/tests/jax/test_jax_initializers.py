"""The initializers of gpu_init.jax: JAX's arguments, our bits, wherever JAX runs them."""

import inspect
import subprocess
import sys

import gpu_init
import gpu_init.jax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gpu_init.jax import initializers as ours
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

theirs = jax.nn.initializers

# What each function with these arguments is as text for `gpu_init.fill`.
CASES = {
    "glorot_normal": ((), "glorot_normal"),
    "glorot_uniform": ((), "glorot_uniform"),
    "he_normal": ((), "he_normal"),
    "he_uniform": ((), "he_uniform"),
    "kaiming_normal": ((), "he_normal"),
    "kaiming_uniform": ((), "he_uniform"),
    "lecun_normal": ((), "lecun_normal"),
    "lecun_uniform": ((), "lecun_uniform"),
    "normal": ((0.3,), "normal(std=0.3)"),
    "orthogonal": ((0.5,), "orthogonal(gain=0.5)"),
    "truncated_normal": (
        (0.3, None, -1.0, 3.0),
        "truncated_normal_sigma(std=0.3, lower=-1, upper=3)",
    ),
    "uniform": ((0.3,), "uniform(a=0, b=0.3)"),
    "variance_scaling": (
        (0.7, "fan_geo_avg", "normal"),
        "variance_scaling(scale=0.7, mode=fan_geo_avg, distribution=normal)",
    ),
    "xavier_normal": ((), "glorot_normal"),
    "xavier_uniform": ((), "glorot_uniform"),
}
# The shapes that orthogonal matrices of JAX and deltas have.
SHAPES = [(48, 32), (3, 3, 8, 16)]
DELTAS = [(3, 8, 12), (3, 2, 8, 8), (2, 3, 4, 8, 12)]
DETERMINISTIC = ["constant", "ones", "zeros"]


def filled(init, shape, seed, stream=0, dtype="float32", **fans):
    return gpu_init.fill(
        np.empty(shape, dtype), init, seed=seed, name=stream, **(fans or {"layout": "jax"})
    )


def same(array, expected):
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    assert np.asarray(array).tobytes() == expected.tobytes()


def key_of(seed):
    return jax.random.key(seed)


def test_every_initializer_of_jax_is_there():
    public = {
        name
        for name in vars(theirs)
        if name[0] != "_" and name not in ("Initializer", "annotations")
    }
    assert public == {*CASES, *DETERMINISTIC, "delta_orthogonal"}
    assert public <= set(ours.__all__)
    for name in DETERMINISTIC:
        assert getattr(ours, name) is getattr(theirs, name)


@pytest.mark.parametrize("name", [*CASES, "delta_orthogonal"])
def test_arguments_are_those_of_jax(name):
    def parameters(module):
        found = inspect.signature(getattr(module, name)).parameters.values()
        return [(parameter.name, parameter.default) for parameter in found]

    assert parameters(ours) == parameters(theirs)
    arguments = CASES.get(name, ((), ""))[0]
    call = inspect.signature(getattr(ours, name)(*arguments)).parameters
    assert list(call) == ["key", "shape", "dtype", "out_sharding"]
    assert isinstance(getattr(ours, name)(*arguments), theirs.Initializer)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_the_bits_are_those_of_every_framework(name, shape):
    arguments, text = CASES[name]
    same(getattr(ours, name)(*arguments)(key_of(42), shape), filled(text, shape, 42))


@pytest.mark.parametrize("shape", DELTAS, ids=str)
def test_delta_orthogonal(shape):
    initializer = ours.delta_orthogonal(2.0)
    made = initializer(key_of(42), shape)
    same(made, filled("delta_orthogonal(gain=2)", shape, 42))
    zeros = np.asarray(theirs.delta_orthogonal(2.0)(key_of(1), shape)) == 0
    np.testing.assert_array_equal(np.asarray(made) == 0, zeros)
    for refused in [(8, 8), (3, 12, 8), (1, 1, 1, 1, 8, 8)]:
        with pytest.raises(ValueError, match="delta orthogonal"):
            initializer(key_of(1), refused)


# Axes beside JAX's own spread: in, out and batch, and Flax's embeddings, whose axes overlap.
AXES = [
    ((8, 40, 50), {"in_axis": 1, "out_axis": 2, "batch_axis": 0}),
    ((20, 4, 50), {"in_axis": (0, 1), "out_axis": -1}),
    ((50, 20, 4), {"in_axis": 0, "out_axis": (-2, -1)}),
    ((60, 80), {"in_axis": -1, "out_axis": -2}),
    ((100, 40), {"out_axis": 0}),
    ((4000,), {"in_axis": 0, "out_axis": ()}),
]


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"])
@pytest.mark.parametrize(("shape", "axes"), AXES, ids=str)
def test_axes_count_as_jax_counts_them(shape, axes, mode):
    spread, bound = [], []
    for module in (ours, theirs):
        made = np.asarray(module.variance_scaling(2.0, mode, "uniform", **axes)(key_of(1), shape))
        bound.append(np.abs(made).max())
        spread.append(made.std())
    assert abs(spread[0] / spread[1] - 1) < 0.04
    assert abs(bound[0] / bound[1] - 1) < 0.01


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_columns_of_orthogonal_matrices(axis):
    made = np.asarray(ours.orthogonal(2.0, axis)(key_of(3), (8, 4, 3)))
    matrix = np.moveaxis(made, axis, -1).reshape(-1, made.shape[axis])
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_orthogonal_matrices_have_two_dimensions():
    with pytest.raises(ValueError, match="two dimensions"):
        ours.orthogonal()(key_of(1), (8,))


def test_types():
    initializer = ours.normal(0.5)
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float8_e5m2):
        expected = filled("normal(std=0.5)", (64, 32), 42).astype(dtype)
        same(initializer(key_of(42), (64, 32), dtype), expected)
        same(ours.normal(0.5, dtype)(key_of(42), (64, 32)), expected)
    assert initializer(key_of(42), (2, 2)).dtype == jnp.float32
    with jax.enable_x64(True):
        made = initializer(key_of(42), (64, 32))
        same(made, filled("normal(std=0.5)", (64, 32), 42).astype(np.float64))
    for dtype in (jnp.int32, jnp.complex64):
        with pytest.raises(ValueError, match=np.dtype(dtype).name):
            initializer(key_of(42), (2, 2), dtype)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3)], ids=str)
def test_empty_arrays(shape):
    assert ours.normal()(key_of(1), shape).shape == shape
    if len(shape) == 2:
        assert ours.he_normal()(key_of(1), shape).shape == shape


# Keys.


def test_a_key_is_a_seed():
    seed = 2**63 + 5
    assert gpu_init.jax.seed_and_stream(key_of(42)) == (42, 0)
    assert gpu_init.jax.seed_and_stream(jax.random.PRNGKey(42)) == (42, 0)
    words = jnp.array([seed >> 32, seed % 2**32], jnp.uint32)
    assert gpu_init.jax.seed_and_stream(words) == (seed, 0)
    assert gpu_init.jax.seed_and_stream(jax.random.key(42, impl="rbg")) == (42, 42)
    four = jnp.array([1, 2, 3, 4], jnp.uint32)
    assert gpu_init.jax.seed_and_stream(four) == (2**32 + 2, 3 * 2**32 + 4)


def test_typed_and_raw_keys_are_the_same():
    initializer = ours.he_normal()
    same(initializer(key_of(7), (4, 4)), np.asarray(initializer(jax.random.PRNGKey(7), (4, 4))))


def test_other_keys_give_other_values():
    initializer = ours.he_normal()
    keys = [*jax.random.split(key_of(7), 5), jax.random.fold_in(key_of(7), 100), key_of(7)]
    keys += [jax.random.key(7, impl="rbg"), jax.random.key(7, impl="unsafe_rbg")]
    made = {np.asarray(initializer(key, (4, 4))).tobytes() for key in keys}
    # Keys of rbg and unsafe_rbg from one seed are the same words.
    assert len(made) == len(keys) - 1


def test_what_is_no_key_is_refused():
    initializer = ours.he_normal()
    for key in (
        jax.random.split(key_of(7), 3),
        jnp.zeros(3, jnp.uint32),
        jnp.zeros(2, jnp.int32),
        7,
        None,
    ):
        with pytest.raises((ValueError, TypeError), match="key"):
            initializer(key, (4, 4))


# Traced.


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey], ids=["typed", "raw"])
def test_in_jit(make):
    initializer = ours.he_normal()
    expected = np.asarray(initializer(key_of(7), (64, 32)))
    same(jax.jit(initializer, static_argnums=(1, 2))(make(7), (64, 32), jnp.float32), expected)
    # The key closed over, and made inside.
    key = make(7)
    same(jax.jit(lambda: initializer(key, (64, 32)))(), expected)
    same(jax.jit(lambda seed: initializer(make(seed), (64, 32)))(7), expected)
    half = jax.jit(lambda key: initializer(key, (64, 32), jnp.bfloat16))(key)
    same(half, np.asarray(initializer(key, (64, 32), jnp.bfloat16)))


def test_one_compiled_function_takes_every_key():
    traces = []
    initializer = ours.he_normal()

    @jax.jit
    def made(key):
        traces.append(key)
        return initializer(key, (4, 4))

    for seed in range(3):
        same(made(key_of(seed)), np.asarray(initializer(key_of(seed), (4, 4))))
    assert len(traces) == 1


def test_initializers_are_static_arguments():
    calls = []

    def made(initializer, key):
        calls.append(initializer)
        return initializer(key, (4, 4))

    jitted = jax.jit(made, static_argnums=0)
    for _ in range(2):
        jitted(ours.he_normal(), key_of(1))
    assert len(calls) == 1 and ours.he_normal() == ours.he_normal() != ours.he_uniform()
    assert hash(ours.orthogonal(2.0)) == hash(ours.orthogonal(2.0))
    assert hash(ours.he_normal(in_axis=[0, 1])) == hash(ours.he_normal(in_axis=(0, 1)))


def test_nothing_is_computed_when_only_shapes_are_asked_for():
    shape = (2**20, 2**20)
    traced = jax.eval_shape(lambda key: ours.he_normal()(key, shape, jnp.bfloat16), key_of(1))
    assert (traced.shape, traced.dtype) == (shape, jnp.bfloat16)
    key = key_of(1)
    assert jax.eval_shape(lambda: ours.he_normal()(key, shape)).shape == shape


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_under_vmap(wrap):
    keys = jax.random.split(key_of(7), 6).reshape(2, 3)
    initializer = ours.he_normal()
    made = wrap(jax.vmap(jax.vmap(lambda key: initializer(key, (8, 4)))))(keys)
    for row in range(2):
        for column in range(3):
            same(made[row, column], np.asarray(initializer(keys[row, column], (8, 4))))


def test_in_scan_grad_and_checkpoint():
    initializer = ours.he_normal()
    keys = jax.random.split(key_of(7), 3)
    _, made = jax.lax.scan(lambda carry, key: (carry, initializer(key, (8, 4))), 0, keys)
    for index in range(3):
        same(made[index], np.asarray(initializer(keys[index], (8, 4))))

    def loss(x, key):
        return (x * initializer(key, (8, 4))).sum()

    expected = np.asarray(initializer(key_of(7), (8, 4)))
    for transform in (lambda f: f, jax.checkpoint, jax.jit):
        same(jax.grad(transform(loss))(jnp.ones((8, 4)), key_of(7)), expected)


def test_a_large_array_in_jit():
    made = jax.jit(lambda key: ours.normal(1.0)(key, (4096, 2048)))(key_of(7))
    assert gpu_init.fingerprint(np.asarray(made)) == gpu_init.fingerprint(
        filled("normal", (4096, 2048), 7)
    )


# Sharded.


def mesh(shape=(4, 2), names=("x", "y"), **options):
    return jax.make_mesh(shape, names, **options)


SPECS = [
    P(),
    P("x"),
    P("y"),
    P(None, "x"),
    P("x", "y"),
    P("y", "x"),
    P(("x", "y")),
    P(None, ("y", "x")),
    P(None, None),
]


@pytest.fixture
def sizes(monkeypatch):
    """The sizes of what the library fills."""
    made = []
    fill = gpu_init.fill

    def watched(array, *arguments, **options):
        made.append(array.size)
        return fill(array, *arguments, **options)

    monkeypatch.setattr(gpu_init, "fill", watched)
    return made


# Every spec by one initializer, in both kinds of mesh; orthogonal matrices eagerly.
WAYS = [
    (ours.he_normal(), wrap, kind) for wrap in ("eager", "jit") for kind in ("Auto", "Explicit")
]
WAYS += [
    (ours.orthogonal(), "eager", "Explicit"),
    (ours.orthogonal(column_axis=0), "eager", "Explicit"),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize(("init", "way", "kind"), WAYS)
def test_each_shard_is_made_alone(spec, init, way, kind, sizes):
    wrap = jax.jit if way == "jit" else lambda f: f
    shape = (64, 32)
    sharding = NamedSharding(mesh(axis_types=(getattr(jax.sharding.AxisType, kind),) * 2), spec)
    expected = np.asarray(init(key_of(7), shape))
    sizes.clear()
    made = wrap(lambda key: init(key, shape, out_sharding=sharding))(key_of(7))
    same(made, expected)
    assert made.sharding.is_equivalent_to(sharding, 2)
    assert set(sizes) == {np.prod(sharding.shard_shape(shape))}
    # Eagerly, what several devices have is made once.
    distinct = len({str(index) for index in sharding.devices_indices_map(shape).values()})
    assert len(sizes) == (8 if way == "jit" else distinct)


def test_a_spec_means_the_mesh_of_the_context():
    initializer = ours.he_normal()
    expected = np.asarray(initializer(key_of(7), (64, 32)))
    with pytest.raises(ValueError, match="mesh"):
        initializer(key_of(7), (64, 32), out_sharding=P("x", "y"))
    with jax.set_mesh(mesh()):
        for wrap in (lambda f: f, jax.jit):
            made = wrap(lambda key: initializer(key, (64, 32), out_sharding=P("x", "y")))(key_of(7))
            same(made, expected)
            assert made.sharding.spec == P("x", "y")


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_uneven_shards_are_refused_as_by_jax(wrap):
    sharding = NamedSharding(mesh(), P(None, "x"))
    for initializer in (ours.he_normal(), theirs.he_normal()):
        with pytest.raises(ValueError, match="divi"):
            wrap(lambda key, f=initializer: f(key, (64, 33), out_sharding=sharding))(key_of(7))


@pytest.mark.parametrize("init", [ours.normal(1.0), ours.orthogonal()], ids=str)
def test_shards_along_three_dimensions(init):
    three = NamedSharding(mesh((2, 2, 2), ("a", "b", "c")), P("a", "b", None, "c"))
    expected = np.asarray(init(key_of(7), (6, 4, 5, 8)))
    same(init(key_of(7), (6, 4, 5, 8), out_sharding=three), expected)
    same(jax.jit(lambda key: init(key, (6, 4, 5, 8), out_sharding=three))(key_of(7)), expected)


def test_shardings_given_to_jit_have_the_same_bits():
    sharding = NamedSharding(mesh(), P("x", "y"))
    initializer = ours.he_normal()
    made = jax.jit(lambda key: initializer(key, (64, 32)), out_shardings=sharding)(key_of(7))
    same(made, np.asarray(initializer(key_of(7), (64, 32))))
    assert made.sharding == sharding


def test_arrays_by_name(sizes):
    shape = (64, 32)
    expected = filled("kaiming_normal", shape, 42, "layers.0.weight")
    sizes.clear()
    same(gpu_init.jax.array("kaiming_normal", shape, seed=42, name="layers.0.weight"), expected)
    sharding = NamedSharding(mesh(), P("x", "y"))
    made = gpu_init.jax.array(
        "kaiming_normal", shape, seed=42, name="layers.0.weight", sharding=sharding
    )
    same(made, expected)
    assert made.sharding == sharding and sizes == [2048] + [256] * 8
    half = gpu_init.jax.array("normal(std=0.02)", (8,), name="w", dtype=jnp.bfloat16)
    same(half, gpu_init.fill(np.empty(8, np.float32), "normal(std=0.02)").astype(jnp.bfloat16))
    steps = gpu_init.jax.array("arange", (8,), dtype="int32")
    same(steps, np.arange(8, dtype=np.int32))
    with pytest.raises(ValueError, match="nomal"):
        gpu_init.jax.array("nomal", (8,))


def test_a_missing_package_is_named():
    program = """if True:
        import sys
        sys.modules["jax"] = None
        import gpu_init
        try:
            import gpu_init.jax
        except gpu_init.MissingPackage as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert 'pip install "gpu-init[jax]"' in done.stdout, done.stderr
