"""Keras 3 with weights that depend on a seed and a name alone, the same bits on every backend.

Initializers, which are drop-in replacements of Keras' own, and `init_`, which initializes a whole
model by its own initializers. See docs/keras.md.
"""

from gpu_init._errors import MissingPackage

try:
    import keras  # type: ignore[import-untyped]  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "keras":  # A package that keras needs.
        raise
    raise MissingPackage('gpu_init.keras needs keras: pip install "gpu-init[keras]"') from error

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
