"""`init_` on models of every kind of memory."""

import copy
from typing import Any

import gpu_init.torch as ours
import pytest
import torch
import zoo
from gpu_init.torch import TraceError, UnknownTensorsError
from torch import nn


class Model(nn.Module):
    """A little of everything."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, width, padding_idx=2)
        self.norm = nn.BatchNorm1d(width)
        self.head = nn.Linear(width, 9, bias=False)
        self.head.weight = self.embedding.weight
        self.frozen = nn.Parameter(torch.randn(width, width).t(), requires_grad=False)
        self.low = nn.Linear(width, width).to(torch.bfloat16)
        self.register_buffer("positions", torch.arange(width) * 2, persistent=False)
        self.register_buffer("rates", torch.rand(width).log())


def tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers."""
    return {
        name: tensor.detach().clone()
        for name, tensor in [
            *model.named_parameters(remove_duplicate=False),
            *model.named_buffers(),
        ]
    }


def assert_same(one: nn.Module, other: nn.Module) -> None:
    """Compares types and bits."""
    a, b = tensors(one), tensors(other)
    assert list(a) == list(b)
    for name in a:
        assert a[name].dtype == b[name].dtype, name
        assert (
            a[name]
            .contiguous()
            .view(-1)
            .view(torch.uint8)
            .equal(b[name].contiguous().view(-1).view(torch.uint8))
        ), name


@pytest.fixture(scope="module")
def plan() -> ours.TorchPlan:
    """The model's plan."""
    return ours.trace(Model)


def test_ordinary_models_in_place(plan: ours.TorchPlan) -> None:
    model = Model()
    places = {name: tensor.data_ptr() for name, tensor in model.named_parameters()}
    assert ours.init_(model, 5, plan=plan) is model
    assert places == {name: tensor.data_ptr() for name, tensor in model.named_parameters()}
    for name, tensor in tensors(model).items():
        assert torch.equal(tensor, plan[name].values(5)), name
    assert model.embedding.weight[2].count_nonzero() == 0
    assert model.embedding.weight.count_nonzero() == 8 * 6
    assert not torch.equal(model.frozen, ours.init_(Model(), 6, plan=plan).frozen)
    assert_same(model, ours.init_(Model(), 5, plan=ours.trace(Model)))


def test_meta_models(plan: ours.TorchPlan) -> None:
    with torch.device("meta"):
        model = Model()
    model.frozen.note = "kept"  # type: ignore[attr-defined]
    ours.init_(model, 5, plan=plan, device="cpu")
    assert_same(model, ours.init_(Model(), 5, plan=plan))
    assert model.head.weight is model.embedding.weight
    assert model.embedding.weight.requires_grad and not model.frozen.requires_grad
    assert isinstance(model.frozen, nn.Parameter) and model.frozen.note == "kept"
    model.head(model.norm(model.embedding(torch.arange(9)))).sum().backward()


def test_partly_meta_models(plan: ours.TorchPlan) -> None:
    model = Model()
    model.low.to_empty(device="meta")
    ours.init_(model, 5, plan=plan)
    assert_same(model, ours.init_(Model(), 5, plan=plan))


def test_wiped_buffers_are_filled(plan: ours.TorchPlan) -> None:
    with torch.device("meta"):
        model = Model()
    model.to_empty(device="cpu")
    with torch.no_grad():
        model.positions.zero_()
    ours.init_(model, 5, plan=plan)
    assert model.positions.tolist() == [0, 2, 4, 6, 8, 10]


def test_the_default_device_is_taken(plan: ours.TorchPlan) -> None:
    with torch.device("meta"):
        model = ours.init_(Model(), 5, plan=plan)
    assert model.low.weight.device.type == "cpu"


def test_a_part_of_the_plans_model(plan: ours.TorchPlan) -> None:
    model = Model()
    del model.low, model.norm
    ours.init_(model, 5, plan=plan)
    assert torch.equal(model.rates, plan["rates"].values(5))


def test_names_of_wrappers_do_not_count(plan: ours.TorchPlan) -> None:
    whole = ours.init_(Model(), 5, plan=plan)
    model = Model()
    ours.init_(torch.compile(model), 5, plan=plan)
    assert_same(model, whole)
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    model = Model()
    model.low = checkpoint_wrapper(model.low)
    ours.init_(model, 5, plan=plan)
    assert torch.equal(model.low.weight, whole.low.weight)


