"""A plan's rules files: the program, Python and a model have one fingerprint."""

import json
from collections.abc import Callable
from pathlib import Path

import gpu_init
import gpu_init.torch as ours
import pytest
import torch
import zoo
from gpu_init.torch.plan import fingerprint_of
from torch import nn

Program = Callable[..., str]


class Tied(nn.Module):
    """Padding rows, ties, and buffers that checkpoints do not have."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 6, padding_idx=2)
        self.blocks = nn.ModuleList(nn.Linear(6, 6) for _ in range(12))
        nn.init.normal_(self.blocks[3].weight)
        self.head = nn.Linear(6, 9)
        self.head.weight = self.embedding.weight
        self.odd = nn.ParameterDict({"a{b}'*": nn.Parameter(torch.rand(3)), "a,b": torch.ones(2)})
        self.register_buffer("lost", torch.arange(5), persistent=False)
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("minus", torch.full((2,), -0.0))
        self.register_buffer("third", torch.full((2,), 1 / 3, dtype=torch.float64))
        self.register_buffer("tenth", torch.full((2,), 0.1, dtype=torch.float16))


@pytest.mark.parametrize(
    ("build", "kept"),
    [
        (zoo.Oddities, 19),
        (Tied, 1),
        (lambda: nn.Linear(3, 4), 0),
        (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2), 6),
    ],
)
def test_one_fingerprint(
    build: Callable[[], nn.Module], kept: int, program: Program, tmp_path: Path
) -> None:
    plan = ours.trace(build)
    files = plan.to_rules(tmp_path / "made", seed=7)
    assert (files.kept is not None) == (kept > 0)
    report = json.loads(program(*files.arguments, "--device", "cpu", "--json"))
    model = ours.init_(build(), 7, plan=plan)
    assert report["fingerprint"] == plan.fingerprint(7) == ours.fingerprint(model)
    dry = json.loads(program(*files.arguments, "--dry-run", "--json"))
    assert dry["warnings"] == []
    assert report["kept"] == kept
    # Another seed, other weights.
    assert report["fingerprint"] != plan.fingerprint(8) or (
        kept == 0 and not any(e.is_random for e in plan.entries)
    )


def test_the_programs_file_loads_into_the_model(program: Program, tmp_path: Path) -> None:
    load = pytest.importorskip("safetensors.torch").load_file
    plan = ours.trace(Tied)
    out = tmp_path / "model.safetensors"
    program(*plan.to_rules(tmp_path, seed=7).arguments, "--device", "cpu", "--out", out)
    model = Tied()
    missing = model.load_state_dict(load(out), strict=False)
    assert missing.missing_keys == ["head.weight"] and not missing.unexpected_keys
    expected = ours.init_(Tied(), 7, plan=plan).state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    program("verify", out)


def test_rules_are_short(tmp_path: Path) -> None:
    text = ours.trace(Tied).to_rules(tmp_path).rules.read_text()
    assert "zero_row = 2" in text
    assert 'match = "{blocks.*.bias,head.bias}"' in text
    assert '"{blocks.0.weight,blocks.1.weight,blocks.2.weight,blocks.4.weight,' in text
    assert 'tied = [["embedding.weight", "head.weight"]]' in text
    assert "lost" not in text


def test_unknown_tensors_have_no_rules(tmp_path: Path) -> None:
    def build() -> nn.Module:
        module = nn.Module()
        module.w = nn.Parameter(torch.empty(3))
        return module

    plan = ours.trace(build, on_unknown="torch")
    with pytest.raises(ours.UnknownTensorsError, match="w: nothing wrote it"):
        plan.to_rules(tmp_path)


def test_fingerprints_of_narrow_types() -> None:
    half = ours.normal_(torch.empty(8, dtype=torch.bfloat16), seed=0, name="w")
    one = gpu_init.fingerprint(half.view(torch.uint8).numpy(), dtype="bfloat16")
    assert (
        fingerprint_of([("w", half)])
        == f"{int(one, 16) * (gpu_init.stream_of('w') | 1) % 2**64:016x}"
    )
