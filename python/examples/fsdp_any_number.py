"""The same weights under FSDP2 on any number of processes, without a seed checkpoint.

    torchrun --nproc-per-node 1 fsdp_any_number.py
    torchrun --nproc-per-node 4 fsdp_any_number.py     # prints the same fingerprint

PyTorch's own initialization depends on the number of processes, so torchtitan has one process write
a seed checkpoint from which all others start. Here each process fills its own shards, without
communication and without a file, and they are those of the whole model.

On GPUs write "nccl" for "gloo", "cuda" for "cpu", and first torch.cuda.set_device(local_rank).
"""

import gpu_init.torch
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import init_device_mesh
from torch.distributed.fsdp import fully_shard


class Block(nn.Module):
    """A layer of a transformer."""

    def __init__(self, width: int) -> None:
        """Makes the layer as PyTorch does."""
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attends, then transforms."""
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.feed_forward(self.norm(x))


class Transformer(nn.Module):
    """A transformer with an initialization of its own and a tied head."""

    def __init__(self, width: int = 60, layers: int = 3, words: int = 500) -> None:
        """Makes the layers and initializes them."""
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("positions", torch.arange(64))
        for number, block in enumerate(self.blocks):
            nn.init.trunc_normal_(block.feed_forward[2].weight, std=0.02 / (2 * number + 2) ** 0.5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Gives the logits of the next words."""
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def main() -> None:
    """Shards the model, initializes it, and takes a step."""
    dist.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))

    plan = gpu_init.torch.trace(Transformer)
    with torch.device("meta"):
        model = Transformer()
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    gpu_init.torch.init_(model, seed=42, plan=plan)

    fingerprint = gpu_init.torch.fingerprint(model)
    loss = model(torch.arange(1, 33).view(2, 16)).logsumexp(-1).mean()
    loss.backward()
    if dist.get_rank() == 0:
        print(f"{dist.get_world_size()} processes: fingerprint {fingerprint}, loss {loss:.4f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
