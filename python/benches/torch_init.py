"""Times `gpu_init.torch.init_` beside PyTorch's own initialization of Llama-3.2-1B.

    python torch_init.py [--layers 16] [--rounds 3] [--values normal] [--device cuda]

Both initialize the same model in the same process, in turns; the best round counts. "used" is
memory that was written before; "new" is memory that the system has not yet given: the model is made
on the meta device, and its memory is allocated within the time. The figures of `init_` are with its
trace of the model's code, which is taken anew each time. On an accelerator PyTorch draws there, and
`init_` fills on the host and copies.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from functools import partial

import gpu_init.torch
import torch
from torch import nn


class Layer(nn.Module):
    """The matrices and norms of one layer of Llama-3.2-1B."""

    def __init__(self, width: int = 2048, hidden: int = 8192, keys: int = 512) -> None:
        """Takes the widths of the model, of its feed-forward layer and of keys and values."""
        super().__init__()
        sizes = {"q": (width, width), "k": (width, keys), "v": (width, keys), "o": (width, width)}
        sizes |= {"gate": (width, hidden), "up": (width, hidden), "down": (hidden, width)}
        self.matrices = nn.ModuleDict(
            {name: nn.Linear(*size, bias=False) for name, size in sizes.items()}
        )
        self.norms = nn.ModuleList(nn.RMSNorm(width) for _ in range(2))


class Llama(nn.Module):
    """Parameters of Llama-3.2-1B, with the head tied, and torchtitan's way to initialize them."""

    def __init__(self, layers: int, truncated: bool) -> None:
        """Takes the number of layers, and whether its normals are truncated."""
        super().__init__()
        self.truncated = truncated
        self.embedding = nn.Embedding(128256, 2048)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))
        self.norm = nn.RMSNorm(2048)

    @torch.no_grad()
    def init_weights(self) -> None:
        """The model's own initialization."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                if self.truncated:
                    nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
                else:
                    nn.init.normal_(module.weight, std=0.02)
            elif isinstance(module, nn.RMSNorm):
                nn.init.ones_(module.weight)


def meta(layers: int, truncated: bool) -> Llama:
    """The model without memory."""
    with torch.device("meta"):
        return Llama(layers, truncated)


def seconds(work: Callable[[], object], device: str) -> float:
    """The time that it takes, until the device is done."""
    gc.collect()
    start = time.perf_counter()
    work()
    if device != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter() - start


def used(layers: int, truncated: bool, rounds: int, device: str) -> tuple[float, float]:
    """The best times of PyTorch and of `init_` in memory that was written before."""
    model = meta(layers, truncated).to_empty(device=device)
    for parameter in model.parameters():
        parameter.data.zero_()
    few = 1 if truncated and device == "cpu" else rounds
    theirs = min(seconds(model.init_weights, device) for _ in range(few))
    ours = min(seconds(partial(gpu_init.torch.init_, model), device) for _ in range(rounds))
    return theirs, ours


def new(layers: int, truncated: bool, rounds: int, device: str) -> tuple[float, float]:
    """The best times with the allocation of the memory."""

    def torch_once() -> float:
        model = meta(layers, truncated)
        return seconds(lambda: model.to_empty(device=device).init_weights(), device)

    def ours_once() -> float:
        model = meta(layers, truncated)
        return seconds(lambda: gpu_init.torch.init_(model, device=device), device)

    few = 1 if truncated and device == "cpu" else rounds
    theirs = min(torch_once() for _ in range(few))
    return theirs, min(ours_once() for _ in range(rounds))


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--values", choices=["normal", "truncated normal"], help="default: both")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    gpu_init.torch.init_(nn.Linear(2, 2))
    count = sum(parameter.numel() for parameter in meta(options.layers, False).parameters())
    on = f"{torch.get_num_threads()} threads, {options.device}"
    print(f"torch {torch.__version__}, {on}, {count:,} float32 values")
    print("| values | memory | PyTorch, s | init_, s | ratio | ns a value |")
    print("|---|---|---:|---:|---:|---:|")
    for truncated in (True, False):
        words = "truncated normal" if truncated else "normal"
        if options.values not in (None, words):
            continue
        for measure in (used, new):
            theirs, ours = measure(options.layers, truncated, options.rounds, options.device)
            each = f"{theirs / count * 1e9:.2f} / {ours / count * 1e9:.2f}"
            row = [words, measure.__name__, f"{theirs:.3f}", f"{ours:.3f}", f"{theirs / ours:.1f}"]
            print(f"| {' | '.join(row)} | {each} |", flush=True)


if __name__ == "__main__":
    main()
