"""Keras 3 with weights that depend on a seed and a name alone, the same bits on every backend.

Initializers, which are drop-in replacements of Keras' own, and `init_`, which initializes a whole
model by its own initializers. See docs/keras.md.
"""

from keras.initializers import (  # type: ignore[import-untyped]
    STFT,
    Constant,
    Identity,
    Ones,
    Zeros,
)

from gpu_init._unknown import UnknownInitialization
from gpu_init.keras._record import record
from gpu_init.keras.initializers import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from gpu_init.keras.model import init_, names

__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "UnknownInitialization",
    "VarianceScaling",
    "Zeros",
    "init_",
    "names",
    "record",
]
