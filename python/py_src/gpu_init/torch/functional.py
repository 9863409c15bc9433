"""The functions of `torch.nn.init`, in place, with a seed and a name instead of a generator.

A tensor's bits depend on the seed, the name and the shape alone. They are the same on every device
and for every layout of a DTensor, and a bfloat16 tensor is the rounding of the float32 one.
"""

from __future__ import annotations

from typing import Any

import torch

from gpu_init._errors import InvalidArgument, InvalidType

from .dtensor import boxes, is_dtensor, local_ranges
from .fill import Filler

Seed = int
Name = str | int
DType = torch.dtype


def _fill(tensor: torch.Tensor, init: str, seed: Seed, name: Name, **options: Any) -> torch.Tensor:
    if not isinstance(tensor, torch.Tensor):
        raise InvalidType(f"a torch.Tensor is filled, not {type(tensor).__name__}")
    if tensor.is_meta:
        raise InvalidArgument(
            "a tensor on the meta device has no memory; "
            "make one that has: torch.empty_like(tensor, device=...)"
        )
    filler = Filler()
    with torch.no_grad():
        if not is_dtensor(tensor):
            filler.fill(tensor, init, seed, name, **options)
            return tensor
        sharded: Any = tensor
        for part, box in boxes(sharded.to_local(), local_ranges(sharded, str(name))):
            filler.fill(part, init, seed, name, tuple(tensor.shape), box, **options)
    return tensor


def _text(name: str, **options: object) -> str:
    given = ", ".join(
        f"{key}={value!r}" if isinstance(value, float) else f"{key}={value}"
        for key, value in options.items()
    )
    return f"{name}({given})"


def uniform_(
    tensor: torch.Tensor, a: float = 0.0, b: float = 1.0, *, seed: Seed, name: Name
) -> torch.Tensor:
    """Fills a tensor from U(a, b)."""
    return _fill(tensor, _text("uniform", a=float(a), b=float(b)), seed, name)


def normal_(
    tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, *, seed: Seed, name: Name
) -> torch.Tensor:
    """Fills a tensor from N(mean, std^2)."""
    return _fill(tensor, _text("normal", mean=float(mean), std=float(std)), seed, name)


def trunc_normal_(
    tensor: torch.Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    seed: Seed,
    name: Name,
) -> torch.Tensor:
    """Fills a tensor from N(mean, std^2) within [a, b], which are values, not deviations."""
    return _fill(
        tensor,
        _text("truncated_normal", mean=float(mean), std=float(std), a=float(a), b=float(b)),
        seed,
        name,
    )


def constant_(tensor: torch.Tensor, val: float) -> torch.Tensor:
    """Fills a tensor with one value."""
    return _constant(tensor, val)


def ones_(tensor: torch.Tensor) -> torch.Tensor:
    """Fills a tensor with one."""
    return _constant(tensor, 1)


def zeros_(tensor: torch.Tensor) -> torch.Tensor:
    """Fills a tensor with zero."""
    return _constant(tensor, 0)


def _constant(tensor: torch.Tensor, value: float) -> torch.Tensor:
    with torch.no_grad():
        return tensor.fill_(value)


def eye_(tensor: torch.Tensor) -> torch.Tensor:
    """Fills a matrix with ones on the diagonal and zeros elsewhere."""
    if tensor.ndim != 2:
        raise InvalidArgument("Only tensors with 2 dimensions are supported")
    return _fill(tensor, "eye", 0, 0)


def dirac_(tensor: torch.Tensor, groups: int = 1) -> torch.Tensor:
    """Fills a kernel of 3 to 5 dimensions so that its convolution gives its input."""
    if tensor.ndim not in (3, 4, 5):
        raise InvalidArgument("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.shape[0] % groups:
        raise InvalidArgument("dim 0 must be divisible by groups")
    return _fill(tensor, _text("dirac", groups=groups), 0, 0)


def xavier_uniform_(
    tensor: torch.Tensor, gain: float = 1.0, *, seed: Seed, name: Name
) -> torch.Tensor:
    """Fills a tensor from U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))."""
    return _fill(tensor, _text("xavier_uniform", gain=float(gain)), seed, name)


def xavier_normal_(
    tensor: torch.Tensor, gain: float = 1.0, *, seed: Seed, name: Name
) -> torch.Tensor:
    """Fills a tensor from N(0, std^2), std = gain sqrt(2 / (fan_in + fan_out))."""
    return _fill(tensor, _text("xavier_normal", gain=float(gain)), seed, name)


def kaiming_uniform_(
    tensor: torch.Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    seed: Seed,
    name: Name,
) -> torch.Tensor:
    """Fills a tensor from U(-bound, bound), bound = gain sqrt(3 / fan)."""
    return _kaiming("kaiming_uniform", tensor, a, mode, nonlinearity, seed, name)


def kaiming_normal_(
    tensor: torch.Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    seed: Seed,
    name: Name,
) -> torch.Tensor:
    """Fills a tensor from N(0, std^2), std = gain / sqrt(fan)."""
    return _kaiming("kaiming_normal", tensor, a, mode, nonlinearity, seed, name)


def _kaiming(
    kind: str, tensor: torch.Tensor, a: float, mode: str, nonlinearity: str, seed: Seed, name: Name
) -> torch.Tensor:
    if 0 in tensor.shape:
        return tensor
    return _fill(tensor, _text(kind, a=float(a), mode=mode, nonlinearity=nonlinearity), seed, name)


def orthogonal_(tensor: torch.Tensor, gain: float = 1, *, seed: Seed, name: Name) -> torch.Tensor:
    """Fills a tensor so that the matrix of its first dimension by the others is orthogonal."""
    if tensor.ndim < 2:
        raise InvalidArgument("Only tensors with 2 or more dimensions are supported")
    return _fill(tensor, _text("orthogonal", gain=float(gain)), seed, name)


def sparse_(
    tensor: torch.Tensor, sparsity: float, std: float = 0.01, *, seed: Seed, name: Name
) -> torch.Tensor:
    """Fills a matrix from N(0, std^2), with a share of zeros in each column."""
    if tensor.ndim != 2:
        raise InvalidArgument("Only tensors with 2 dimensions are supported")
    return _fill(tensor, _text("sparse", sparsity=float(sparsity), std=float(std)), seed, name)
