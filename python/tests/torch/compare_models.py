"""Compares `gpu_init.torch.init_` with the models' own initialization, tensor by tensor.

    python compare_models.py [--all] [NAME...]     the table of docs/pytorch.md
    python compare_models.py --classify            default configurations: how many classify whole

Three seeds of PyTorch tell which elements are deterministic: ours must have their bits. The others
are compared by two-sample Kolmogorov-Smirnov tests, each large tensor and all tensors of one
distribution together; those with few values by chi-squared tests. Tensors that are alike in PyTorch
must be alike in ours. Prints a row for each model, and fails if anything is wrong or missing.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import functools
import gc
import logging
import sys
import time
import warnings
from collections.abc import Iterable

import gpu_init.torch
import numpy as np
import torch
import zoo
from gpu_init.torch import TorchPlan
from scipy import stats
from torch import nn

# A run of a thousand tests fails by chance once in a hundred thousand.
LEAST_P = 1e-8
MOST_VALUES = 100_000


@dataclasses.dataclass
class Result:
    """What the comparison of one model found."""

    tensors: int = 0
    elements: int = 0
    deterministic: int = 0
    tests: int = 0
    least_p: float = 1.0
    wrong: list[str] = dataclasses.field(default_factory=list)

    def test(self, what: str, p: float) -> None:
        """Counts a test."""
        self.tests += 1
        self.least_p = min(self.least_p, p)
        if p < LEAST_P:
            self.wrong.append(f"{what}: p = {p:.2g}")


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, buffers that are not saved as well."""
    tensors = [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ]
    return {name: tensor.detach().clone() for name, tensor in tensors}


def built(build: zoo.Build, seed: int) -> nn.Module:
    """The model as PyTorch initializes it."""
    torch.manual_seed(seed)
    np.random.seed(0)
    return build()


def compare(build: zoo.Build, plan: TorchPlan | None = None) -> Result:
    """Compares one model."""
    plan = gpu_init.torch.trace(build) if plan is None else plan
    model = built(build, 1)
    theirs = [state(model), state(built(build, 2)), state(built(build, 3))]
    ours = [state(gpu_init.torch.init_(model, seed, plan=plan)) for seed in (42, 43)]
    result = Result()
    pools: dict[str, list[tuple[np.ndarray, np.ndarray]]] = collections.defaultdict(list)
    for name in theirs[0]:
        one = [tensors[name] for tensors in (*theirs, *ours)]
        compare_tensor(result, name, plan, one, pools)
    for words, pairs in pools.items():
        mine, other = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
        compare_samples(result, f"all of {words}", mine, other)
    if twins(theirs[0]) != twins(ours[0]):
        result.wrong.append(
            f"tensors that are alike: {twins(ours[0])} instead of {twins(theirs[0])}"
        )
    if missed := set(theirs[0]) ^ set(plan):
        result.wrong.append(f"names: {missed}")
    return result


def compare_tensor(
    result: Result,
    name: str,
    plan: TorchPlan,
    tensors: list[torch.Tensor],
    pools: dict[str, list[tuple[np.ndarray, np.ndarray]]],
) -> None:
    """Compares one tensor: three of theirs and two of ours."""
    shapes = {(tuple(tensor.shape), tensor.dtype) for tensor in tensors}
    if len(shapes) != 1:
        result.wrong.append(f"{name}: {shapes}")
        return
    first, second, third, mine, other = (bits(tensor) for tensor in tensors)
    result.tensors += 1
    result.elements += len(first)
    fixed = (first == second) & (second == third)
    # A value that others have by chance is one by chance here, too: zeros of a sparse matrix.
    fixed &= ~np.isin(first, first[~fixed])
    result.deterministic += int(fixed.sum())
    if not (first[fixed] == mine[fixed]).all():
        result.wrong.append(
            f"{name}: {int((first[fixed] != mine[fixed]).sum())} deterministic elements differ"
        )
    moving = ~fixed
    if not moving.any():
        return
    differ = (mine != other)[moving].mean()
    if differ < 0.2 * (first != second)[moving].mean():
        result.wrong.append(f"{name}: our seeds give the same values")
    values = [tensor.double().cpu().numpy().ravel()[moving] for tensor in (tensors[3], tensors[0])]
    compare_samples(result, name, *values)
    entry = plan[name]
    pool = pools[f"{entry.distribution} {entry.dtype}"]
    # Copies of one tensor are one sample.
    if all(not np.array_equal(values[0], known) for known, _ in pool):
        pool.append((values[0], values[1]))


