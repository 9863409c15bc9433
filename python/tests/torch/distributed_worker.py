"""Run by torchrun: models of DTensors filled by `init_`, beside the same model in one process."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from typing import Any

import gpu_init.torch
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.distributed.tensor.placement_types import _StridedShard

SEED = 7


class Block(nn.Module):
    """A layer with sizes that no number of processes divides."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(10, 23)
        self.down = nn.Linear(23, 10)
        self.norm = nn.LayerNorm(10)
        self.few = nn.Parameter(torch.empty(2, 5))
        self.time = nn.Parameter(torch.empty(23))
        self.register_buffer("positions", torch.arange(9) * 3, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The initialization."""
        nn.init.trunc_normal_(self.few, std=0.5)
        with torch.no_grad():
            self.time.copy_(torch.log(torch.rand(23) + 0.1))


class Model(nn.Module):
    """An embedding with a padding row, tied to the head, and layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(29, 10, padding_idx=1)
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.kernel = nn.Conv2d(3, 7, 3)
        self.square = nn.Parameter(torch.empty(9, 6))
        nn.init.orthogonal_(self.square)
        self.head = nn.Linear(10, 29, bias=False)
        self.head.weight = self.embedding.weight


def whole(plan: gpu_init.torch.TorchPlan) -> dict[str, torch.Tensor]:
    """The tensors of one process."""
    model = gpu_init.torch.init_(Model(), SEED, plan=plan)
    return {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}


def check(name: str, model: nn.Module, plan: gpu_init.torch.TorchPlan) -> None:
    """Fills a model and compares it with the one of one process, bit for bit."""
    gpu_init.torch.init_(model, SEED + 1, plan=plan)
    gpu_init.torch.init_(model, SEED, plan=plan)
    expected = whole(plan)
    sharded = 0
    for key, tensor in [*model.named_parameters(remove_duplicate=False), *model.named_buffers()]:
        value: Any = tensor.detach()
        if isinstance(value, DTensor):
            sharded += 1
            value = value.full_tensor()
        assert torch.equal(value, expected[key].detach()), f"{name}: {key} differs"
    assert sharded or name == "plain", f"{name} has no DTensor"


def meta_model() -> nn.Module:
    """The model without memory."""
    with torch.device("meta"):
        return Model()


def fsdp(mesh: Any, placement: Callable[[nn.Parameter], Any] | None = None) -> nn.Module:
    """The model under FSDP2."""
    model = meta_model()
    options = {} if placement is None else {"shard_placement_fn": placement}
    for block in model.blocks:
        fully_shard(block, mesh=mesh, **options)
    fully_shard(model, mesh=mesh, **options)
    return model


def distributed(mesh: Any, *placements: Any) -> nn.Module:
    """The model with each parameter on the mesh, by placements that its dimensions allow."""
    model = meta_model()
    made: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for key, parameter in list(module._parameters.items()):
            if parameter is None:
                continue
            if id(parameter) not in made:
                fitting = [
                    one if not hasattr(one, "dim") or one.dim < parameter.ndim else Replicate()
                    for one in placements
                ]
                tensor = distribute_tensor(torch.empty(parameter.shape), mesh, fitting)
                made[id(parameter)] = nn.Parameter(tensor)
                parameter._keep = made  # type: ignore[attr-defined]
            module._parameters[key] = made[id(parameter)]
    return model


def tensor_parallel(mesh: Any) -> nn.Module:
    """Columns and rows of the layers over a mesh."""
    model = meta_model()
    for block in model.blocks:
        parallelize_module(block, mesh, {"up": ColwiseParallel(), "down": RowwiseParallel()})
    return model


def check_strided(mesh: Any) -> None:
    """A free-standing `_StridedShard`: every process' rows, against PyTorch's own split."""
    size = mesh.size(0)
    for shape, dim, factor in (((24, 3), 0, 2), ((3, 24), 1, 4), ((13, 5), 0, 3), ((2, 7), 0, 2)):
        placement = _StridedShard(dim, split_factor=factor)
        full = torch.empty(shape)
        gpu_init.torch.normal_(full, seed=SEED, name="w")
        parts = placement._split_tensor(full, size, with_padding=False, contiguous=True)[0]
        mine = parts[mesh.get_coordinate()[0]]
        sharded = DTensor.from_local(
            torch.empty_like(mine),
            mesh,
            [placement],
            run_check=False,
            shape=full.shape,
            stride=full.stride(),
        )
        gpu_init.torch.normal_(sharded, seed=SEED, name="w")
        assert torch.equal(sharded.to_local(), mine), (shape, dim, factor)


def check_own_code(mesh: Any) -> None:
    """A model of DTensors without a plan: its own initialization, traced on stand-ins."""
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {
        "hidden_size": 12,
        "intermediate_size": 20,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    config = LlamaConfig(**sizes, vocab_size=31, pad_token_id=3, tie_word_embeddings=True)
    expected = gpu_init.torch.init_(LlamaForCausalLM(config), SEED)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    fully_shard(model.model.layers[0], mesh=mesh)
    fully_shard(model, mesh=mesh)
    gpu_init.torch.init_(model, SEED)
    for (key, tensor), value in zip(
        model.state_dict().items(), expected.state_dict().values(), strict=True
    ):
        assert torch.equal(tensor.full_tensor(), value), key
    assert torch.equal(model.model.rotary_emb.inv_freq, expected.model.rotary_emb.inv_freq)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    model(torch.zeros(1, 4, dtype=torch.int64)).logits.sum().backward()


def check_partial(mesh: Any) -> None:
    """`Partial` has no values of its own."""
    partial = DTensor.from_local(torch.zeros(4), mesh, [Partial()])
    try:
        gpu_init.torch.normal_(partial, seed=SEED, name="w")
    except ValueError as error:
        assert "Partial" in str(error), error
    else:
        raise AssertionError("Partial was filled")


def main() -> None:
    """All layouts that this number of processes has."""
    dist.init_process_group("gloo")
    size = dist.get_world_size()
    mesh = init_device_mesh("cpu", (size,), mesh_dim_names=("all",))
    plan = gpu_init.torch.trace(Model)
    check("plain", meta_model(), plan)
    check("FSDP2", fsdp(mesh), plan)
    check(
        "FSDP2, dim 1",
        fsdp(mesh, lambda p: Shard(p.ndim - 1) if p.shape[-1] % size == 0 else None),
        plan,
    )
    check("Shard(0)", distributed(mesh, Shard(0)), plan)
    check("Shard(1)", distributed(mesh, Shard(1)), plan)
    check("Shard(3)", distributed(mesh, Shard(3)), plan)
    check("Replicate", distributed(mesh, Replicate()), plan)
    check("tensor parallel", tensor_parallel(mesh), plan)
    check_strided(mesh)
    check_partial(mesh)
    if importlib.util.find_spec("transformers"):
        check_own_code(mesh)
    if size % 2 == 0:
        grid = init_device_mesh("cpu", (2, size // 2), mesh_dim_names=("dp", "tp"))
        check("HSDP", fsdp(grid), plan)
        for placements in (
            (Shard(0), Shard(0)),
            (Shard(0), Shard(1)),
            (Shard(1), Replicate()),
            (Shard(1), Shard(0)),
        ):
            check(f"grid {placements}", distributed(grid, *placements), plan)
        both = tensor_parallel(grid["tp"])
        for block in both.blocks:
            fully_shard(block, mesh=grid["dp"])
        fully_shard(both, mesh=grid["dp"])
        check("FSDP2 over tensor parallel", both, plan)
    dist.barrier()
    if dist.get_rank() == 0:
        print(f"{size} processes agree")
    dist.destroy_process_group()


if __name__ == "__main__":
    # gloo looks up the host's name otherwise, which machines without a network lack.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    sys.exit(main())
