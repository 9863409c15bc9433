"""The functions of torch.nn.init: signatures, bits, and tensors of every kind."""

import inspect

import gpu_init
import gpu_init.torch as ours
import pytest
import torch
from gpu_init._boxes import levels
from gpu_init.torch.fill import NAMES, Filler, pieces
from gpu_init.torch.views import volume
from torch import nn

FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn]
RANDOM = {
    "uniform_": ("uniform(a=-0.5, b=0.25)", {"a": -0.5, "b": 0.25}),
    "normal_": ("normal(mean=0.5, std=0.1)", {"mean": 0.5, "std": 0.1}),
    "trunc_normal_": (
        "truncated_normal(mean=0.1, std=0.5, a=-0.5, b=0.5)",
        {"mean": 0.1, "std": 0.5, "a": -0.5, "b": 0.5},
    ),
    "xavier_uniform_": ("xavier_uniform(gain=0.5)", {"gain": 0.5}),
    "xavier_normal_": ("xavier_normal(gain=0.5)", {"gain": 0.5}),
    "kaiming_uniform_": (
        "kaiming_uniform(a=2.2360679774997896)",
        {"a": 5**0.5},
    ),
    "kaiming_normal_": (
        "kaiming_normal(mode=fan_out, nonlinearity=relu)",
        {"mode": "fan_out", "nonlinearity": "relu"},
    ),
    "orthogonal_": ("orthogonal(gain=0.5)", {"gain": 0.5}),
    "sparse_": ("sparse(sparsity=0.3, std=0.1)", {"sparsity": 0.3, "std": 0.1}),
}


