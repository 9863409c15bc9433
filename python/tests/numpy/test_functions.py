"""The functions are the library's initializers, and what is written of them agrees."""

import inspect
import re
import typing
from pathlib import Path

import gpu_init
import numpy as np
import pytest
import stubs

NAMES = gpu_init._initializers.__all__


def library_names() -> list[str]:
    """The names that the library's own error lists."""
    with pytest.raises(ValueError, match="use one of") as raised:
        gpu_init.parse("no such name")
    return str(raised.value).split("use one of ")[1].split(", ")


def test_there_is_a_function_for_each_name_and_no_other():
    assert library_names() == NAMES
    assert set(NAMES) < set(gpu_init.__all__)
    functions = [
        name for name in dir(gpu_init) if hasattr(getattr(gpu_init, name), "__signature__")
    ]
    assert sorted(functions) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_those_of_the_text(name):
    with pytest.raises(ValueError, match="; it has ") as raised:
        gpu_init.parse(f"{name}(no such option=1)")
    options = str(raised.value).split("; it has ")[1].split(", ")
    parameters = inspect.signature(getattr(gpu_init, name)).parameters
    own = [it for it in parameters if it not in stubs.COMMON]
    assert own == ([] if name in ["zeros", "ones"] or options == ["none"] else options)
    defaults = {it: parameters[it].default for it in own}
    given = {it: 0.5 for it, default in defaults.items() if default is inspect.Parameter.empty}
    text = ", ".join(f"{it}={value}" for it, value in (defaults | given).items())
    plain = ", ".join(f"{it}={value}" for it, value in given.items())
    assert gpu_init.parse(f"{name}({text})") == gpu_init.parse(f"{name}({plain})")


def test_the_stubs_are_those_of_the_functions():
    path = Path(gpu_init.__file__).parent / "_initializers.pyi"
    assert path.read_text() == stubs.stubs(), "write it anew: see tests/common/stubs.py"


def test_the_names_of_the_options_values_are_all_of_the_librarys():
    for option, alias, init in [
        ("mode", gpu_init._types.FanMode, "variance_scaling"),
        ("distribution", gpu_init._types.VarianceDistribution, "variance_scaling"),
        ("nonlinearity", gpu_init._types.Nonlinearity, "kaiming_normal"),
    ]:
        with pytest.raises(ValueError) as raised:
            gpu_init.parse(f"{init}({option}=x)")
        names = re.search(r'"x" is not (.*)', str(raised.value)).group(1).split(", ")
        assert list(typing.get_args(alias)) == names


def test_help_has_the_signature_and_the_description():
    text = inspect.getdoc(gpu_init.xavier_normal)
    assert "Glorot and Bengio 2010" in text and "shard" in text
    assert str(inspect.signature(gpu_init.xavier_normal)).startswith(
        "(shape, *, gain=1.0, mean=0.0, seed=0, name='w', dtype=None, out=None"
    )
    assert gpu_init.xavier_normal.__module__ == "gpu_init"


def test_everything_public_is_documented():
    for name in gpu_init.__all__:
        assert inspect.getdoc(getattr(gpu_init, name)), name


def test_parse_and_gains():
    assert gpu_init.parse(" Kaiming-Normal( mode=fan_out ) ") == "kaiming_normal(mode=fan_out)"
    assert gpu_init.calculate_gain("relu") == 2**0.5
    assert gpu_init.calculate_gain("leaky_relu", 0.5) == (2 / 1.25) ** 0.5
    with pytest.raises(ValueError, match='no nonlinearity "gelu"'):
        gpu_init.calculate_gain("gelu")


def test_distributions():
    xavier = gpu_init.distribution("xavier_uniform", (30, 20))
    assert xavier.kind == "uniform" and xavier.mean == 0
    assert xavier.std == pytest.approx((2 / 50) ** 0.5, rel=1e-6)
    assert xavier.bounds == pytest.approx((-((6 / 50) ** 0.5), (6 / 50) ** 0.5), rel=1e-6)
    assert gpu_init.distribution("normal", 3, scale=0.5, dtype="bf16").std == 0.5
    by_fans = gpu_init.distribution("xavier_uniform", 20, fans=(30, 20))
    assert by_fans.std == xavier.std and "uniform" in repr(by_fans)


def test_statistics():
    stats = gpu_init.stats(np.array([1, 3, np.nan, np.inf], np.float32))
    assert (stats.count, stats.nan, stats.infinite) == (4, 1, 1)
    assert (stats.mean, stats.std, stats.min, stats.max) == (2, 1, 1, 3)
    assert repr(stats).startswith("Stats(count=4, nan=1")
    weights = gpu_init.normal((1000, 100))
    assert gpu_init.stats(weights).mean == pytest.approx(weights.mean(dtype=float), abs=1e-7)
