"""The initializers: Keras' arguments and contracts, our bits."""

import inspect
import subprocess
import sys

import gpu_init
import gpu_init.keras as ours
import keras
import numpy as np
import pytest

K = keras.initializers
RANDOM = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
]
DETERMINISTIC = ["Constant", "Identity", "Ones", "STFT", "Zeros"]
SHAPES = [(48, 32), (3, 3, 8, 16), (5, 8, 4), (2, 3, 4, 8, 4)]

# What each class is as text for `gpu_init.fill`, with options other than the defaults.
TEXTS = {
    "GlorotNormal": ({}, "glorot_normal"),
    "GlorotUniform": ({}, "glorot_uniform"),
    "HeNormal": ({}, "he_normal"),
    "HeUniform": ({}, "he_uniform"),
    "LecunNormal": ({}, "lecun_normal"),
    "LecunUniform": ({}, "lecun_uniform"),
    "Orthogonal": ({"gain": 0.5}, "orthogonal(gain=0.5)"),
    "RandomNormal": ({"mean": 1.0, "stddev": 0.2}, "normal(mean=1, std=0.2)"),
    "RandomUniform": ({"minval": -1, "maxval": 3}, "uniform(a=-1, b=3)"),
    "TruncatedNormal": (
        {"mean": 0.1, "stddev": 0.02},
        "truncated_normal_sigma(mean=0.1, std=0.02)",
    ),
    "VarianceScaling": (
        {"scale": 0.7, "mode": "fan_out", "distribution": "untruncated_normal"},
        "variance_scaling(scale=0.7, mode=fan_out, distribution=normal)",
    ),
}


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def filled(init, shape, seed, name, dtype="float32", **fans):
    return gpu_init.fill(
        np.empty(shape, dtype), init, seed=seed, name=name, **(fans or {"layout": "keras"})
    )


def test_every_initializer_of_keras_is_there():
    classes = {kind.__name__ for kind in vars(K).values() if inspect.isclass(kind)} - {
        "Initializer"
    }
    assert classes == {*RANDOM, *DETERMINISTIC}
    assert {*RANDOM, *DETERMINISTIC} <= set(ours.__all__)
    for name in DETERMINISTIC:
        assert getattr(ours, name) is getattr(K, name)


@pytest.mark.parametrize("name", RANDOM)
def test_arguments_are_those_of_keras_and_a_name(name):
    parameters = dict(inspect.signature(getattr(ours, name)).parameters)
    added = parameters.pop("name")
    assert (added.default, added.kind) == (None, inspect.Parameter.KEYWORD_ONLY)
    theirs = inspect.signature(getattr(K, name)).parameters.values()
    assert [(p.name, p.default) for p in parameters.values()] == [
        (p.name, p.default) for p in theirs
    ]
    assert issubclass(getattr(ours, name), getattr(K, name))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", RANDOM)
def test_the_bits_are_those_of_every_framework(name, shape):
    options, text = TEXTS[name]
    made = getattr(ours, name)(**options, seed=42, name="w")(shape)
    assert numpy(made).tobytes() == filled(text, shape, 42, "w").tobytes()


@pytest.mark.parametrize("shape", [(), (7,), (0,), (3, 0)], ids=str)
def test_vectors_scalars_and_empty_tensors_have_keras_fans(shape):
    made = numpy(ours.HeNormal(seed=42, name="w")(shape))
    assert made.shape == shape
    if made.size:
        assert made.tobytes() == filled("he_normal", shape, 42, "w").tobytes()


def test_axes_count_as_keras_counts_them():
    shape, axes = (4, 6, 5), {"input_axes": [0, 1], "output_axes": [2]}
    made = numpy(ours.GlorotUniform(seed=42, name="w", **axes)(shape))
    assert made.tobytes() == filled("glorot_uniform", shape, 42, "w", fans=(24, 5)).tobytes()
    bound = np.sqrt(6 / (24 + 5))
    assert 0.9 * bound < np.abs(made).max() <= bound
    assert np.abs(numpy(K.GlorotUniform(seed=1, **axes)(shape))).max() <= bound


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float64", "float8_e4m3fn", "float8_e5m2"]
)
def test_other_types_are_the_rounding_of_float32(dtype):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    made = ours.RandomNormal(stddev=0.5, seed=42, name="w")((64, 32), dtype)
    assert keras.backend.standardize_dtype(made.dtype) in (dtype, "float32")
    expected = filled("normal(std=0.5)", (64, 32), 42, "w").astype(kind)
    if dtype.startswith("float8"):
        # Not every backend gives arrays of these types.
        made = keras.ops.cast(made, "float32")
    np.testing.assert_array_equal(numpy(made).astype(np.float64), expected.astype(np.float64))


