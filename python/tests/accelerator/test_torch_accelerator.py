"""Tensors on PyTorch's accelerator (CUDA, XPU, MPS) beside the same ones on the CPU, bit for bit.

CI has no accelerator. In an environment that has the package, and PyTorch and JAX for one:

    python -m pytest -c python/pyproject.toml --rootdir python python/tests/accelerator
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gpu_init.torch as ours
import pytest
import torch
from gpu_init.torch.fill import NAMES, PIECE_BYTES
from torch import nn

DEVICE = torch.accelerator.current_accelerator()
PROGRAM = Path(__file__).with_name("fsdp_on_accelerator.py")


def test_there_is_an_accelerator() -> None:
    assert DEVICE is not None and DEVICE.type != "cpu"


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors have the same type, shape and bits."""
    as_bytes = [t.detach().cpu().contiguous().view(-1).view(torch.uint8) for t in (one, other)]
    return (one.dtype, one.shape) == (other.dtype, other.shape) and torch.equal(*as_bytes)


@pytest.mark.parametrize("dtype", [dtype for dtype in NAMES if dtype.is_floating_point], ids=str)
@pytest.mark.parametrize("pieces", [0.01, 1, 4.3])
def test_floats(dtype: torch.dtype, pieces: float) -> None:
    """Less than a piece, one, and more than the two that are staged at a time."""
    rows = int(pieces * PIECE_BYTES / dtype.itemsize / 1021)
    filled = []
    for device in (DEVICE, "cpu"):
        tensor = torch.empty(rows, 1021, dtype=dtype, device=device)
        filled.append(ours.normal_(tensor, std=0.25, seed=3, name="w"))
    assert filled[0].device.type == DEVICE.type
    assert same(*filled)


@pytest.mark.parametrize("dtype", list(NAMES), ids=str)
def test_every_type(dtype: torch.dtype) -> None:
    for fill in (ours.ones_, ours.zeros_):
        assert same(*(fill(torch.empty(257, dtype=dtype, device=on)) for on in (DEVICE, "cpu")))


FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "uniform": lambda t: ours.uniform_(t, -1, 2, seed=1, name="w"),
    "trunc_normal": lambda t: ours.trunc_normal_(t, std=0.02, seed=1, name="w"),
    "xavier_normal": lambda t: ours.xavier_normal_(t, seed=1, name="w"),
    "kaiming_uniform": lambda t: ours.kaiming_uniform_(t, a=5**0.5, seed=1, name="w"),
    "orthogonal": lambda t: ours.orthogonal_(t, seed=1, name="w"),
    "sparse": lambda t: ours.sparse_(t, 0.3, seed=1, name="w"),
    "eye": ours.eye_,
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_functions_and_strides(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Whole tensors, and parts of memory with other strides, beside which nothing changes."""
    assert same(*(function(torch.empty(130, 97, device=on)) for on in (DEVICE, "cpu")))
    around = [torch.full((300, 200), 7.0, device=on) for on in (DEVICE, "cpu")]
    for tensor in around:
        function(tensor[3:263:2, 5:102])
        function(tensor.t()[110:200, 270:300])
    assert same(*around)


def test_a_fill_waits_for_the_stream() -> None:
    """Work that was queued before is not overwritten by it, and what follows sees the values."""
    expected = ours.normal_(torch.empty(1 << 25), seed=5, name="w").sum(dtype=torch.float64)
    stream = torch.Stream(DEVICE)
    with stream:
        tensor = torch.empty(1 << 25, device=DEVICE)
        for _ in range(50):
            tensor.uniform_()
        ours.normal_(tensor, seed=5, name="w")
        total = tensor.cpu().sum(dtype=torch.float64)
    assert total == expected


class Model(nn.Module):
    """Tied, padded, fused and computed tensors, and more than fits the staging memory."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(70_001, 300, padding_idx=2)
        self.layer = nn.TransformerEncoderLayer(300, 4, batch_first=True)
        self.head = nn.Linear(300, 70_001, bias=False)
        self.head.weight = self.embedding.weight
        self.low = nn.Linear(300, 300).to(torch.bfloat16)
        self.steps = nn.Parameter((torch.rand(300) * 5 + 0.1).log())
        self.register_buffer("positions", torch.arange(512), persistent=False)
        self.register_buffer("rates", torch.linspace(0, 1, 7).exp())


def meta() -> Model:
    """The model without memory."""
    with torch.device("meta"):
        return Model()


def assert_same_model(one: nn.Module, other: nn.Module) -> None:
    """Compares all parameters and buffers."""
    theirs = {**dict(other.named_parameters()), **dict(other.named_buffers())}
    for name, tensor in [*one.named_parameters(), *one.named_buffers()]:
        assert same(tensor, theirs.pop(name)), name
    assert not theirs


def test_models() -> None:
    """On the meta device, on the accelerator already, and made under its device context."""
    plan = ours.trace(Model)
    expected = ours.init_(Model(), 42, plan=plan)
    fingerprint = ours.fingerprint(expected)
    from_meta = ours.init_(meta(), 42, plan=plan, device=DEVICE)
    assert from_meta.low.weight.device.type == DEVICE.type
    assert from_meta.head.weight is from_meta.embedding.weight
    with torch.device(DEVICE):
        made = Model()
        there = ours.trace(Model)
    pointers = [parameter.data_ptr() for parameter in made.parameters()]
    ours.init_(made, 42, plan=there)
    assert pointers == [parameter.data_ptr() for parameter in made.parameters()]
    for model in (from_meta, made, ours.init_(Model().to(DEVICE), 42, plan=plan)):
        assert ours.fingerprint(model) == fingerprint
        assert_same_model(model, expected)


def test_a_model_of_modules_without_a_plan() -> None:
    models = [nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.LSTM(8, 9)) for _ in "ab"]
    models[0].to(DEVICE)
    assert_same_model(*(ours.init_(model, 7) for model in models))


def test_fsdp() -> None:
    """DTensors on the accelerator, by its own library of collectives, in one process."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "1", str(PROGRAM)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    accelerated, plain = done.stdout.split()[-2:]
    assert accelerated == plain
