"""`init_` on every layer of Keras that has weights, beside Keras' own values."""

import gpu_init.keras
import keras
import layers
import numpy as np
import pytest


def values(layer):
    return [keras.ops.convert_to_numpy(variable) for variable in layer.weights]


def distance(ours, theirs):
    """The two-sample Kolmogorov-Smirnov statistic, times the root of the effective size."""
    both = np.sort(np.concatenate([ours, theirs]))
    steps = [
        np.searchsorted(np.sort(sample), both, side="right") / sample.size
        for sample in (ours, theirs)
    ]
    size = ours.size * theirs.size / (ours.size + theirs.size)
    return np.abs(steps[0] - steps[1]).max() * np.sqrt(size)


# 2 exp(-2 x^2) is 1e-6 here: with a few hundred comparisons none should exceed it by chance.
LARGEST_DISTANCE = 2.7


@pytest.fixture(scope="module", autouse=True)
def few_shapes():
    """Lets Keras draw from tensors of one shape: JAX compiles anew for each shape, seconds each."""
    from keras.src import backend

    def wrapped(function):
        def draw(shape, *arguments, **options):
            size = int(np.prod(shape))
            assert size <= 2**16
            return keras.ops.reshape(function((2**16,), *arguments, **options)[:size], shape)

        return draw

    with pytest.MonkeyPatch.context() as patch:
        if keras.backend.backend() == "jax":
            for name in ("normal", "truncated_normal", "uniform"):
                patch.setattr(backend.random, name, wrapped(getattr(backend.random, name)))
        yield


def drawn_by_keras(case, seed):
    keras.utils.set_random_seed(seed)
    return values(layers.built(case))


def compare(ours, theirs):
    """Compares one of our variables with several draws of Keras."""
    assert ours.shape == theirs[0].shape and ours.dtype == theirs[0].dtype
    fixed = np.logical_and.reduce([theirs[0] == other for other in theirs[1:]])
    np.testing.assert_array_equal(ours[fixed], theirs[0][fixed])
    drawn = ours[~fixed].astype(np.float64)
    if drawn.size:
        assert drawn.size >= 500, "too few values to compare"
        assert len(np.unique(drawn)) > drawn.size * 0.99
        pooled = np.concatenate([each[~fixed] for each in theirs]).astype(np.float64)
        assert distance(drawn, pooled) < LARGEST_DISTANCE
        # The spread is known to about 1 in the root of twice the size.
        assert abs(drawn.std() / pooled.std() - 1) < 5 * np.sqrt(1 / drawn.size)


def test_the_cases_are_all_layers_with_weights():
    tested = {name.split(",")[0] for name in layers.CASES}
    assert layers.having_weights() <= tested | layers.ELSEWHERE


@pytest.mark.parametrize("name", layers.CASES)
def test_a_layer_gets_what_keras_gives_it(name):
    case = layers.CASES[name]
    theirs = [drawn_by_keras(case, seed) for seed in (1, 2)]
    layer = layers.built(case)
    for variable in layer.weights:
        if name != "Normalization":
            variable.assign(keras.ops.full(variable.shape, 9, dtype=variable.dtype))
    drawn = gpu_init.keras.init_(layer, seed=1)
    if name != "Normalization":
        assert list(drawn) == list(gpu_init.keras.names(layer))
    for number, ours in enumerate(values(layer)):
        compare(ours, [each[number] for each in theirs])
    # The seed and the names decide, and nothing else.
    same, other = layers.built(case), layers.built(case)
    gpu_init.keras.init_(same, seed=1)
    gpu_init.keras.init_(other, seed=2)
    is_random = [(each != theirs[1][number]).any() for number, each in enumerate(theirs[0])]
    for ours, again, others, random in zip(
        values(layer), values(same), values(other), is_random, strict=True
    ):
        assert ours.tobytes() == again.tobytes()
        assert (ours.tobytes() == others.tobytes()) != random


def test_the_comparison_finds_what_differs():
    case = layers.CASES["Dense"]
    theirs = [each[0] for each in (drawn_by_keras(case, seed) for seed in (1, 2))]
    for wrong in ["glorot_normal", "he_uniform", "lecun_uniform", "zeros"]:
        layer = layers.built(
            layers.Case(
                lambda init=wrong: keras.layers.Dense(192, kernel_initializer=init), (None, 128)
            )
        )
        gpu_init.keras.init_(layer, seed=1)
        with pytest.raises(AssertionError):
            compare(values(layer)[0], theirs)


def test_the_bias_of_lstm_is_one_in_its_forget_gate():
    layer = layers.built(layers.CASES["LSTM"])
    gpu_init.keras.init_(layer, seed=1)
    bias = keras.ops.convert_to_numpy(layer.cell.bias)
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 32))


def test_parts_of_a_variable_have_streams_of_their_own():
    layer = layers.built(layers.CASES["LSTM, random bias"])
    gpu_init.keras.init_(layer, seed=1)
    first, forget, *rest = np.split(keras.ops.convert_to_numpy(layer.cell.bias), 4)
    assert (forget == 1).all()
    expected = gpu_init.fill(
        np.empty(512, np.float32), "normal(std=0.05)", seed=1, name="lstm/lstm_cell/bias"
    )
    np.testing.assert_array_equal(first, expected)
    second = gpu_init.fill(
        np.empty(1024, np.float32), "normal(std=0.05)", seed=1, name="lstm/lstm_cell/bias#1"
    )
    np.testing.assert_array_equal(np.concatenate(rest), second)


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention"])
def test_projections_of_attention_differ(name):
    layer = layers.built(layers.CASES[name])
    gpu_init.keras.init_(layer, seed=1)
    kernels = [variable for variable in layer.weights if variable.name == "kernel"]
    flat = [keras.ops.convert_to_numpy(kernel).ravel()[:256] for kernel in kernels]
    assert len(flat) == 4 and len({each.tobytes() for each in flat}) == 4
