"""What `trace` understands, what it refuses, and that nothing stays changed."""

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gpu_init.torch as ours
import numpy as np
import pytest
import torch
import zoo
from gpu_init.torch import TraceError, UnknownTensorsError
from torch import nn


def words(build: Any, **options: Any) -> dict[str, str]:
    """The distributions of a model in words."""
    return {name: entry.distribution for name, entry in ours.trace(build, **options).items()}


class Made(nn.Module):
    """A module of one parameter, and what is done to it."""

    def __init__(
        self, *shape: int, by: Callable[[torch.Tensor], object], dtype: Any = None
    ) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(*shape, dtype=dtype))
        with torch.no_grad():
            by(self.w)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (lambda w: w.normal_(), "normal(mean=0.0, std=1.0)"),
        (lambda w: w.normal_(0.5, std=2), "normal(mean=0.5, std=2.0)"),
        (lambda w: w.normal_().mul_(-0.5).add_(1), "normal(mean=1.0, std=0.5)"),
        (lambda w: w.normal_().div_(4).sub_(torch.tensor(1.0)), "normal(mean=-1.0, std=0.25)"),
        (lambda w: w.copy_(torch.randn(6, 4).neg()), "normal(mean=-0.0, std=1.0)"),
        (lambda w: w.copy_(torch.normal(1.0, 2.0, (6, 4))), "normal(mean=1.0, std=2.0)"),
        (lambda w: w.copy_(1 - torch.rand(6, 4) * 4), "uniform(a=-3.0, b=1.0)"),
        (lambda w: w.uniform_(2, 2), "constant(2.0)"),
        (lambda w: w.normal_(3, 0), "constant(3.0)"),
        (lambda w: w.fill_(1).mul_(0.1), "constant(0.10000000149011612)"),
        (lambda w: w.copy_(torch.zeros(4)), "zeros"),
        (lambda w: w.normal_().zero_(), "zeros"),
        (lambda w: w.normal_().fill_(1), "ones"),
        (lambda w: w.t().normal_(), "normal(mean=0.0, std=1.0)"),
        (lambda w: w.view(-1)[:].normal_(), "normal(mean=0.0, std=1.0)"),
        (lambda w: w.normal_()[2].zero_(), "normal(mean=0.0, std=1.0), [2:3, :] zeros"),
        (
            lambda w: w.normal_()[:, 1:3].fill_(2),
            "normal(mean=0.0, std=1.0), [:, 1:3] constant(2.0)",
        ),
        (
            lambda w: w[2:].normal_() + w[:2].zero_().mean(),
            "[2:6, :] normal(mean=0.0, std=1.0), [0:2, :] zeros",
        ),
        (lambda w: w.zero_().normal_().clamp_(-1, 1), "computed from normal_"),
        (lambda w: w.normal_().exp_(), "computed from normal_"),
        (
            lambda w: w.normal_()[1].mul_(2),
            "normal(mean=0.0, std=1.0), [1:2, :] normal(mean=0.0, std=2.0)",
        ),
        (lambda w: w.copy_(torch.randn(4)), "computed from randn"),
        (lambda w: w.copy_(torch.randn(6, 4).half()), "computed from randn"),
        (lambda w: w.copy_(torch.linspace(0, 1, 24).view(6, 4)), "computed"),
        (lambda w: w.copy_(torch.from_numpy(np.arange(24.0).reshape(6, 4))), "computed"),
        (lambda w: w.copy_(torch.Tensor(6, 4).fill_(5)), "constant(5.0)"),
        (
            lambda w: nn.init.trunc_normal_(w, std=0.02),
            "truncated_normal(mean=0.0, std=0.02, a=-2.0, b=2.0)",
        ),
        (
            lambda w: nn.init.trunc_normal_(w).mul_(-0.5),
            "truncated_normal(mean=-0.0, std=0.5, a=-1.0, b=1.0)",
        ),
        (lambda w: nn.init.orthogonal_(w, 2), "orthogonal(gain=2.0)"),
        (lambda w: nn.init.orthogonal_(w).mul_(3), "orthogonal(gain=3.0)"),
        (lambda w: nn.init.orthogonal_(w.t()), "computed from orthogonal_"),
        (lambda w: nn.init.orthogonal_(w.view(12, 2)), "computed from orthogonal_"),
        (lambda w: nn.init.dirac_(w.view(6, 2, 2)), "computed"),
        (lambda w: nn.init.sparse_(w, 0.5), "sparse(sparsity=0.5, std=0.01)"),
        (lambda w: nn.init.eye_(w), "eye"),
        (lambda w: w.bernoulli_(0.5), "computed from bernoulli_"),
    ],
)
def test_operations(by: Callable[[torch.Tensor], object], expected: str) -> None:
    assert words(lambda: Made(6, 4, by=by)) == {"w": expected}


