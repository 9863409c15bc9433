"""The types of arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, SupportsIndex, TypeAlias

Shape: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
Name: TypeAlias = str | SupportsIndex
Shard: TypeAlias = tuple[SupportsIndex, SupportsIndex, SupportsIndex]
Shards: TypeAlias = Shard | Sequence[Shard]
Slices: TypeAlias = Sequence[tuple[SupportsIndex, SupportsIndex] | None]
Fans: TypeAlias = tuple[SupportsIndex, SupportsIndex]
Device: TypeAlias = Literal["cpu", "gpu"]
Progress: TypeAlias = Callable[[int, int], object]

FanMode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
VarianceDistribution: TypeAlias = Literal["normal", "truncated_normal", "uniform"]
Nonlinearity: TypeAlias = Literal[
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "selu",
]
