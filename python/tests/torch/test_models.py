"""Ten models beside their own initialization; `compare_models.py` has the rest."""

import dataclasses

import gpu_init.torch as ours
import numpy as np
import pytest
import torch
import zoo
from compare_models import LEAST_P, Result, compare, compare_samples
from torch import nn

ARCHITECTURES = ("bert", "clip", "gpt2", "mamba", "mixtral", "t5", "vit", "whisper")


def check(result: Result, tensors: int) -> None:
    """Nothing wrong, and something compared."""
    assert result.wrong == []
    assert result.tensors >= tensors and result.tests > 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_hugging_face(name: str) -> None:
    pytest.importorskip("transformers")
    check(compare(zoo.hugging_face(name)), 20)


@pytest.mark.parametrize("name", ["mobilenetv3_small_100", "vit_tiny_patch16_224"])
def test_timm(name: str) -> None:
    pytest.importorskip("timm")
    check(compare(zoo.timm_model(name)), 100)


@pytest.mark.parametrize(
    "name", ["Embedding", "MultiheadAttention", "TransformerEncoder", "weight_norm"]
)
def test_torch(name: str) -> None:
    check(compare(zoo.torch_modules()[name]), 1)


def test_oddities() -> None:
    check(compare(zoo.Oddities), 26)


class Two(nn.Module):
    """A parameter of a chosen spread, a row of zeros, and a copy."""

    def __init__(self, std: float = 0.02, row: int = 0, copies: bool = True) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(300, 40) * std)
        self.w.data[row] = 0
        self.v = nn.Parameter(self.w.detach().clone() if copies else torch.randn(300, 40) * std)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"std": 0.022}, "p ="),
        ({"row": 1}, "deterministic elements differ"),
        ({"copies": False}, "alike"),
    ],
)
def test_the_comparison_finds_what_is_wrong(options: dict[str, float], part: str) -> None:
    check(compare(Two), 2)
    found = compare(Two, ours.trace(lambda: Two(**options))).wrong  # type: ignore[arg-type]
    assert any(part in wrong for wrong in found), found


def test_the_comparison_of_few_values() -> None:
    generator = np.random.default_rng(0)
    right, wrong = Result(), Result()
    theirs = generator.integers(0, 5, 4000).astype(float)
    compare_samples(right, "same", generator.integers(0, 5, 4000).astype(float), theirs)
    compare_samples(wrong, "other", generator.integers(0, 4, 4000).astype(float), theirs)
    assert right.wrong == [] and right.least_p > LEAST_P
    assert len(wrong.wrong) == 1 and dataclasses.asdict(wrong)["tests"] == 1
