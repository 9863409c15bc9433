"""A function for each initializer of the library, with its options and defaults.

They are made of the library's own list; `_initializers.pyi` has their signatures for type checkers,
written by `tests/common/stubs.py`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from ._arrays import as_array
from ._dtypes import name_of, numpy_dtype
from ._errors import InvalidArgument, InvalidType
from ._fill import fill_spec
from ._gpu_init import initializers
from ._request import Request

__all__ = [name for name, _, _ in initializers()]

# What all of them take, beside the shape and their own options.
_COMMON: dict[str, Any] = {
    "seed": 0,
    "name": "w",
    "dtype": None,
    "out": None,
    "shard": None,
    "slices": None,
    "layout": None,
    "fans": None,
    "device": "cpu",
}

_DOCUMENTATION = """
{description}

Returns a new array of float32, or of `dtype`; `out` is filled instead, if it is given. `seed` and
`name` decide the bits, with the index of each element in the whole tensor of shape `shape`; a
`shard`, (dim, rank, world), or `slices`, (start, stop) or None for each dimension, is a part of it.
`layout` says which axes are inputs and outputs, `fans` gives (fan_in, fan_out) itself.
"""


def _default(option: str, text: str) -> Any:
    """Returns an option's default; `Parameter.empty` where there is none."""
    if text == "NaN":
        return Parameter.empty
    if option == "groups":
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    """Returns an option's value as initializer text: integers with all their digits."""
    if isinstance(value, str):
        return value
    try:
        return str(operator.index(value))
    except TypeError:
        return repr(float(value))


def _initializer(name: str, description: str, options: list[tuple[str, str]]) -> Callable[..., Any]:
    """Returns the function of an initializer."""
    own = {option: _default(option, default) for option, default in options}
    keywords = [
        Parameter(option, Parameter.KEYWORD_ONLY, default=default)
        for option, default in {**own, **_COMMON}.items()
    ]
    signature = Signature([Parameter("shape", Parameter.POSITIONAL_OR_KEYWORD), *keywords])

    def initialize(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidType(f"{name}: {error}") from None
        bound.apply_defaults()
        return _filled(name, own, bound.arguments)

    initialize.__name__ = initialize.__qualname__ = name
    initialize.__module__ = "gpu_init"
    initialize.__doc__ = _DOCUMENTATION.format(description=description).strip()
    initialize.__signature__ = signature  # type: ignore[attr-defined]
    return initialize


def _filled(name: str, own: dict[str, Any], arguments: dict[str, Any]) -> Any:
    """Returns the array that a call asks for."""
    given = {option: arguments.pop(option) for option in own}
    try:
        options = ", ".join(f"{option}={_text(value)}" for option, value in given.items())
    except (TypeError, ValueError):
        raise InvalidType(f"{name}: its options are numbers or names, not {given}") from None
    shape, dtype, out, device = (arguments.pop(key) for key in ("shape", "dtype", "out", "device"))
    target = None if out is None else as_array(out, name)
    own_dtype = "float32" if target is None else target.dtype
    dtype_name = name_of(own_dtype if dtype is None else dtype, name)
    spec = Request(name).spec(f"{name}({options})", shape, dtype_name, scale=1.0, **arguments)
    if target is None:
        out = target = np.empty(spec.shape, numpy_dtype(dtype_name, name))
    elif target.shape != spec.shape:
        raise InvalidArgument(
            f"{name}: out has shape {target.shape}, and {spec.shape} is to be filled; "
            "pass an array of that shape"
        )
    fill_spec(target, spec, dtype_name, device, None, name)
    return out


globals().update({name: _initializer(name, *rest) for name, *rest in initializers()})
