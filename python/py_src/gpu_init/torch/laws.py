"""Distributions of tensors with their numbers, and what arithmetic does to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

Scalar = int | float | bool

# How many bits of a value each type keeps, roughly: a conversion upwards shows the rounding below.
PRECISION = {
    torch.float64: 4,
    torch.float32: 3,
    torch.float16: 2,
    torch.bfloat16: 1,
    torch.float8_e4m3fn: 0,
    torch.float8_e5m2: 0,
}


@dataclass(frozen=True)
class Law:
    """A named distribution and its numbers.

    | kind | numbers |
    |---|---|
    | normal | mean, std |
    | uniform | low, high |
    | truncated | mean, std, low, high |
    | erfinv | low, high, scale, shift: scale erfinv(U(low, high)) + shift |
    | orthogonal | gain |
    | sparse | sparsity, std |
    | dirac | groups |
    | eye | - |
    """

    kind: str
    numbers: tuple[float, ...]

    @property
    def is_independent(self) -> bool:
        """Whether the elements are independent and alike, in any order."""
        return self.kind in ("normal", "uniform", "truncated", "erfinv")

    @property
    def is_random(self) -> bool:
        """Whether the values depend on the seed."""
        return self.kind not in ("dirac", "eye")

    def text(self) -> str | None:
        """The initializer that has this distribution; None if none has."""
        n = [repr(float(number)) for number in self.numbers]
        if not all(math.isfinite(number) for number in self.numbers):
            return None
        match self.kind:
            case "normal":
                return f"normal(mean={n[0]}, std={n[1]})"
            case "uniform":
                return f"uniform(a={n[0]}, b={n[1]})"
            case "truncated":
                return f"truncated_normal(mean={n[0]}, std={n[1]}, a={n[2]}, b={n[3]})"
            case "orthogonal":
                return f"orthogonal(gain={n[0]})"
            case "sparse":
                return f"sparse(sparsity={n[0]}, std={n[1]})"
            case "dirac":
                return f"dirac(groups={int(self.numbers[0])})"
            case "eye":
                return "eye"
        return None

    def scaled(self, by: float) -> Law | None:
        """The distribution of `by` times a value."""
        if not by or not math.isfinite(by):
            return None
        n = self.numbers
        match self.kind:
            case "normal":
                return Law("normal", (n[0] * by, n[1] * abs(by)))
            case "uniform":
                return Law("uniform", _ordered(n[0] * by, n[1] * by))
            case "truncated":
                return Law(
                    "truncated", (n[0] * by, n[1] * abs(by), *_ordered(n[2] * by, n[3] * by))
                )
            case "erfinv":
                return Law("erfinv", (n[0], n[1], n[2] * by, n[3] * by))
            case "orthogonal":
                return Law("orthogonal", (n[0] * by,))
            case "sparse":
                return Law("sparse", (n[0], n[1] * abs(by)))
        return None

    def shifted(self, by: float) -> Law | None:
        """The distribution of a value plus `by`."""
        n = self.numbers
        match self.kind:
            case "normal":
                return Law("normal", (n[0] + by, n[1]))
            case "uniform":
                return Law("uniform", (n[0] + by, n[1] + by))
            case "truncated":
                return Law("truncated", (n[0] + by, n[1], n[2] + by, n[3] + by))
            case "erfinv":
                return Law("erfinv", (n[0], n[1], n[2], n[3] + by))
        return None

    def erfinv(self) -> Law | None:
        """The distribution of the inverse error function of a value."""
        if self.kind == "uniform" and -1 <= self.numbers[0] < self.numbers[1] <= 1:
            return Law("erfinv", (*self.numbers, 1.0, 0.0))
        return None

    def clamped(self, low: float | None, high: float | None) -> Law | None:
        """The distribution of a value forced between two bounds, if that is only a truncation.

        `scale erfinv(U(low, high)) + shift` is a normal between two quantiles. A clamp at those
        quantiles is for rounding; one within them would pile up values at the bounds.
        """
        if self.kind != "erfinv" or low is None or high is None:
            return None
        a, b, scale, shift = self.numbers
        std, mean = abs(scale) / math.sqrt(2), shift
        if scale < 0:
            a, b = -b, -a
        for bound, probability in ((low, a), (high, b)):
            if abs(math.erf((bound - mean) / (std * math.sqrt(2))) - probability) > 1e-6:
                return None
        return Law("truncated", (mean, std, low, high))


def _ordered(a: float, b: float) -> tuple[float, float]:
    return (a, b) if a <= b else (b, a)
