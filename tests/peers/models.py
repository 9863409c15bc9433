#!/usr/bin/env python3
"""Compares whole models by gpu-init's recipes with the same models by Hugging Face, or by the code that a recipe names.

Every model is small. Its tensors are compared group by group, a group being those that one rule gives one
distribution: constants to the bit, the others as samples, of which each large tensor's mean and deviation are tested
alone, too. Prints a table; fails if a row differs, or if a negative control does not, or if the recipes' `fits` and
`unlike` select others than the lists' own, or if PyTorch reads an element type as another.
"""
import argparse
import collections
import fnmatch
import itertools
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import zlib

import numpy
import safetensors.numpy
import safetensors.torch
import torch
import transformers

from checks import ENOUGH, Outcome
from model_lists import ARCHITECTURES, list_text, saved

FALSE_ALARM = 1e-4  # The chance that any row fails though all distributions are the same.
ROOT = pathlib.Path(__file__).parents[2]
RECIPES = ROOT / "src" / "model" / "recipes"
LISTS = ROOT / "tests" / "models" / "hf"

EXACT = {"zeros", "ones", "constant", "arange", "keep"}
# Values by a formula. The peers compute with F32 throughout: an angle of up to 1500 radians is off by 1e-4.
WITHIN = {"log_arange": 1e-6, "sinusoidal": 2e-4, "sinusoidal_2d": 1e-6}
# The expected norm of a kernel, where theirs is its own norm: of 4096 values here: 5 standard deviations.
EXPECTED = {"positional convolution, norms": 0.035}
# Pairs that must be found to differ: the truncation, the norm weights, the padding token's row.
CONTROLS = [("mistral", "llama"), ("gemma3", "huggingface"), ("opt", "huggingface")]