def test_the_default_type_is_floatx():
    assert keras.backend.standardize_dtype(ours.GlorotNormal(seed=1)((3, 4)).dtype) == "float32"
    with pytest.raises(ValueError, match="int"):
        ours.GlorotNormal(seed=1)((3, 4), "int32")


@pytest.mark.parametrize("name", RANDOM)
def test_configurations_are_read_back(name):
    options, _ = TEXTS[name]
    initializer = getattr(ours, name)(**options, seed=2**64 - 1, name="a/b")
    config = initializer.get_config()
    assert config["name"] == "a/b" and config["seed"] == 2**64 - 1
    assert {**config, **options} == config
    serialized = K.serialize(initializer)
    assert serialized["registered_name"] == f"gpu_init>{name}"
    copies = [
        initializer.clone(),
        type(initializer).from_config(config),
        K.deserialize(serialized),
        K.get(serialized),
    ]
    expected = numpy(initializer((6, 4)))
    for copy in copies:
        assert type(copy) is type(initializer) and copy.get_config() == config
        assert numpy(copy((6, 4))).tobytes() == expected.tobytes()


def test_both_signatures_are_there():
    initializer = ours.HeNormal(seed=1, name="w")
    assert list(inspect.signature(initializer).parameters) == ["shape", "dtype", "layout"]
    plain = numpy(initializer((4, 4)))
    assert (
        plain.tobytes() == numpy(initializer(shape=(4, 4), dtype="float32", layout=None)).tobytes()
    )


def test_a_name_is_the_stream():
    initializer = ours.HeNormal(seed=1, name="w")
    assert numpy(initializer((4, 4))).tobytes() == numpy(initializer((4, 4))).tobytes()
    assert (
        numpy(initializer((4, 4))).tobytes()
        != numpy(ours.HeNormal(seed=1, name="v")((4, 4))).tobytes()
    )
    assert (
        numpy(initializer((4, 4))).tobytes()
        != numpy(ours.HeNormal(seed=2, name="w")((4, 4))).tobytes()
    )


def test_calls_without_a_name_or_variable_take_streams_0_1_2():
    initializer = ours.HeNormal(seed=1)
    for stream in range(3):
        assert (
            numpy(initializer((4, 4))).tobytes() == filled("he_normal", (4, 4), 1, stream).tobytes()
        )


def test_without_a_name_the_path_of_the_variable_is_the_stream():
    initializer = ours.HeNormal(seed=1)
    layers = [
        keras.layers.Dense(8, kernel_initializer=initializer, name=name) for name in ("up", "down")
    ]
    model = keras.Sequential([keras.Input((8,)), *layers], name="mlp")
    kernels = [numpy(layer.kernel).tobytes() for layer in layers]
    assert kernels[0] != kernels[1]
    for layer, kernel in zip(layers, kernels, strict=True):
        path = next(variable.path for variable in model.weights if variable is layer.weights[0])
        assert path == f"mlp/{layer.name}/kernel"
        assert kernel == filled("he_normal", (8, 8), 1, path).tobytes()


def test_two_layers_with_one_seed_differ():
    first, second = (
        keras.layers.Dense(8, kernel_initializer=ours.HeNormal(seed=1)) for _ in range(2)
    )
    for layer in (first, second):
        layer.build((None, 8))
    assert numpy(first.kernel).tobytes() != numpy(second.kernel).tobytes()


def test_one_path_is_never_silently_used_twice():
    initializer = ours.HeNormal(seed=1)
    layers = [keras.layers.Dense(8, kernel_initializer=initializer, name="same") for _ in range(2)]
    for layer in layers:
        layer.build((None, 8))
    kernels = [numpy(layer.kernel).tobytes() for layer in layers]
    assert kernels == [
        filled("he_normal", (8, 8), 1, name).tobytes() for name in ("same/kernel", "same/kernel#1")
    ]


def test_clones_that_attention_makes_differ():
    layer = keras.layers.MultiHeadAttention(
        2, 4, kernel_initializer=ours.GlorotUniform(seed=1), name="attention"
    )
    layer.build((None, 3, 8), (None, 3, 8))
    kernels = [variable for variable in layer.weights if variable.name == "kernel"]
    fans = [(8, 8)] * 4
    for kernel, fan in zip(kernels, fans, strict=True):
        expected = filled("glorot_uniform", tuple(kernel.shape), 1, kernel.path, fans=fan)
        assert numpy(kernel).tobytes() == expected.tobytes()


class Deferred(keras.Model):
    """Its layers are built while shapes are inferred: initializers give placeholders first."""

    def __init__(self, initializer):
        super().__init__(name="deferred")
        self.up = keras.layers.Dense(8, kernel_initializer=initializer, name="up")
        self.down = keras.layers.LSTM(8, kernel_initializer=initializer, name="down")

    def call(self, inputs):
        return self.down(self.up(inputs))


