"""`init_` on whole models: names, what is found out, what is refused, and what it leaves alone."""

import random

import gpu_init
import keras
import numpy as np
import pytest
from gpu_init.keras import UnknownInitialization, init_, names, record

L = keras.layers


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def bits(model):
    return {name: numpy(variable).tobytes() for name, variable in names(model).items()}


def small(name="small"):
    return keras.Sequential(
        [keras.Input((8,)), L.Dense(6), L.BatchNormalization(), L.Dense(4)], name=name
    )


def transformer():
    tokens = keras.Input((10,), dtype="int32")
    x = L.Embedding(50, 16, name="tokens")(tokens)
    x = L.Add()([x, L.MultiHeadAttention(2, 8)(x, x)])
    x = L.LayerNormalization()(x)
    x = L.Add()([x, keras.Sequential([L.Dense(32, activation="gelu"), L.Dense(16)], name="mlp")(x)])
    x = L.Bidirectional(L.LSTM(8))(x)
    return keras.Model(tokens, L.Dense(3)(x), name="transformer")


# The same on every backend.
FINGERPRINTS = {
    "tokens/embeddings": "8492150e681705a8",
    "multi_head_attention/query/kernel": "1a9d8f10dd9be945",
    "multi_head_attention/query/bias": "2ede14fb89085276",
    "multi_head_attention/key/kernel": "67ca4184efca9637",
    "multi_head_attention/key/bias": "2ede14fb89085276",
    "multi_head_attention/value/kernel": "850646b3a7e220c2",
    "multi_head_attention/value/bias": "2ede14fb89085276",
    "multi_head_attention/attention_output/kernel": "aa7ac95bcbb7ce55",
    "multi_head_attention/attention_output/bias": "2ede14fb89085276",
    "layer_normalization/gamma": "329fd66e4a71aaac",
    "layer_normalization/beta": "2ede14fb89085276",
    "mlp/dense/kernel": "fe40368f163da0bd",
    "mlp/dense/bias": "bd8693af1f3887e1",
    "mlp/dense_1/kernel": "7e6433d0a3034e82",
    "mlp/dense_1/bias": "2ede14fb89085276",
    "bidirectional/forward_lstm/lstm_cell/kernel": "97821c9e90573576",
    "bidirectional/forward_lstm/lstm_cell/recurrent_kernel": "6f7ec41224efb9c4",
    "bidirectional/forward_lstm/lstm_cell/bias": "a2bb3a4f6ac40bb9",
    "bidirectional/backward_lstm/lstm_cell/kernel": "4fb2e4a07d97470d",
    "bidirectional/backward_lstm/lstm_cell/recurrent_kernel": "a306f5105923e3ee",
    "bidirectional/backward_lstm/lstm_cell/bias": "a2bb3a4f6ac40bb9",
    "dense_2/kernel": "2cbec22abc7beaf0",
    "dense_2/bias": "477f4daa22c45b2e",
}


def test_the_bits_are_the_same_on_every_backend():
    model = transformer()
    init_(model, seed=42)
    found = {name: gpu_init.fingerprint(numpy(variable)) for name, variable in names(model).items()}
    assert found == FINGERPRINTS


def test_names_do_not_depend_on_what_was_built_before():
    first = transformer()
    for _ in range(3):
        small()
    second = transformer()
    assert list(names(first)) == list(names(second))
    assert [variable.path for variable in first.weights] != [
        variable.path for variable in second.weights
    ]
    init_(first, seed=42)
    init_(second, seed=42)
    assert bits(first) == bits(second)


def test_names_are_the_paths_of_a_fresh_process():
    keras.utils.clear_session()
    model = transformer()
    assert list(names(model)) == [variable.path for variable in model.weights]


def test_a_shared_layer_is_initialized_once():
    shared = L.Dense(8)
    one, other = keras.Input((8,)), keras.Input((8,))
    model = keras.Model([one, other], L.Concatenate()([shared(one), shared(other)]))
    assert len(init_(model, seed=1)) == 2