def olmo_core(model):
    """What the recipe llama is after, in place of Hugging Face's N(0, 0.02)."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                std = 0.02 / math.sqrt(2 * model.config.num_hidden_layers) if residual else 0.02
                torch.nn.init.trunc_normal_(weight, std=std, a=-3 * std, b=3 * std)


OTHER_LAWS = {"llama": (olmo_core, "OLMo-core's law")}


class GpuInit:
    """The program, with its own recipes or those in a folder."""

    def __init__(self, program, recipes, folder):
        self.program, self.recipes, self.folder = program, recipes, pathlib.Path(folder)

    def model(self, recipe, architecture, tensors):
        """The plan and the tensors."""
        listed, out = self.folder / "list.json", self.folder / "model.safetensors"
        listed.write_text(list_text(architecture, tensors))
        rules = ["--rules", self.recipes / f"{recipe}.toml"] if self.recipes else ["--recipe", recipe]
        plan = json.loads(self.run("model", listed, *rules, "--seed", "1", "--dry-run", "--json"))
        self.run("model", listed, *rules, "--seed", "1", "--device", "cpu", "--out", out, "--force")
        return plan, safetensors.numpy.load_file(out)

    def run(self, *arguments):
        answer = subprocess.run([self.program, *arguments], capture_output=True, text=True)
        if answer.returncode:
            raise RuntimeError(f"{' '.join(answer.stderr.split())[:300]}, status {answer.returncode}")
        return answer.stdout


class Row:
    """An architecture by a recipe, compared."""

    def __init__(self, architecture, recipe, must_differ=False):
        self.architecture, self.recipe, self.must_differ = architecture, recipe, must_differ
        self.tensors = self.constants = 0
        self.outcomes = {}  # By group.
        self.faults = []
        self.law = ""
        self.failed, self.verdict = False, ""

    def compare(self, program):
        torch.manual_seed(zlib.crc32(self.architecture.name.encode()))
        model = self.architecture.build(self.architecture.small)
        if self.recipe in OTHER_LAWS and not self.must_differ:
            law, self.law = OTHER_LAWS[self.recipe]
            law(model)
        theirs = {name: tensor.detach().contiguous() for name, tensor in saved(model).items()}
        plan, ours = program.model(self.recipe, self.architecture.model, theirs)
        theirs = {name: tensor.numpy() for name, tensor in theirs.items()}
        self.tensors = len(theirs)
        if ours.keys() != theirs.keys():
            self.faults.append(f"other names: {sorted(ours.keys() ^ theirs.keys())[:3]}")
            return
        self.faults += plan["warnings"]
        groups = collections.defaultdict(list)
        for entry in plan["plan"]:
            groups[entry["rule"], entry["init"], entry["std"]].append(entry["name"])
        rules = tomllib.loads((RECIPES / f"{self.recipe}.toml").read_text())["rules"]
        for (rule, init, std), names in groups.items():
            pairs = {name: (ours[name], theirs[name]) for name in names}
            self.compare_group(rules[rule - 1]["name"], init.split("(")[0], std, pairs)

    def compare_group(self, rule, init, std, pairs):
        for name, (ours, theirs) in pairs.items():
            if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
                self.faults.append(f"{name}: {ours.dtype} {ours.shape} and {theirs.dtype} {theirs.shape}")
                return
        if init in EXACT | WITHIN.keys():
            for name, (ours, theirs) in pairs.items():
                self.compare_values(name, ours, theirs, WITHIN.get(init, 0), EXPECTED.get(rule, 0))
            return
        outcome, samples = Outcome(), [[], []]
        for name, pair in pairs.items():
            zeros = [zero_rows(tensor) for tensor in pair]
            if (zeros[0] != zeros[1]).any():
                self.faults.append(f"{name}: rows {numpy.flatnonzero(zeros[0])[:3]} are zero, "
                                   f"theirs are {numpy.flatnonzero(zeros[1])[:3]}")
                return
            pair = [tensor[~zeros[0]].ravel() if tensor.ndim > 1 else tensor for tensor in pair]
            for sample, values in zip(samples, pair, strict=True):
                sample.append(values)
            if len(pairs) > 1 and pair[0].size >= ENOUGH:
                one = Outcome()
                one.compare_moments(*pair)
                outcome.p_values |= {f"{test} of {name}": p for test, p in one.p_values.items()}
        samples = [numpy.concatenate(sample) for sample in samples]
        constant = [sample.min() == sample.max() for sample in samples]
        if any(constant):
            self.faults.append(f"{next(iter(pairs))}: {'ours' if constant[0] else 'theirs'} is constant")
            return
        outcome.elements = samples[0].size
        outcome.compare_samples("", *samples)
        outcome.compare_moments(*samples)
        self.outcomes[f"{rule}, std {std or math.nan:.3g}"] = outcome

    def compare_values(self, name, ours, theirs, within, relative):
        if relative:
            same = (abs(ours / theirs - 1) <= relative).all()
        else:
            same = (abs(ours - theirs) <= within * numpy.maximum(1, abs(theirs))).all()
        self.constants += bool(same)
        if not same:
            greatest = abs(ours.astype(float) - theirs.astype(float)).max()
            self.faults.append(f"{name}: values differ by up to {greatest:.3g}")

    def p_values(self):
        tests = [(group, *test) for group, outcome in self.outcomes.items() for test in outcome.p_values.items()]
        return {f"{group}: {test}": p for group, test, p in tests}

    def judge(self, threshold):
        found = self.faults + [f"{name} p = {p:.1e}" for name, p in self.p_values().items() if not p >= threshold]
        if self.must_differ:
            self.failed = not found
            self.verdict = f"differs, as it must: {found[0]}" if found else "FAIL: must differ and does not"
        else:
            self.failed = bool(found)
            self.verdict = f"FAIL: {'; '.join(found[:4])}" if found else self.law or "the same"

    def cells(self):
        least = min(self.p_values().items(), key=lambda item: item[1], default=None)
        ratios = [(outcome.std_ratio, outcome.std_ratio_error) for outcome in self.outcomes.values()]
        ratio = max(ratios, key=lambda ratio: abs(ratio[0] - 1) / ratio[1], default=None)
        return [self.architecture.name, self.recipe, str(self.tensors), str(self.constants), str(len(self.outcomes)),
                f"{sum(outcome.elements for outcome in self.outcomes.values()):,}",
                f"{least[1]:.2g}" if least else "-",
                f"{ratio[0]:.4f} ± {ratio[1]:.4f}" if ratio else "-", self.verdict]


COLUMNS = ["architecture", "recipe", "tensors", "constants equal", "distributions", "values of each", "least p",
           "std ratio furthest from 1, in errors", "verdict"]


def zero_rows(tensor):
    return ~tensor.reshape(len(tensor), -1).any(axis=1) if tensor.ndim > 1 else numpy.array([False])


def matches(pattern, name):
    """A glob of gpu-init: fnmatch's, with alternatives in braces."""
    choice = re.search(r"\{([^{}]*)\}", pattern)
    if choice:
        start, end = choice.span()
        return any(matches(pattern[:start] + part + pattern[end:], name) for part in choice[1].split(","))
    return fnmatch.fnmatchcase(name, pattern)