def test_placeholders_of_deferred_layers_take_no_stream():
    model = Deferred(ours.HeNormal(seed=1))
    model(keras.Input((3, 8)))
    assert len(model.weights) == 5
    for variable in model.weights:
        if variable.name == "kernel":
            expected = filled("he_normal", tuple(variable.shape), 1, variable.path)
            assert numpy(variable).tobytes() == expected.tobytes()


def test_without_a_seed_keras_chooses_one():
    keras.utils.set_random_seed(3)
    first = numpy(ours.HeNormal()((4, 4)))
    second = numpy(ours.HeNormal()((4, 4)))
    keras.utils.set_random_seed(3)
    again = numpy(ours.HeNormal()((4, 4)))
    assert first.tobytes() == again.tobytes() != second.tobytes()


def test_a_seed_generator_gives_a_seed_for_each_call():
    generator = keras.random.SeedGenerator(7)
    initializer = ours.HeNormal(seed=generator, name="w")
    for count in range(2):
        expected = filled("he_normal", (4, 4), 7 + (count << 32), "w")
        assert numpy(initializer((4, 4))).tobytes() == expected.tobytes()


def test_what_is_no_seed_or_name_is_refused():
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match="seed"):
            ours.HeNormal(seed=seed)
    for seed in (1.5, "1"):
        with pytest.raises(ValueError, match="seed"):
            ours.HeNormal(seed=seed)
    with pytest.raises(TypeError, match="name"):
        ours.HeNormal(seed=1, name=3)
    with pytest.raises(ValueError, match="mode"):
        ours.VarianceScaling(mode="fan_geo_avg")
    with pytest.raises(ValueError, match="dimension"):
        ours.Orthogonal(seed=1)((3,))


def test_a_saved_model_has_its_initializers(tmp_path):
    layer = keras.layers.Dense(4, kernel_initializer=ours.HeNormal(seed=1, name="w"))
    keras.Sequential([keras.Input((8,)), layer]).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[-1]
    assert loaded.kernel_initializer.get_config() == layer.kernel_initializer.get_config()
    assert numpy(loaded.kernel).tobytes() == filled("he_normal", (8, 4), 1, "w").tobytes()


def test_policies_of_types():
    for policy, stored in [
        ("mixed_bfloat16", "float32"),
        ("bfloat16", "bfloat16"),
        ("mixed_float16", "float32"),
    ]:
        layer = keras.layers.Dense(
            16, dtype=policy, kernel_initializer=ours.HeNormal(seed=1, name="w")
        )
        layer.build((None, 32))
        assert keras.backend.standardize_dtype(layer.kernel.dtype) == stored
        kernel = numpy(keras.ops.cast(layer.kernel, "float32"))
        expected = filled("he_normal", (32, 16), 1, "w")
        if stored == "bfloat16":
            expected = expected.astype(pytest.importorskip("ml_dtypes").bfloat16).astype(np.float32)
        np.testing.assert_array_equal(kernel, expected)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="Keras distributes variables on JAX")
def test_distributed_variables_are_made_shard_by_shard(monkeypatch):
    import jax

    devices = keras.distribution.DeviceMesh((2, 4), ["batch", "model"], jax.devices()[:8])
    layout_map = keras.distribution.LayoutMap(devices)
    layout_map["dense.*kernel"] = ("batch", "model")
    filled_sizes = []
    fill = gpu_init.fill

    def watched(array, *arguments, **options):
        filled_sizes.append(array.size)
        return fill(array, *arguments, **options)

    monkeypatch.setattr(gpu_init, "fill", watched)
    with keras.distribution.ModelParallel(layout_map=layout_map, batch_dim_name="batch").scope():
        layer = keras.layers.Dense(64, kernel_initializer=ours.HeNormal(seed=1), name="dense")
        layer.build((None, 32))
    assert layer.kernel.value.sharding.spec == jax.sharding.PartitionSpec("batch", "model")
    assert set(filled_sizes) == {16 * 16} and len(filled_sizes) == 8
    monkeypatch.undo()
    expected = filled("he_normal", (32, 64), 1, "dense/kernel")
    assert np.asarray(layer.kernel.value).tobytes() == expected.tobytes()
    # init_ keeps the layout, and makes shards alone as well.
    filled_sizes.clear()
    monkeypatch.setattr(gpu_init, "fill", watched)
    ours.init_(layer, seed=5)
    assert layer.kernel.value.sharding.spec == jax.sharding.PartitionSpec("batch", "model")
    assert 16 * 16 in filled_sizes and 32 * 64 not in filled_sizes
    expected = filled("he_normal", (32, 64), 5, "dense/kernel")
    assert np.asarray(layer.kernel.value).tobytes() == expected.tobytes()


def test_a_missing_package_is_named():
    program = """if True:
        import sys
        sys.modules["keras"] = None
        import gpu_init
        try:
            import gpu_init.keras
        except gpu_init.MissingPackage as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert 'pip install "gpu-init[keras]"' in done.stdout, done.stderr