def test_models_in_models():
    inner = small("inner")
    x = keras.Input((8,))
    model = keras.Model(x, L.Dense(2)(inner(x)))
    drawn = init_(model, seed=1)
    assert len(drawn) == len(model.weights) == 10
    assert len(set(bits(model).values())) > 4


class Same(keras.Model):
    """Two layers of one name."""

    def __init__(self):
        super().__init__(name="same")
        self.first = L.Dense(4, name="dense", use_bias=False)
        self.second = L.Dense(4, name="dense", use_bias=False)

    def build(self, shape):
        self.first.build(shape)
        self.second.build(shape)

    def call(self, x):
        return self.second(self.first(x))


def test_equal_paths_get_names_of_their_own():
    model = Same()
    model.build((None, 4))
    assert list(names(model)) == ["same/dense/kernel", "same/dense/kernel#1"]
    init_(model, seed=1)
    assert len(set(bits(model).values())) == 2


def test_every_value_is_as_the_program_makes_it():
    model = small()
    drawn = init_(model, seed=42)
    for name, variable in names(model).items():
        expected = np.empty(tuple(variable.shape), np.float32)
        gpu_init.fill(expected, drawn[name], seed=42, name=name, layout="keras")
        assert numpy(variable).tobytes() == expected.tobytes()


def test_the_initializers_own_seeds_are_not_used():
    def model(seed):
        layer = L.Dense(4, kernel_initializer=keras.initializers.HeNormal(seed=seed), name="dense")
        layer.build((None, 4))
        init_(layer, seed=1)
        return bits(layer)

    assert model(1) == model(2)


def test_our_initializers_are_understood():
    layer = L.Dense(
        4, kernel_initializer=gpu_init.keras.HeNormal(seed=9, name="other"), name="dense"
    )
    layer.build((None, 4))
    assert (
        init_(layer, seed=1)["dense/kernel"]
        == "variance_scaling(scale=2.0, mode=fan_in, distribution=truncated_normal)"
    )
    expected = gpu_init.fill(
        np.empty((4, 4), np.float32), "he_normal", seed=1, name="dense/kernel", layout="keras"
    )
    assert numpy(layer.kernel).tobytes() == expected.tobytes()


@pytest.mark.parametrize("policy", ["bfloat16", "float16", "mixed_bfloat16", "float64"])
def test_policies_of_types(policy):
    layer = L.Dense(64, dtype=policy, name="dense")
    layer.build((None, 16))
    types = [variable.dtype for variable in layer.weights]
    init_(layer, seed=1)
    assert [variable.dtype for variable in layer.weights] == types
    kernel = numpy(keras.ops.cast(layer.kernel, "float32"))
    expected = np.empty((16, 64), np.float32)
    gpu_init.fill(expected, "glorot_uniform", seed=1, name="dense/kernel", layout="keras")
    if policy in ("bfloat16", "float16"):
        kind = np.float16 if policy == "float16" else pytest.importorskip("ml_dtypes").bfloat16
        expected = expected.astype(kind).astype(np.float32)
    np.testing.assert_array_equal(kernel, expected)


def test_a_model_can_be_trained_after():
    model = small()
    model.compile("sgd", "mse")
    init_(model, seed=1)
    before = bits(model)
    model.fit(np.ones((4, 8), np.float32), np.ones((4, 4), np.float32), verbose=0)
    assert bits(model) != before
    init_(model, seed=1)
    assert bits(model) == before


# Layers that users write.