def misfits():
    """The lists that the `fits` of another recipe select, or not those of their own."""
    recipes = {path.stem: tomllib.loads(path.read_text()) for path in sorted(RECIPES.glob("*.toml"))}
    for architecture in ARCHITECTURES:
        names = json.loads((LISTS / f"{architecture.name}.json").read_text()).keys() - {"__metadata__"}
        found = {
            recipe for recipe, rules in recipes.items() if "fits" in rules
            and all(any(matches(pattern, name) for name in names) for pattern in rules["fits"])
            and not any(matches(*pair) for pair in itertools.product(rules.get("unlike", []), names))
        }
        # The general recipes fit nothing by themselves; Mistral has Llama's names.
        wanted = {"mistral": {"llama"}}.get(architecture.name, {architecture.recipe} - {"huggingface"})
        if found != wanted:
            yield f"{architecture.name}: {sorted(found)} fit, not {sorted(wanted)}"


def unread_types(program, folder):
    """The element types that PyTorch does not load from the program's file as what they are."""
    types = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn",
             "F8_E5M2": "float8_e5m2", "BOOL": "bool"}
    types |= {f"{sign}{bits}": f"{name}{bits}" for sign, name in [("I", "int"), ("U", "uint")] for bits in (8, 16, 32, 64)}
    listed, out = pathlib.Path(folder) / "types.json", pathlib.Path(folder) / "types.safetensors"
    listed.write_text(json.dumps({name: {"dtype": name, "shape": [3, 2]} for name in types}))
    rules = pathlib.Path(folder) / "types.toml"
    rules.write_text('default = "arange"')
    program.run("model", listed, "--rules", rules, "--device", "cpu", "--out", out)
    tensors = safetensors.torch.load_file(out)
    for name, theirs in types.items():
        tensor = tensors[name]
        if tensor.dtype != getattr(torch, theirs) or tensor.double().tolist() != [[0.0, 1.0]] * 3:
            yield f"{name}: PyTorch reads {tensor.dtype} {tensor.double().tolist()}"


def table_line(cells):
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="the gpu-init program")
    parser.add_argument("--recipes", type=pathlib.Path, help="a folder of rules, instead of the program's own")
    parser.add_argument("--only", default="", help="a part of the architecture's name")
    args = parser.parse_args()
    named = {architecture.name: architecture for architecture in ARCHITECTURES}
    rows = [Row(architecture, architecture.recipe) for architecture in ARCHITECTURES]
    rows += [Row(named[name], recipe, must_differ=True) for name, recipe in CONTROLS]
    rows = [row for row in rows if args.only in row.architecture.name]
    with tempfile.TemporaryDirectory() as folder:
        program = GpuInit(args.program, args.recipes, folder)
        for row in rows:
            try:
                row.compare(program)
            except RuntimeError as error:
                row.faults.append(str(error))
                row.must_differ = False
        unread = list(unread_types(program, folder))
    p_values = [p for row in rows for p in row.p_values().values()]
    threshold = FALSE_ALARM / max(1, len(p_values))
    for row in rows:
        row.judge(threshold)
    print(f"transformers {transformers.__version__}, PyTorch {torch.__version__}.", end="\n\n")
    print(table_line(COLUMNS), table_line(["---"] * len(COLUMNS)), sep="\n")
    for row in rows:
        print(table_line(row.cells()))
    print(f"\n{len(p_values)} p-values; a row fails below {threshold:.1e}.")
    wrong = [f"{row.architecture.name} by {row.recipe}: {row.verdict}" for row in rows if row.failed]
    wrong += [*misfits(), *unread]
    for line in wrong:
        print(line, file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