def test_timms_truncated_normal() -> None:
    def erfinv(w: torch.Tensor, clamp: float = 2) -> None:
        low, high = (torch.erf(torch.tensor(b / 2**0.5)).item() for b in (-2, 2))
        w.uniform_(low, high).erfinv_().mul_(0.1 * 2**0.5).add_(0.5).clamp_(
            0.5 - 0.1 * clamp, 0.5 + 0.1 * clamp
        )

    assert words(lambda: Made(3, 3, by=erfinv)) == {
        "w": "truncated_normal(mean=0.5, std=0.1, a=0.3, b=0.7)"
    }
    # Bounds within the quantiles pile values up at them.
    assert words(lambda: Made(3, 3, by=lambda w: erfinv(w, 1.5))) == {"w": "computed from uniform_"}


def test_narrow_types() -> None:
    assert words(lambda: Made(4, 4, by=lambda w: w.normal_(), dtype=torch.bfloat16)) == {
        "w": "normal(mean=0.0, std=1.0)"
    }
    by_float = lambda w: w.copy_(torch.randn(4, 4))  # noqa: E731
    assert words(lambda: Made(4, 4, by=by_float, dtype=torch.float16)) == {
        "w": "normal(mean=0.0, std=1.0)"
    }
    assert ours.trace(lambda: nn.Linear(3, 3).bfloat16())["weight"].dtype == torch.bfloat16


def test_default_type_of_the_construction() -> None:
    def build() -> nn.Module:
        torch.set_default_dtype(torch.bfloat16)
        module = nn.Module()
        module.register_buffer("narrow", torch.arange(3) / 7)
        module.w = nn.Parameter(torch.randn(3))
        return module

    plan = ours.trace(build)
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(
        plan["narrow"].values(), torch.tensor([0, 1 / 7, 2 / 7], dtype=torch.bfloat16)
    )
    assert plan["w"].dtype == torch.bfloat16


def test_what_python_reads_is_computed() -> None:
    def build() -> nn.Module:
        with torch.device("meta"):
            rates = torch.linspace(0, 0.5, 3)
            size = int(torch.ones(4).sum().item())
            listed = [round(x, 3) for x in rates.tolist()]
            array = (rates * 2).numpy()
            count = len(torch.nonzero(torch.arange(5) > 2))
            module = nn.Linear(size, count)
            module.register_buffer("listed", torch.tensor(listed))
            module.register_buffer("array", torch.from_numpy(array))
            return module

    plan = ours.trace(build)
    assert plan["weight"].shape == (2, 4)
    assert plan["listed"].values().tolist() == torch.tensor([0, 0.25, 0.5]).tolist()
    assert plan["array"].values().tolist() == [0, 0.5, 1]


def test_devices_that_this_machine_may_lack() -> None:
    def build() -> nn.Module:
        module = nn.Sequential(nn.Linear(3, 3, device="cuda"), nn.Embedding(4, 3).to("cuda:1"))
        module.register_buffer("range", torch.arange(3, device="cuda") * 2)
        with torch.device("cuda"):
            module.append(nn.LayerNorm(3))
        return module.cuda()

    plan = ours.trace(build)
    assert plan["0.weight"].distribution.startswith("uniform")
    assert plan["1.weight"].distribution == "normal(mean=0.0, std=1.0)"
    assert plan["2.weight"].distribution == "ones"
    assert plan["range"].values().tolist() == [0, 2, 4]


def test_code_that_does_something_else_on_meta() -> None:
    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(3))
            if self.w.device != torch.device("meta") and self.w.is_cpu and not self.w.data.is_meta:
                nn.init.orthogonal_(self.w.data.view(1, 3))

        def init_weights(self) -> None:
            if self.w.device.type == "cpu":
                self.w.data.fill_(2)

    assert words(Careful) == {"w": "computed from orthogonal_"}
    with torch.device("meta"):
        model = Careful()
    assert words(model) == {"w": "constant(2.0)"}
    assert model.w.is_meta


def test_types_that_only_pytorch_draws() -> None:
    build = lambda: nn.ParameterDict(  # noqa: E731
        {
            "complex": nn.Parameter(torch.randn(50, dtype=torch.complex64)),
            "narrow": nn.Parameter(torch.randn(50).to(torch.float8_e5m2), requires_grad=False),
        }
    )
    plan = ours.trace(build)
    assert plan["narrow"].distribution == "normal(mean=0.0, std=1.0)"
    assert plan["complex"].distribution == "computed from randn"
    value = plan["complex"].values(3)
    assert torch.equal(value, plan["complex"].values(3)) and value.imag.std() > 0.4
    assert not torch.equal(value, plan["complex"].values(4))
    assert torch.equal(ours.init_(build(), 3, plan=plan)["complex"], value)