def expected(init: str, shape: tuple[int, ...], dtype: torch.dtype, name: str) -> torch.Tensor:
    """What `gpu_init.fill` gives."""
    tensor = torch.empty(shape, dtype=dtype)
    gpu_init.fill(
        tensor.view(-1).view(torch.uint8).numpy(),
        init,
        seed=3,
        name=name,
        shape=shape,
        dtype=NAMES[dtype],
    )
    return tensor


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors have the same type, shape and bits."""
    as_bytes = [tensor.detach().contiguous().view(-1).view(torch.uint8) for tensor in (one, other)]
    return (one.dtype, one.shape) == (other.dtype, other.shape) and torch.equal(*as_bytes)


@pytest.mark.parametrize("name", [*RANDOM, "constant_", "ones_", "zeros_", "eye_", "dirac_"])
def test_signatures_are_pytorchs(name: str) -> None:
    def parameters(function: object) -> list[tuple[str, object]]:
        found = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
        return [(p.name, p.default) for p in found if p.name not in ("generator", "seed", "name")]

    assert parameters(getattr(ours, name)) == parameters(getattr(nn.init, name))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", RANDOM)
def test_bits_are_the_librarys(name: str, dtype: torch.dtype) -> None:
    init, options = RANDOM[name]
    tensor = torch.empty(24, 10, dtype=dtype, requires_grad=dtype.itemsize > 1)
    assert getattr(ours, name)(tensor, **options, seed=3, name="w") is tensor
    assert same(tensor, expected(init, (24, 10), dtype, "w"))


@pytest.mark.parametrize("dtype", [*FLOATS, torch.int64, torch.uint8])
def test_deterministic_ones_are_pytorchs(dtype: torch.dtype) -> None:
    def pair() -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((6, 3, 5), 7).to(dtype), torch.full((6, 3, 5), 7).to(dtype)

    a, b = pair()
    assert same(ours.constant_(a, 3.3), b.fill_(3.3))
    assert same(ours.ones_(a), nn.init.ones_(b))
    assert same(ours.zeros_(a), nn.init.zeros_(b))
    if dtype == torch.float32:
        assert same(ours.dirac_(a, 2), nn.init.dirac_(b, 2))
        assert same(ours.eye_(a[0]), nn.init.eye_(b[0]))
        assert same(a, b)


def test_layouts_of_memory() -> None:
    whole = expected("xavier_normal", (12, 20), torch.float32, "w")
    for tensor in (torch.empty(20, 12).t(), torch.empty(12, 40)[:, ::2], torch.empty(30, 20)[5:17]):
        assert same(ours.xavier_normal_(tensor, seed=3, name="w"), whole)
    kernel = torch.empty(8, 4, 3, 3, memory_format=torch.channels_last)
    ours.kaiming_normal_(kernel, seed=3, name="k")
    assert same(kernel, expected("kaiming_normal", (8, 4, 3, 3), torch.float32, "k"))


def test_what_surrounds_a_view_stays() -> None:
    around = torch.zeros(10, 10)
    ours.normal_(around[2:5, 3:7], seed=3, name="w")
    assert int((around != 0).sum()) == 12
    assert torch.equal(around[2:5, 3:7], expected("normal", (3, 4), torch.float32, "w"))


def test_small_and_empty_tensors() -> None:
    assert same(
        ours.normal_(torch.empty(()), seed=3, name="w"), expected("normal", (), torch.float32, "w")
    )
    for function in (ours.normal_, ours.kaiming_normal_, ours.xavier_normal_):
        assert function(torch.empty(0, 4), seed=0, name="w").shape == (0, 4)


def test_a_name_may_be_a_stream() -> None:
    by_name = ours.normal_(torch.empty(8), seed=3, name="w")
    assert same(by_name, ours.normal_(torch.empty(8), seed=3, name=gpu_init.stream_of("w")))
    assert not same(by_name, ours.normal_(torch.empty(8), seed=3, name="v"))
    assert not same(by_name, ours.normal_(torch.empty(8), seed=4, name="w"))


def test_a_spread_that_half_types_hardly_have_is_rounded() -> None:
    half = ours.normal_(torch.empty(1000, dtype=torch.float16), std=1e-6, seed=3, name="w")
    wide = ours.normal_(torch.empty(1000), std=1e-6, seed=3, name="w")
    assert same(half, wide.half()) and half.count_nonzero() > 900


@pytest.mark.parametrize("piece", [1, 7, 64, 1000, 10**6])
@pytest.mark.parametrize(
    "init", ["normal", "truncated_normal", "xavier_uniform", "orthogonal", "sparse(sparsity=0.2)"]
)
def test_pieces_have_the_bits_of_the_whole(piece: int, init: str) -> None:
    for shape in ((37, 11), (3, 5, 4, 2)) if not init.startswith("sparse") else ((37, 11),):
        tensor = torch.empty(shape)
        Filler(piece).fill(tensor, init, 3, "w")
        assert same(tensor, expected(init, shape, torch.float32, "w"))


def test_pieces_are_consecutive_and_complete() -> None:
    box = ((1, 4), (0, 5), (2, 9))
    for most in (1, 3, 7, 20, 35, 70, 105, 1000):
        found = list(pieces(box, most))
        assert all(volume(piece) <= most for piece in found)
        elements = torch.arange(5 * 6 * 10).view(5, 6, 10)
        cut = [elements[tuple(slice(a, b) for a, b in piece)].reshape(-1) for piece in found]
        assert torch.equal(torch.cat(cut), elements[1:4, 0:5, 2:9].reshape(-1))


def test_boxes_of_many_dimensions() -> None:
    shape, box = (4, 5, 6, 7, 3), ((1, 3), (2, 4), (0, 5), (1, 6), (1, 2))
    assert levels(shape, box) > 3
    part = torch.empty([b - a for a, b in box])
    Filler().fill(part, "normal", 3, "w", shape, box)
    whole = expected("normal", shape, torch.float32, "w")
    assert same(part, whole[tuple(slice(a, b) for a, b in box)])


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: ours.normal_(torch.empty(3, device="meta"), seed=0, name="w"), "meta device"),
        (
            lambda: ours.normal_(torch.empty(3, dtype=torch.complex64), seed=0, name="w"),
            "complex64",
        ),
        (lambda: ours.normal_([1.0], seed=0, name="w"), "a torch.Tensor"),  # type: ignore[arg-type]
        (lambda: ours.normal_(torch.empty(3), std=-1, seed=0, name="w"), "std"),
        (
            lambda: ours.normal_(torch.empty(3, dtype=torch.int64), seed=0, name="w"),
            "(?i)i64|int64",
        ),
        (lambda: ours.xavier_normal_(torch.empty(3), seed=0, name="w"), "(?i)fan|dimension"),
        (lambda: ours.orthogonal_(torch.empty(3), seed=0, name="w"), "2 or more dimensions"),
        (lambda: ours.sparse_(torch.empty(3), 0.1, seed=0, name="w"), "2 dimensions"),
        (lambda: ours.dirac_(torch.empty(3, 3)), "3, 4, or 5"),
        (lambda: ours.dirac_(torch.empty(3, 3, 3), 2), "divisible"),
        (lambda: ours.eye_(torch.empty(3)), "2 dimensions"),
        (lambda: ours.kaiming_normal_(torch.empty(3, 3), mode="fan", seed=0, name="w"), "fan"),
        (
            lambda: ours.normal_(torch.empty(3), generator=torch.Generator(), seed=0, name="w"),
            "generator",
        ),  # type: ignore[call-arg]
        (lambda: ours.normal_(torch.empty(3)), "seed"),  # type: ignore[call-arg]
    ],
)
def test_errors_say_what_is_wrong(call: object, part: str) -> None:
    with pytest.raises((ValueError, TypeError), match=part):
        call()  # type: ignore[operator]