class Scaled(L.Layer):
    """Weights by add_weight, with a configuration."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def build(self, shape):
        self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="scale")
        self.table = self.add_weight(shape=(shape[-1], self.units), name="table")
        self.unnamed = self.add_weight(shape=(self.units, 3), initializer="he_normal")
        self.steps = self.add_weight(shape=(4,), dtype="int32", trainable=False)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Opaque(L.Layer):
    """The same without: Keras cannot make it again."""

    def __init__(self, units):
        super().__init__(name="opaque")
        self.inner = L.Dense(units, name="inner")
        self.units = units

    def build(self, shape):
        self.inner.build(shape)
        self.table = self.add_weight(
            shape=(shape[-1], self.units), initializer="he_normal", name="table"
        )

    def call(self, x):
        return self.inner(x) + keras.ops.matmul(x, self.table)


def built(layer, shape=(None, 6)):
    layer.build(shape)
    return layer


def test_layers_with_a_configuration_are_understood():
    layer = built(Scaled(5, name="scaled"))
    drawn = init_(layer, seed=1)
    glorot, he = (
        f"variance_scaling(scale={scale}" for scale in ("1.0, mode=fan_avg", "2.0, mode=fan_in")
    )
    assert list(drawn) == ["scaled/scale", "scaled/table", "scaled/variable", "scaled/variable_1"]
    assert drawn["scaled/table"].startswith(glorot) and drawn["scaled/variable"].startswith(he)
    assert drawn["scaled/scale"] == "ones" and drawn["scaled/variable_1"] == "zeros"


def test_what_cannot_be_known_is_an_error_with_names():
    layer = built(Opaque(5))
    before = bits(layer)
    with pytest.raises(
        UnknownInitialization, match="opaque/table: Opaque cannot be made"
    ) as caught:
        init_(layer, seed=1)
    assert list(caught.value.names) == ["opaque/table"]
    assert bits(layer) == before
    assert list(init_(layer, seed=1, on_unknown="keep")) == [
        "opaque/inner/kernel",
        "opaque/inner/bias",
    ]
    after = bits(layer)
    assert after["opaque/table"] == before["opaque/table"]
    assert after["opaque/inner/kernel"] != before["opaque/inner/kernel"]


def test_a_recorded_model_is_known_whole():
    with record():
        layer = built(Opaque(5))
    assert list(init_(layer, seed=1)) == [
        "opaque/table",
        "opaque/inner/kernel",
        "opaque/inner/bias",
    ]


def test_deferred_layers_are_recorded_too():
    class Deferred(keras.Model):
        def __init__(self):
            super().__init__(name="deferred")
            self.opaque = Opaque(5)

        def call(self, x):
            return self.opaque(x)

    with record():
        model = Deferred()
        model(keras.Input((6,)))
    assert len(init_(model, seed=1)) == len(model.weights) == 3


class FromValue(L.Layer):
    """A variable made from a value instead of an initializer."""

    def __init__(self, make=lambda: np.arange(4.0, dtype="float32"), **options):
        super().__init__(**options)
        self.make = make

    def build(self, shape):
        self.w = keras.Variable(self.make(), name="w")

    def get_config(self):
        return {**super().get_config(), "make": self.make}


def test_values_that_are_the_same_each_time_are_values():
    layer = built(FromValue(name="layer"))
    layer.w.assign([9.0] * 4)
    assert init_(layer, seed=1) == {"w" if layer.w.path == "w" else layer.w.path: "value"}
    np.testing.assert_array_equal(numpy(layer.w), [0, 1, 2, 3])


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.random.default_rng().normal(size=4).astype("float32"),
        lambda: np.random.normal(size=4).astype("float32"),
        lambda: np.float32([random.random() for _ in range(4)]),
        lambda: keras.random.normal((4,)),
        lambda: keras.initializers.GlorotUniform()((4,)),
    ],
    ids=["numpy's generator", "numpy.random", "random", "keras.random", "initializer"],
)
def test_random_values_are_refused(make):
    layer = built(FromValue(make, name="layer"))
    with pytest.raises(UnknownInitialization, match="made from a value"):
        init_(layer, seed=1)
    with record():
        layer = built(FromValue(make, name="layer"))
    with pytest.raises(UnknownInitialization, match="made from a value"):
        init_(layer, seed=1)


class Assigned(L.Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(4,), initializer="zeros", name="w")
        self.w.assign(keras.ops.arange(4.0))


def test_what_build_assigns_is_kept_in_mind():
    layer = built(Assigned(name="layer"))
    layer.w.assign([9.0] * 4)
    assert init_(layer, seed=1) == {"layer/w": "value"}
    np.testing.assert_array_equal(numpy(layer.w), [0, 1, 2, 3])
    with record():
        layer = built(Assigned(name="layer"))
    with pytest.raises(UnknownInitialization, match="assigned to"):
        init_(layer, seed=1)


# Initializers that users write.


def dense(initializer):
    layer = L.Dense(300, kernel_initializer=initializer, name="dense")
    layer.build((None, 4))
    return layer


def halves(shape, dtype=None):
    """Two draws, of which one is scaled."""
    upper = keras.random.normal((shape[0] // 2, shape[1]), dtype=dtype)
    return keras.ops.concatenate(
        [upper, keras.random.uniform((shape[0] // 2, shape[1]), dtype=dtype) * 2]
    )


class Plus(keras.initializers.HeNormal):
    """Draws as its base class does, and changes that."""

    def __call__(self, shape, dtype=None):
        return super().__call__(shape, dtype) + 100


class PlusToOurs(gpu_init.keras.HeNormal):
    """The same of one of ours."""

    def __call__(self, shape, dtype=None):
        return super().__call__(shape, dtype) + 100


class Renamed(keras.initializers.HeNormal):
    """Draws as its base class does."""


def test_functions_draw_from_our_streams():
    layer = dense(halves)
    assert (
        init_(layer, seed=1)["dense/kernel"]
        == "computed from normal(mean=0.0, std=1.0), uniform(a=0.0, b=1.0)"
    )
    kernel = numpy(layer.kernel)
    upper = gpu_init.fill(np.empty((2, 300), np.float32), "normal", seed=1, name="dense/kernel")
    lower = gpu_init.fill(np.empty((2, 300), np.float32), "uniform", seed=1, name="dense/kernel#1")
    np.testing.assert_array_equal(kernel, np.concatenate([upper, lower * 2]))


def test_subclasses_of_initializers():
    expected = np.empty((4, 300), np.float32)
    gpu_init.fill(expected, "he_normal", seed=1, name="dense/kernel", layout="keras")
    for kind in (Plus, PlusToOurs):
        layer = dense(kind())
        assert init_(layer, seed=1)["dense/kernel"].startswith("computed from variance_scaling")
        np.testing.assert_allclose(numpy(layer.kernel), expected + 100, rtol=1e-6)
    layer = dense(Renamed())
    assert init_(layer, seed=1)["dense/kernel"].startswith("variance_scaling")
    np.testing.assert_array_equal(numpy(layer.kernel), expected)


def test_random_numbers_of_others_are_refused():
    with pytest.raises(UnknownInitialization, match="random numbers of its own"):
        init_(
            dense(
                lambda shape, dtype=None: keras.ops.convert_to_tensor(
                    np.random.normal(size=shape), dtype
                )
            )
        )
    with pytest.raises(UnknownInitialization, match="gamma"):
        init_(dense(lambda shape, dtype=None: keras.random.gamma(shape, 2.0, dtype=dtype)))
    values = np.arange(1200.0, dtype=np.float32).reshape(4, 300)
    layer = dense(values)
    assert init_(layer)["dense/kernel"] == "computed"
    np.testing.assert_array_equal(numpy(layer.kernel), values)


def beyond_us(shape, dtype=None):
    return keras.random.gamma(shape, 2.0, dtype=dtype)


# What is left alone, and refused.


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match="not built"):
        init_(keras.Sequential([L.Dense(4)]))
    with pytest.raises(ValueError, match="on_unknown"):
        init_(small(), on_unknown="ignore")


def test_a_bad_seed_is_refused():
    for seed in (-1, 2**64):
        model = small()
        before = bits(model)
        with pytest.raises(ValueError, match="seed"):
            init_(model, seed=seed)
        assert bits(model) == before


def test_statistics_of_data_stay():
    layer = L.Normalization()
    layer.adapt(np.arange(12.0).reshape(4, 3))
    before = bits(layer)
    assert init_(keras.Sequential([keras.Input((3,)), layer, L.Dense(2)])).keys() == {
        "sequential/dense/kernel",
        "sequential/dense/bias",
    }
    assert bits(layer) == before


def test_quantized_layers_are_refused():
    layer = L.Dense(4)
    layer.build((None, 4))
    layer.quantize("int8")
    with pytest.raises(UnknownInitialization, match="quantized"):
        init_(layer)


def test_modules_of_other_frameworks_are_refused():
    if keras.backend.backend() == "torch":
        import torch

        layer = L.TorchModuleWrapper(torch.nn.Linear(4, 2))
    elif keras.backend.backend() == "jax":
        layer = L.JaxLayer(
            lambda params, inputs: inputs * params["w"],
            init_fn=lambda rng, inputs: {"w": inputs[0] + 1},
        )
    else:
        pytest.skip("Keras wraps modules on PyTorch and JAX")
    layer(np.ones((1, 4), np.float32))
    assert layer.weights
    with pytest.raises(UnknownInitialization, match="another framework"):
        init_(keras.Sequential([keras.Input((4,)), layer]))


def test_what_a_type_cannot_hold_is_an_error_with_the_name():
    layer = L.Dense(
        4,
        dtype="float16",
        kernel_initializer=keras.initializers.RandomNormal(1e-9, 1e-9),
        name="dense",
    )
    layer.build((None, 4))
    before = bits(layer)
    with pytest.raises(gpu_init.InvalidArgument, match="dense/kernel: "):
        init_(layer)
    assert bits(layer) == before


def test_seed_generators_and_optimizers_stay():
    model = keras.Sequential([keras.Input((8,)), L.Dense(4), L.Dropout(0.5, seed=3)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 8)), np.ones((4, 4)), verbose=0)
    weights = {id(variable) for variable in model.weights}
    others = [
        variable
        for variable in [*model.variables, *model.optimizer.variables]
        if id(variable) not in weights
    ]
    before = [numpy(variable).tobytes() for variable in others]
    assert len(before) > 3
    init_(model, seed=1)
    assert [numpy(variable).tobytes() for variable in others] == before


def patched_attributes():
    from keras.src import backend

    owners = [keras.Variable, backend.random]
    owners += [
        getattr(keras.initializers, name)
        for name in ("VarianceScaling", "GlorotUniform", "Orthogonal")
    ]
    return [dict(vars(owner)) for owner in owners]


def state_of_the_process():
    from keras.src.backend.common import global_state

    pending = global_state.get_global_attribute("uninitialized_variables") or []
    return (
        random.getstate(),
        np.random.get_state()[1].tobytes(),
        list(pending),
        patched_attributes(),
    )


@pytest.mark.parametrize("make", [transformer, lambda: built(Opaque(5)), lambda: dense(beyond_us)])
def test_nothing_of_the_process_changes(make):
    keras.config.disable_traceback_filtering()
    model = make()
    before = state_of_the_process()
    try:
        init_(model, seed=1)
    except UnknownInitialization:
        assert make is not transformer
    assert state_of_the_process() == before


def test_nothing_of_the_process_changes_by_an_error_in_recording():
    before = patched_attributes()
    with pytest.raises(KeyError), record():
        assert patched_attributes() != before
        raise KeyError
    assert patched_attributes() == before


def test_other_threads_are_not_recorded():
    import threading

    layers = []
    with record():
        thread = threading.Thread(target=lambda: layers.append(built(Opaque(5))))
        thread.start()
        thread.join()
    with pytest.raises(UnknownInitialization):
        init_(layers[0])


def test_records_go_with_their_variables():
    import gc

    from gpu_init.keras import _record

    with record():
        layer = built(Opaque(5))
    assert _record.recorded(layer.table) is not None
    count = len(_record._recorded)
    del layer
    gc.collect()
    assert len(_record._recorded) <= count - 3


def test_no_copy_of_a_large_layer_has_values():
    # The copy of this layer alone would take 4 TB.
    layer = L.Embedding(4, 2, name="embedding")
    layer.build((None,))
    layer.input_dim, layer.output_dim = 10**6, 10**6
    with pytest.raises(UnknownInitialization, match="has other variables"):
        init_(layer)
