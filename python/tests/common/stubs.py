"""Writes `_initializers.pyi`: the functions of all initializers, with their signatures and types.

A test compares it with what this would write. To write it anew:

    python python/tests/common/stubs.py > python/py_src/gpu_init/_initializers.pyi
"""

import inspect

import gpu_init

COMMON = {
    "shape": "Shape",
    "seed": "SupportsIndex",
    "name": "Name",
    "dtype": "npt.DTypeLike | None",
    "out": "npt.NDArray[Any] | None",
    "shard": "Shards | None",
    "slices": "Slices | None",
    "layout": "str | None",
    "fans": "Fans | None",
    "device": "Device",
}
OPTIONS = {
    "mode": "FanMode",
    "distribution": "VarianceDistribution",
    "nonlinearity": "Nonlinearity",
    "groups": "int",
}

HEADER = """\
# Written by tests/common/stubs.py.
from typing import Any, SupportsIndex

import numpy.typing as npt

from ._types import (
    Device,
    FanMode,
    Fans,
    Name,
    Nonlinearity,
    Shape,
    Shards,
    Slices,
    VarianceDistribution,
)

__all__ = [
{names}
]
"""


def function(name: str) -> str:
    """Returns the stub of an initializer's function."""
    lines = []
    for parameter in inspect.signature(getattr(gpu_init, name)).parameters.values():
        kind = COMMON.get(parameter.name) or OPTIONS.get(parameter.name, "float")
        default = parameter.default
        text = "" if default is parameter.empty else f" = {default!r}".replace("'", '"')
        lines.append(f"    {parameter.name}: {kind}{text},")
        if parameter.name == "shape":
            lines.append("    *,")
    return "\n".join([f"def {name}(", *lines, ") -> npt.NDArray[Any]: ..."])


def stubs() -> str:
    """Returns the text of `_initializers.pyi`."""
    names = gpu_init._initializers.__all__
    quoted = "\n".join(f'    "{name}",' for name in names)
    return "\n".join([HEADER.format(names=quoted), *map(function, names), ""])


if __name__ == "__main__":
    print(stubs(), end="")