def test_what_does_not_fit_the_plan(plan: ours.TorchPlan) -> None:
    with pytest.raises(
        TraceError, match=r"frozen has the shape \(4, 4\), not the plan's, \(6, 6\)|embedding"
    ):
        ours.init_(Model(4), plan=plan)
    model = Model()
    model.more = nn.Linear(2, 2)
    before = tensors(model)
    with pytest.raises(UnknownTensorsError, match=r"more.weight: the plan does not have it"):
        ours.init_(model, plan=plan)
    assert all(torch.equal(before[name], tensor) for name, tensor in tensors(model).items())


def test_meta_tensors_that_nothing_wrote() -> None:
    def build() -> nn.Module:
        module = nn.Module()
        module.w = nn.Parameter(torch.empty(3))
        return module

    plan = ours.trace(build, on_unknown="torch")
    with torch.device("meta"):
        model = build()
    with pytest.raises(UnknownTensorsError, match="no values for them"):
        ours.init_(model, plan=plan)


def test_half_of_a_model_keeps_the_others_type(plan: ours.TorchPlan) -> None:
    model = Model().to(torch.bfloat16)
    ours.init_(model, 5, plan=plan)
    assert model.frozen.dtype == torch.bfloat16
    assert torch.equal(model.frozen, plan["frozen"].values(5).to(torch.bfloat16))


def test_seeds_and_their_range(plan: ours.TorchPlan) -> None:
    largest = ours.init_(Model(), 2**64 - 1, plan=plan)
    assert largest.frozen.isfinite().all()
    with pytest.raises((ValueError, OverflowError)):
        ours.init_(Model(), -1, plan=plan)


def test_pytorchs_generator_is_left_alone(plan: ours.TorchPlan) -> None:
    model = Model()
    before = torch.get_rng_state()
    ours.init_(model, 5, plan=plan)
    ours.trace(zoo.Oddities).values(3)
    assert torch.equal(torch.get_rng_state(), before)


# Hugging Face: the traps of models that exist.

transformers = pytest.importorskip("transformers")


def llama(**options: Any) -> Any:
    """A small configuration."""
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "vocab_size": 40}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    return transformers.LlamaConfig(**sizes, **heads, pad_token_id=3, **options)


@pytest.mark.parametrize("tied", [False, True])
def test_every_way_gives_hugging_faces_models_the_same_bits(tied: bool) -> None:
    config = llama(tie_word_embeddings=tied)

    def build() -> nn.Module:
        return transformers.LlamaForCausalLM(config)

    def on_meta() -> nn.Module:
        with torch.device("meta"):
            return build()

    expected = ours.init_(build(), plan=ours.trace(build))
    assert expected.model.embed_tokens.weight[3].count_nonzero() == 0
    assert (expected.lm_head.weight is expected.model.embed_tokens.weight) == tied
    assert expected.lm_head.weight[4].count_nonzero() == 16
    for model in (
        ours.init_(build()),
        ours.init_(on_meta()),
        ours.init_(on_meta(), plan=ours.trace(on_meta)),
        ours.init_(on_meta().to_empty(device="cpu"), plan=ours.trace(build)),
        ours.init_(copy.deepcopy(build())),
    ):
        assert_same(model, expected)


def test_marks_and_ties_of_hugging_face_stay() -> None:
    model = transformers.LlamaForCausalLM(llama(tie_word_embeddings=True))

    def marks() -> list[object]:
        modules = [vars(module).get("_is_hf_initialized") for module in model.modules()]
        return [*modules, hasattr(nn.Module, "smart_apply"), id(model.lm_head.weight)]

    before, weight = marks(), model.lm_head.weight
    value = weight.clone()
    assert True in before
    plan = ours.trace(model)
    assert before == marks() and model.lm_head.weight is weight and torch.equal(weight, value)
    assert plan["lm_head.weight"] is plan["model.embed_tokens.weight"]
    assert "zeros" in plan["lm_head.weight"].distribution


def test_what_only_the_constructor_of_hugging_face_says() -> None:
    build = zoo.hugging_face("wav2vec2")
    expected = ours.trace(build)
    found = ours.trace(build())
    assert {n: e.distribution for n, e in found.items()} == {
        n: e.distribution for n, e in expected.items()
    }
    assert (
        "uniform"
        in found["encoder.pos_conv_embed.conv.parametrizations.weight.original1"].distribution
    )