def test_reading_a_random_value_is_refused() -> None:
    with pytest.raises(TraceError, match="random value"):
        ours.trace(lambda: nn.Linear(2, int(torch.rand(()).item() * 3) + 1))


def test_relations_between_tensors_stay() -> None:
    plan = ours.trace(zoo.Oddities)
    value = {name: entry.values(5) for name, entry in plan.items()}
    assert torch.equal(value["affine"], value["copied"])
    assert torch.equal(value["affine"].t(), value["transposed_copy"])
    assert torch.equal(value["affine"] * 0.5, value["scaled_copy"])
    assert torch.equal(value["affine"].sum(0), value["summed"])
    assert torch.equal(value["repeated"][0], value["repeated"][3])
    assert not torch.equal(value["columns"][:6, :5], value["views"][:6, :5])

    def normed() -> nn.Module:
        return nn.utils.parametrizations.weight_norm(nn.Linear(24, 32))

    value = ours.trace(normed).values(5)
    v, g = (value[f"parametrizations.weight.original{i}"] for i in (1, 0))
    assert torch.equal(torch.norm_except_dim(v, 2, 0), g)


def test_copied_layers_stay_alike_unless_told() -> None:
    def build() -> nn.Module:
        return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)

    names = "layers.0.linear1.weight", "layers.1.linear1.weight"
    one, other = (ours.trace(build)[name].values() for name in names)
    assert torch.equal(one, other)
    one, other = (ours.trace(build, independent_copies=True)[name].values() for name in names)
    assert not torch.equal(one, other)


def test_unknown_tensors_are_named() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.good = nn.Linear(2, 2)
            self.never = nn.Parameter(torch.empty(3))
            self.partly = nn.Parameter(torch.empty(3, 3))
            self.partly.data[1:].zero_()
            self.derived = nn.Parameter(self.never.detach() * 2)
            self.register_buffer("mixed", torch.stack([torch.zeros(3), torch.empty(3)]))

    with pytest.raises(UnknownTensorsError, match="never: nothing wrote it") as caught:
        ours.trace(Forgetful)
    assert set(caught.value.tensors) == {"never", "partly", "derived", "mixed"}
    plan = ours.trace(Forgetful, on_unknown="torch")
    assert set(plan.unknown) == {"never", "partly", "derived", "mixed"}
    model = ours.init_(Forgetful(), plan=plan)
    assert torch.equal(model.partly[1:], torch.zeros(2, 3))
    assert torch.equal(model.good.weight, plan["good.weight"].values(42))


def test_numpys_randomness_is_found() -> None:
    class Random(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(3))
            self.a = nn.Parameter(torch.from_numpy(np.random.rand(3)))
            self.b = nn.Parameter(torch.full((3,), random.random()))
            self.register_buffer("c", torch.arange(3))
            np.random.rand()

    with pytest.raises(UnknownTensorsError) as caught:
        ours.trace(Random)
    assert set(caught.value.tensors) == {"a", "b"}


def test_lazy_modules_are_refused() -> None:
    with pytest.raises(TraceError, match=r"weight.* lazy"):
        ours.trace(lambda: nn.LazyLinear(3))


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="not int"):
        ours.trace(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="returned int"):
        ours.trace(lambda: 3)  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match="on_unknown"):
        ours.trace(lambda: nn.Linear(1, 1), on_unknown="x")  # type: ignore[arg-type]


def test_models_that_exist() -> None:
    model = nn.Sequential(
        nn.Linear(4, 3), nn.BatchNorm1d(3), nn.MultiheadAttention(4, 2), nn.Embedding(5, 2, 1)
    )
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    identities = [id(tensor) for tensor in (*model.parameters(), *model.buffers())]
    plan = ours.trace(model)
    assert {name: entry.distribution for name, entry in plan.items()} == words(
        lambda: nn.Sequential(
            nn.Linear(4, 3), nn.BatchNorm1d(3), nn.MultiheadAttention(4, 2), nn.Embedding(5, 2, 1)
        )
    )
    assert identities == [id(tensor) for tensor in (*model.parameters(), *model.buffers())]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())

    transformer = nn.Transformer(8, 2, 1, 1, 16)
    assert words(transformer) == words(lambda: nn.Transformer(8, 2, 1, 1, 16))

    class Custom(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 2)
            nn.init.ones_(self.inner.weight)

    with pytest.raises(TraceError, match="Custom may initialize"):
        ours.trace(Custom())
    told = words(
        Custom(),
        initialize=lambda model: model.inner.weight.data.normal_() + model.inner.bias.data.zero_(),
    )
    assert told == {"inner.weight": "normal(mean=0.0, std=1.0)", "inner.bias": "zeros"}
    with pytest.raises(UnknownTensorsError, match=r"inner.bias: nothing wrote it"):
        ours.trace(Custom(), initialize=lambda model: model.inner.weight.data.normal_())


