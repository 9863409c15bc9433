"""Weight initialization with the same bits on every device, in any order, for any shard."""

from . import _initializers
from ._errors import (
    DeviceError,
    Error,
    InvalidArgument,
    InvalidType,
    MissingPackage,
    OutOfMemory,
)
from ._fill import distribution, fill, fingerprint, stats
from ._gpu_init import (
    Distribution,
    KeptTensor,
    PlanEntry,
    Stats,
    __version__,
    calculate_gain,
    parse,
    stream_of,
)
from ._initializers import *  # noqa: F403 (one function for each initializer)
from ._model import Plan, Recipe, Rules

__all__ = [
    "DeviceError",
    "Distribution",
    "Error",
    "InvalidArgument",
    "InvalidType",
    "KeptTensor",
    "MissingPackage",
    "OutOfMemory",
    "Plan",
    "PlanEntry",
    "Recipe",
    "Rules",
    "Stats",
    "__version__",
    "calculate_gain",
    "distribution",
    "fill",
    "fingerprint",
    "parse",
    "stats",
    "stream_of",
]
__all__ += _initializers.__all__
