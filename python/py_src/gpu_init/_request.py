"""A call's arguments, checked and in the one form that Rust takes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex

from ._errors import InvalidArgument, InvalidType
from ._gpu_init import Spec, stream_of
from ._types import Fans, Name, Shape, Shards, Slices


class Request:
    """The arguments of one operation, in whose name errors speak."""

    def __init__(self, operation: str) -> None:
        self.operation = operation

    def spec(
        self,
        init: str,
        shape: Shape,
        dtype: str,
        *,
        seed: SupportsIndex,
        name: Name,
        shard: Shards | None,
        slices: Slices | None,
        scale: float,
        layout: str | None,
        fans: Fans | None,
    ) -> Spec:
        """Returns the part of a tensor that is asked for."""
        dims = self.shape(shape)
        if not isinstance(init, str):
            raise InvalidType(
                f'{self.operation}: init is text, such as "xavier_normal(gain=0.5)", not {init!r}'
            )
        if layout is not None and fans is not None:
            raise InvalidArgument(
                f"{self.operation}: fans = {fans!r} take the place of a layout's; "
                f"leave out layout = {layout!r}"
            )
        if fans is not None:
            fan_in, fan_out = (self.index("fans", fan) for fan in self.several("fans", fans, 2))
            layout = f"fans(in={fan_in}, out={fan_out})"
        return Spec(
            {
                "init": init,
                "shape": dims,
                "dtype": dtype,
                "seed": self.u64("seed", seed),
                "stream": stream_of(name) if isinstance(name, str) else self.u64("name", name),
                "scale": float(scale),
                "layout": layout,
                "slices": self.slices(slices, len(dims)),
                "shards": self.shards(shard, len(dims)),
            }
        )

    def index(self, argument: str, value: Any) -> int:
        """Returns a whole number that is not negative."""
        try:
            number = operator.index(value)
        except TypeError:
            raise InvalidType(
                f"{self.operation}: {argument} takes whole numbers, not {value!r}"
            ) from None
        if number < 0:
            raise InvalidArgument(f"{self.operation}: {argument} has {number}, which is below 0")
        return number

    def u64(self, argument: str, value: Any) -> int:
        """Returns a number of 64 bits."""
        number = self.index(argument, value)
        if number >= 1 << 64:
            raise InvalidArgument(
                f"{self.operation}: {argument} = {number} is over 2**64 - 1, the largest one"
            )
        return number

    def shape(self, shape: Any) -> list[int]:
        """Returns the dimensions; a number is that of a vector."""
        dims = shape if isinstance(shape, Sequence) and not isinstance(shape, str) else [shape]
        return [self.u64("shape", dim) for dim in dims]

    def several(self, argument: str, values: Any, count: int) -> Sequence[Any]:
        """Returns a sequence of so many values."""
        if isinstance(values, Sequence) and not isinstance(values, str) and len(values) == count:
            return values
        raise InvalidType(f"{self.operation}: {argument} has {count} numbers each, not {values!r}")

    def dim(self, argument: str, dim: Any, rank: int) -> int:
        """Returns a dimension; one below 0 counts from the end."""
        try:
            number = operator.index(dim)
        except TypeError:
            raise InvalidType(f"{self.operation}: {argument} has dimension {dim!r}") from None
        if not -rank <= number < rank:
            raise InvalidArgument(
                f"{self.operation}: {argument} has dimension {number}, and the tensor {rank}; "
                "they count from 0"
            )
        return number % rank

    def shards(self, shard: Any, rank: int) -> list[tuple[int, int, int]]:
        """Returns one shard or several, each a dimension, a rank and the number of ranks."""
        if shard is None:
            return []
        if not isinstance(shard, Sequence):
            raise InvalidType(f"{self.operation}: shard is (dim, rank, world), not {shard!r}")
        shards = shard if all(isinstance(each, Sequence) for each in shard) else [shard]
        cuts = [self.several("shard", each, 3) for each in shards]
        return [
            (self.dim("shard", dim, rank), self.u64("shard", number), self.u64("shard", world))
            for dim, number, world in cuts
        ]

    def slices(self, slices: Any, rank: int) -> list[tuple[int, int, int]]:
        """Returns the slices as dimension, start and stop."""
        if slices is None:
            return []
        if len(self.several("slices", slices, rank)) == 0:
            return []
        cuts = [
            (dim, *self.several("slices", each, 2))
            for dim, each in enumerate(slices)
            if each is not None
        ]
        return [(dim, self.u64("slices", a), self.u64("slices", b)) for dim, a, b in cuts]