def test_parameters_that_are_replaced() -> None:
    def replace(model: nn.Linear) -> None:
        model.weight = nn.Parameter(torch.rand(2, 3))
        model.bias.data = torch.randn(2)

    model = nn.Linear(3, 2)
    weight, bias = model.weight, model.bias.detach().clone()
    assert words(model, initialize=replace) == {
        "weight": "uniform(a=0.0, b=1.0)",
        "bias": "normal(mean=0.0, std=1.0)",
    }
    assert model.weight is weight and torch.equal(model.bias, bias)


def test_init_weights_of_the_model() -> None:
    class Titan(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(2, 2, bias=False)
            self.register_buffer("rope", torch.arange(4) * 2)

        def init_weights(self) -> None:
            nn.init.trunc_normal_(self.a.weight, std=0.1)

    assert words(Titan()) == {
        "a.weight": "truncated_normal(mean=0.0, std=0.1, a=-2.0, b=2.0)",
        "rope": "computed",
    }
    with torch.device("meta"):
        model = Titan()
    with pytest.raises(UnknownTensorsError, match="rope"):
        ours.trace(model)


# What construction may change, and whether it is as it was.


class Boom(Exception):
    """Raised in constructors."""


@pytest.fixture
def unchanged() -> Iterator[None]:
    """Fails if something of the process differs afterwards."""

    def state() -> list[object]:
        functions = [value for value in vars(nn.init).values() if hasattr(value, "__code__")]
        return [
            torch.get_rng_state().tolist(),
            random.getstate(),
            np.random.get_state()[1].tolist(),  # type: ignore[index,union-attr]
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.get_default_device(),
            [(function, function.__code__) for function in functions],
            dict(vars(nn.Module)),
            len(torch.utils._python_dispatch._get_current_dispatch_mode_stack()),
            torch.overrides._get_current_function_mode_stack(),
        ]

    before = state()
    yield
    assert state() == before


class Busy(nn.Module):
    """Uses everything."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)
        nn.Module.smart = lambda module: None  # type: ignore[attr-defined]
        self.w = nn.Parameter(nn.init.orthogonal_(torch.empty(3, 3)))
        self.v = nn.Parameter(torch.rand(3, device="cpu").log())
        torch.set_grad_enabled(False)
        if fails:
            raise Boom


@pytest.mark.usefixtures("unchanged")
def test_the_process_stays_as_it_was() -> None:
    ours.trace(lambda: Busy(False)).values()


@pytest.mark.usefixtures("unchanged")
def test_the_process_stays_as_it_was_after_an_error() -> None:
    with pytest.raises(Boom):
        ours.trace(lambda: Busy(True))

    def fail(model: nn.Module) -> None:
        raise Boom

    model = nn.Linear(2, 2, device="meta")
    weight = model.weight
    with pytest.raises(Boom):
        ours.trace(model, initialize=fail)
    assert model.weight is weight


def test_other_threads_initialize_meanwhile() -> None:
    inside, done = threading.Event(), threading.Event()
    found: list[torch.Tensor] = []

    def other() -> None:
        inside.wait()
        found.append(nn.init.orthogonal_(torch.empty(8, 8)))
        done.set()

    def build() -> nn.Module:
        inside.set()
        assert done.wait(20)
        return Made(4, 4, by=nn.init.orthogonal_)

    thread = threading.Thread(target=other)
    thread.start()
    assert words(build) == {"w": "orthogonal(gain=1.0)"}
    thread.join()
    assert torch.allclose(found[0] @ found[0].t(), torch.eye(8), atol=1e-5)


def test_a_trace_within_a_trace() -> None:
    def build() -> nn.Module:
        assert words(lambda: Made(4, 4, by=nn.init.orthogonal_)) == {"w": "orthogonal(gain=1.0)"}
        return Made(4, 4, by=nn.init.trunc_normal_)

    assert words(build) == {"w": "truncated_normal(mean=0.0, std=1.0, a=-2.0, b=2.0)"}


def test_a_plan_is_a_mapping_and_a_table() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(2, 3, bias=False)
            self.b = nn.Linear(2, 3, bias=False)
            self.b.weight = self.a.weight

    plan = ours.trace(Tied)
    assert list(plan) == ["a.weight", "b.weight"] and len(plan) == 2
    assert plan["a.weight"] is plan["b.weight"] and plan["a.weight"].aliases == ("b.weight",)
    assert repr(plan).splitlines() == [
        "tensor    shape   dtype    distribution",
        "a.weight  [3, 2]  float32  "
        "uniform(a=-0.7071067811865474, b=0.7071067811865474) = b.weight",
    ]
    with pytest.raises(KeyError):
        plan["c"]
