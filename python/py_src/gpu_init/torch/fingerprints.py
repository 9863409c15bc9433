"""Fingerprints of models: 64 bits over every element, its place and its tensor's name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from gpu_init._fill import fingerprint_in_model

from .dtensor import is_dtensor
from .fill import NAMES, raw_bytes
from .modules import named_tensors


def fingerprint(model: nn.Module) -> str:
    """The fingerprint of what a checkpoint has of a model, as `gpu-init model` prints it.

    DTensors are gathered one after the other, so that all processes have to call it.
    """

    def whole(tensor: Any) -> torch.Tensor:
        full: torch.Tensor = tensor.full_tensor() if is_dtensor(tensor) else tensor
        return full

    persistent = [one for one in named_tensors(model) if one.is_persistent]
    return fingerprint_of((one.name, whole(one.tensor)) for one in persistent)


def fingerprint_of(tensors: Iterable[tuple[str, torch.Tensor]]) -> str:
    """The fingerprint of tensors by name, each once."""
    total = 0
    for name, tensor in tensors:
        tensor = tensor.detach().cpu().contiguous()
        # The elements of a type that cannot be filled are its bytes.
        dtype = NAMES.get(tensor.dtype, "uint8")
        if tensor.numel():
            total += fingerprint_in_model(name, raw_bytes(tensor).numpy(), dtype)
    return f"{total % 2**64:016x}"
