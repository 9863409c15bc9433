"""PyTorch models initialized as their own code does it, with the same bits anywhere."""

from .errors import TraceError, UnknownTensorsError
from .fingerprints import fingerprint
from .functional import (
    constant_,
    dirac_,
    eye_,
    kaiming_normal_,
    kaiming_uniform_,
    normal_,
    ones_,
    orthogonal_,
    sparse_,
    trunc_normal_,
    uniform_,
    xavier_normal_,
    xavier_uniform_,
    zeros_,
)
from .materialize import init_
from .plan import Entry, TorchPlan
from .trace import trace

__all__ = [
    "Entry",
    "TorchPlan",
    "TraceError",
    "UnknownTensorsError",
    "constant_",
    "dirac_",
    "eye_",
    "fingerprint",
    "init_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trace",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]
