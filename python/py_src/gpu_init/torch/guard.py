"""Leaves the process as it was: generators, default type, attributes of nn.Module."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch


class Draws:
    """Whether Python's or numpy's generators were used."""

    def __init__(self) -> None:
        """Notes the generators' states."""
        self._before = _states()
        self.happened = False

    def look(self) -> None:
        """Compares the generators' states with those at the start."""
        self.happened = self.happened or _states() != self._before


def _states() -> tuple[object, ...]:
    numpy: Any = np.random.get_state()
    return random.getstate(), numpy[1].tobytes(), numpy[2:]


@contextlib.contextmanager
def unchanged_process(seed: int) -> Iterator[Draws]:
    """Seeds Python's and numpy's generators; puts back what construction of a model may change."""
    python, numpy = random.getstate(), np.random.get_state()
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    module = dict(vars(torch.nn.Module))
    cuda: Any = torch.cuda
    devices = range(cuda.device_count()) if cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices):
        try:
            random.seed(seed)
            np.random.seed(seed)
            draws = Draws()
            yield draws
            draws.look()
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(grad)
            for name in set(vars(torch.nn.Module)) - set(module):
                delattr(torch.nn.Module, name)
            for name, value in module.items():
                if vars(torch.nn.Module).get(name) is not value:
                    setattr(torch.nn.Module, name, value)