def compare_samples(result: Result, what: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Tests whether two samples have one distribution."""
    if len(theirs) < 8:
        return
    if not np.isfinite(ours).all() or not np.isfinite(theirs).all():
        result.wrong.append(f"{what}: values that are not finite")
        return
    ours, theirs = sample(ours), sample(theirs)
    few = np.unique(np.concatenate([ours, theirs]))
    if len(few) <= 64 and len(few) < len(ours) / 2:
        counts = [[np.count_nonzero(side == value) for value in few] for side in (ours, theirs)]
        if len(few) > 1:
            result.test(what, float(stats.chi2_contingency(counts).pvalue))
        return
    result.test(what, float(stats.ks_2samp(ours, theirs, method="asymp").pvalue))
    if len(ours) >= 1000:
        result.test(f"{what}: mean", welch(ours, theirs))
        result.test(
            f"{what}: spread",
            welch(np.square(ours - ours.mean()), np.square(theirs - theirs.mean())),
        )


def sample(values: np.ndarray) -> np.ndarray:
    """At most so many values, evenly."""
    return values[:: -(-len(values) // MOST_VALUES)]


def welch(a: np.ndarray, b: np.ndarray) -> float:
    """The p-value of one mean."""
    return float(stats.ttest_ind(a, b, equal_var=False).pvalue)


def bits(tensor: torch.Tensor) -> np.ndarray:
    """A number for each element, equal for the same bits."""
    kinds = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    flat = tensor.cpu().contiguous().view(-1)
    return (
        flat.view(kinds[flat.element_size()]).numpy() if flat.dtype != torch.bool else flat.numpy()
    )


def twins(tensors: dict[str, torch.Tensor]) -> set[tuple[str, ...]]:
    """The names of tensors that have the same bytes, if these are not few."""
    groups: dict[bytes, list[str]] = collections.defaultdict(list)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel() >= 8 and len(tensor.unique()) > 4:
            groups[bits(tensor).tobytes()].append(name)
    return {tuple(sorted(names)) for names in groups.values() if len(names) > 1}


def families(names: Iterable[str], everything: bool) -> list[tuple[str, str, zoo.Build]]:
    """(family, name, builder) of the chosen models."""
    models = [("torch", name, build) for name, build in zoo.torch_modules().items()]
    models.append(("torch", "oddities", zoo.Oddities))
    models += [
        ("transformers", name, zoo.hugging_face(name)) for name in zoo.architectures(everything)
    ]
    models += [("timm", name, zoo.timm_model(name)) for name in zoo.TIMM]
    chosen = set(names)
    return [model for model in models if not chosen or model[1] in chosen or model[0] in chosen]


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="models or families; default: all of the table")
    parser.add_argument(
        "--all",
        action="store_true",
        help="every architecture of transformers that can be made small",
    )
    parser.add_argument("--classify", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    if options.classify:
        return classify(options.names)
    print(
        "| | model | tensors | elements | deterministic | tests | least p | wrong |\n"
        "|---|---|---:|---:|---:|---:|---:|---:|"
    )
    totals: collections.Counter[str] = collections.Counter()
    failed = []
    for family, name, build in families(options.names, options.all):
        try:
            result = compare(build)
        except Exception as error:  # one model's failure is a row of the table
            failed.append(f"{name}: {type(error).__name__}: {error}")
            print(f"| {family} | {name} | failed |", flush=True)
            continue
        failed += [f"{name}: {wrong}" for wrong in result.wrong]
        print(
            f"| {family} | {name} | {result.tensors} | {result.elements:,} "
            f"| {result.deterministic:,} | {result.tests} | {result.least_p:.2g} "
            f"| {len(result.wrong)} |",
            flush=True,
        )
        totals.update(
            models=1, tensors=result.tensors, elements=result.elements, tests=result.tests
        )
        totals.update(deterministic=result.deterministic)
        gc.collect()
    print(dict(totals))
    print("\n".join(failed))
    return bool(failed)


def classify(names: list[str]) -> int:
    """Traces every base architecture in its default configuration."""
    from transformers import AutoModel
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    whole, partly, broken = 0, {}, {}

    def build(name: str) -> nn.Module:
        return AutoModel.from_config(CONFIG_MAPPING[name]())

    for name in names or MODEL_MAPPING_NAMES:
        start = time.time()
        try:
            plan = gpu_init.torch.trace(functools.partial(build, name))
            whole += 1
            print(f"{name}: {len(plan)} tensors, {time.time() - start:.1f} s", flush=True)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            try:
                with torch.device("meta"):
                    build(name)
                partly[name] = reason
            except Exception:
                broken[name] = reason
            print(f"{name}: {reason.splitlines()[0]}", flush=True)
        gc.collect()
    print(
        f"{whole} classify whole, {len(partly)} do not, "
        f"{len(broken)} cannot be built on the meta device either"
    )
    for name, why in {**partly, **broken}.items():
        print(f"{name}: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
