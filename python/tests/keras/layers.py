"""Every layer of keras.layers that has weights, and shapes to build it with."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

L = keras.layers


class Case(NamedTuple):
    make: Callable[[], Any]
    # One shape, or several for layers of several inputs.
    inputs: Any


def built(case: Case) -> Any:
    layer = case.make()
    if isinstance(case.inputs, list):
        # A layer of several inputs is built by a call.
        layer(*[keras.Input(batch_shape=shape) for shape in case.inputs])
    else:
        layer.build(**case.inputs) if isinstance(case.inputs, dict) else layer.build(case.inputs)
    return layer


SEQUENCE = (None, 7, 24)
PAIR = [(None, 5, 24), (None, 5, 24)]
TWO = {"input_shape": PAIR}

CASES: dict[str, Case] = {
    "Dense": Case(lambda: L.Dense(192), (None, 128)),
    "Dense, he_normal": Case(lambda: L.Dense(64, kernel_initializer="he_normal"), (None, 48)),
    "Dense, lecun_uniform": Case(
        lambda: L.Dense(64, kernel_initializer="lecun_uniform"), (None, 48)
    ),
    "Dense, truncated_normal": Case(
        lambda: L.Dense(64, kernel_initializer="truncated_normal"), (None, 48)
    ),
    "Dense, random_normal": Case(
        lambda: L.Dense(1500, bias_initializer="random_normal"), (None, 1)
    ),
    "Dense, identity": Case(lambda: L.Dense(64, kernel_initializer="identity"), (None, 48)),
    "Dense, constant": Case(
        lambda: L.Dense(64, kernel_initializer=keras.initializers.Constant(0.3)), (None, 48)
    ),
    "Dense, untruncated": Case(
        lambda: L.Dense(
            64,
            kernel_initializer=keras.initializers.VarianceScaling(
                0.7, "fan_out", "untruncated_normal"
            ),
        ),
        (None, 48),
    ),
    "Dense, lora": Case(lambda: L.Dense(256, lora_rank=16), (None, 128)),
    "EinsumDense": Case(
        lambda: L.EinsumDense("abc,cde->abde", output_shape=(None, 4, 32), bias_axes="de"),
        (None, 3, 24),
    ),
    "EinsumDense, lora": Case(
        lambda: L.EinsumDense("abc,cd->abd", output_shape=(None, 64), lora_rank=16), (None, 3, 128)
    ),
    "Embedding": Case(lambda: L.Embedding(100, 32), (None,)),
    "Embedding, lora": Case(lambda: L.Embedding(200, 32, lora_rank=16), (None,)),
    "ReversibleEmbedding": Case(lambda: L.ReversibleEmbedding(100, 32, tie_weights=False), (None,)),
    "Conv1D": Case(lambda: L.Conv1D(32, 5), (None, 9, 16)),
    "Conv2D": Case(lambda: L.Conv2D(32, 3), (None, 9, 9, 16)),
    "Conv2D, groups": Case(lambda: L.Conv2D(32, 3, groups=4), (None, 9, 9, 16)),
    "Conv2D, lora": Case(lambda: L.Conv2D(64, 3, lora_rank=16), (None, 9, 9, 32)),
    "Conv3D": Case(lambda: L.Conv3D(16, 3), (None, 5, 5, 5, 8)),
    "Conv1DTranspose": Case(lambda: L.Conv1DTranspose(32, 5), (None, 9, 16)),
    "Conv2DTranspose": Case(lambda: L.Conv2DTranspose(32, 3), (None, 9, 9, 16)),
    "Conv3DTranspose": Case(lambda: L.Conv3DTranspose(16, 3), (None, 5, 5, 5, 8)),
    "DepthwiseConv1D": Case(lambda: L.DepthwiseConv1D(5, depth_multiplier=8), (None, 9, 64)),
    "DepthwiseConv2D": Case(lambda: L.DepthwiseConv2D(3, depth_multiplier=4), (None, 9, 9, 64)),
    "SeparableConv1D": Case(lambda: L.SeparableConv1D(32, 5, depth_multiplier=4), (None, 9, 64)),
    "SeparableConv2D": Case(lambda: L.SeparableConv2D(32, 3, depth_multiplier=4), (None, 9, 9, 64)),
    "SimpleRNN": Case(lambda: L.SimpleRNN(48), SEQUENCE),
    "GRU": Case(lambda: L.GRU(32), SEQUENCE),
    "LSTM": Case(lambda: L.LSTM(32), SEQUENCE),
    "LSTM, no unit_forget_bias": Case(lambda: L.LSTM(32, unit_forget_bias=False), SEQUENCE),
    "LSTM, random bias": Case(
        lambda: L.LSTM(512, bias_initializer="random_normal", recurrent_initializer="zeros"),
        (None, 7, 2),
    ),
    "LSTM, stateful": Case(lambda: L.LSTM(32, stateful=True), (4, 7, 24)),
    "SimpleRNNCell": Case(lambda: L.SimpleRNNCell(48), (None, 24)),
    "GRUCell": Case(lambda: L.GRUCell(32), (None, 24)),
    "LSTMCell": Case(lambda: L.LSTMCell(32), (None, 24)),
    "RNN": Case(lambda: L.RNN(L.GRUCell(32)), SEQUENCE),
    "StackedRNNCells": Case(
        lambda: L.RNN(L.StackedRNNCells([L.LSTMCell(32), L.GRUCell(32)])), SEQUENCE
    ),
    "ConvLSTM1D": Case(lambda: L.ConvLSTM1D(16, 3), (None, 4, 9, 8)),
    "ConvLSTM2D": Case(lambda: L.ConvLSTM2D(8, 3), (None, 4, 9, 9, 4)),
    "ConvLSTM3D": Case(lambda: L.ConvLSTM3D(4, 3), (None, 4, 5, 5, 5, 4)),
    "Bidirectional": Case(lambda: L.Bidirectional(L.LSTM(32)), SEQUENCE),
    "TimeDistributed": Case(lambda: L.TimeDistributed(L.Dense(64)), (None, 7, 48)),
    "MultiHeadAttention": Case(lambda: L.MultiHeadAttention(4, 16), PAIR),
    "GroupQueryAttention": Case(lambda: L.GroupQueryAttention(16, 4, 2), PAIR),
    "Attention": Case(lambda: L.Attention(use_scale=True, score_mode="concat"), TWO),
    "AdditiveAttention": Case(
        lambda: L.AdditiveAttention(), {"input_shape": [(None, 5, 2000), (None, 5, 2000)]}
    ),
    "BatchNormalization": Case(lambda: L.BatchNormalization(), (None, 48)),
    "BatchNormalization, renorm": Case(
        lambda: L.BatchNormalization(
            renorm=True, moving_variance_initializer=keras.initializers.Constant(4.0)
        ),
        (None, 48),
    ),
    "LayerNormalization": Case(lambda: L.LayerNormalization(), (None, 48)),
    "GroupNormalization": Case(lambda: L.GroupNormalization(4), (None, 48)),
    "RMSNormalization": Case(lambda: L.RMSNormalization(), (None, 48)),
    "SpectralNormalization": Case(lambda: L.SpectralNormalization(L.Dense(2000)), (None, 8)),
    "Normalization": Case(lambda: L.Normalization(), (None, 48)),
    "PReLU": Case(lambda: L.PReLU(), (None, 48)),
    "STFTSpectrogram": Case(lambda: L.STFTSpectrogram(), (None, 1000, 1)),
}

# Weights that come from elsewhere: another framework's module, a saved model, a vocabulary.
ELSEWHERE = {
    "JaxLayer",
    "FlaxLayer",
    "TorchModuleWrapper",
    "TFSMLayer",
    "StringLookup",
    "IntegerLookup",
}


def having_weights() -> set[str]:
    """The layers of keras.layers whose code, or that of a base class, adds weights."""
    found = set()
    for name, layer in vars(L).items():
        if inspect.isclass(layer) and issubclass(layer, L.Layer) and layer.__name__ == name:
            code = "".join(
                inspect.getsource(base) for base in layer.__mro__[: layer.__mro__.index(L.Layer)]
            )
            if "add_weight(" in code or "Variable(" in code:
                found.add(name)
    return found
