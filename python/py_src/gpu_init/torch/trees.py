"""Arguments and results of operators: lists, tuples and dictionaries of tensors or views."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from .views import View


def leaves(tree: Any) -> Iterator[Any]:
    """What is not a list, tuple or dictionary, in order. A view is a leaf."""
    if isinstance(tree, (list, tuple)) and not isinstance(tree, View):
        for part in tree:
            yield from leaves(part)
    elif isinstance(tree, dict):
        for part in tree.values():
            yield from leaves(part)
    else:
        yield tree


def tensors(tree: Any) -> list[torch.Tensor]:
    """The tensors among the leaves."""
    return [leaf for leaf in leaves(tree) if isinstance(leaf, torch.Tensor)]


def views(tree: Any) -> list[View]:
    """The views among the leaves."""
    return [leaf for leaf in leaves(tree) if isinstance(leaf, View)]


def mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """The same tree with each leaf changed."""
    if isinstance(tree, View):
        return change(tree)
    if isinstance(tree, (list, tuple)):
        parts = [mapped(change, part) for part in tree]
        return parts if isinstance(tree, list) else tuple(parts)
    if isinstance(tree, dict):
        return {key: mapped(change, part) for key, part in tree.items()}
    return change(tree)
