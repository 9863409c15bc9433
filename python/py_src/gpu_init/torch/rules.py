"""A plan as files for the program `gpu-init model`: rules, a list of tensors, kept values."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

import gpu_init
from gpu_init._dtypes import safetensors_name

from .fill import NAMES, Filler, raw_bytes
from .laws import Law
from .views import whole

if TYPE_CHECKING:
    from .plan import Entry, Part, TorchPlan

# As safetensors files name them.
DTYPES = {dtype: safetensors_name(name) for dtype, name in NAMES.items()} | {torch.complex64: "C64"}
SIMPLE = re.compile(r"[A-Za-z0-9_./ -]+")
# Patterns of one rule; a compiled pattern has a limit.
MOST_PATTERNS = 100


@dataclass(frozen=True)
class RuleFiles:
    """The files of `TorchPlan.to_rules`."""

    rules: Path
    tensors: Path
    kept: Path | None

    @property
    def arguments(self) -> list[str]:
        """What `gpu-init` takes to make the model: `["model", "tensors.json", "--rules", ...]`."""
        kept = [] if self.kept is None else ["--kept", str(self.kept)]
        return ["model", str(self.tensors), "--rules", str(self.rules), *kept]


def write_rules(plan: TorchPlan, folder: str | os.PathLike[str], seed: int) -> RuleFiles:
    """Writes a plan's files into a folder, which is made if it is not there."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries = [entry for entry in plan.entries if entry.is_persistent]
    groups: dict[tuple[str, int | None], list[str]] = {}
    kept: dict[str, torch.Tensor] = {}
    for entry in entries:
        if entry.dtype not in DTYPES:
            raise gpu_init.InvalidType(f"{entry.name}: safetensors files have no {entry.dtype}")
        rule = rule_of(entry)
        groups.setdefault(rule, []).append(entry.name)
        if rule[0] == "keep":
            kept[entry.name] = entry.values(seed)
    files = RuleFiles(
        folder / "rules.toml",
        folder / "tensors.json",
        folder / "kept.safetensors" if kept else None,
    )
    files.tensors.write_text(_list(entries))
    files.rules.write_text(_rules(groups, entries, seed))
    if files.kept is not None:
        save_file(kept, files.kept)
    return files


def rule_of(entry: Entry) -> tuple[str, int | None]:
    """The `init` of a tensor's rule and the row that it sets to zero."""
    if entry.parts is None or entry.dtype not in NAMES:
        return "keep", None
    if not entry.parts:
        return "zeros", None
    base, *others = entry.parts
    init = _init_of(base, entry)
    if init is None or base.box != whole(entry.shape):
        return "keep", None
    if not others:
        return init, None
    row = _zero_row(others, entry)
    return ("keep", None) if row is None else (init, row)


def _init_of(part: Part, entry: Entry) -> str | None:
    if isinstance(part.value, Law):
        text = part.value.text()
        is_own = part.stream == entry.name and part.shape == entry.shape
        return text if is_own and text and _is_taken(text, entry) else None
    return constant_text(part.value, entry.dtype)


def _is_taken(text: str, entry: Entry) -> bool:
    """Whether the library fills this type with this distribution, not by way of float32."""
    try:
        gpu_init.distribution(text, entry.shape, dtype=NAMES[entry.dtype])
    except ValueError:
        return False
    return True


def constant_text(value: float, dtype: torch.dtype) -> str | None:
    """The initializer that gives a type the bits that PyTorch's `fill_` gives it."""
    text = {0.0: "zeros", 1.0: "ones"}.get(float(value))
    for candidate in (
        text,
        f"constant(val={value!r})",
        f"constant(val={int(value)})" if value == value // 1 else None,
    ):
        if candidate is None:
            continue
        made = torch.empty(1, dtype=dtype)
        try:
            Filler().fill(made, candidate, 0, "w")
        except ValueError:
            continue
        if raw_bytes(made).equal(raw_bytes(torch.full((1,), value, dtype=dtype))):
            return candidate
    return None


def _zero_row(parts: list[Part], entry: Entry) -> int | None:
    if (
        len(parts) != 1
        or isinstance(parts[0].value, Law)
        or constant_text(parts[0].value, entry.dtype) != "zeros"
    ):
        return None
    (start, stop), *rest = parts[0].box
    return start if stop == start + 1 and tuple(rest) == whole(entry.shape[1:]) else None


def _list(entries: list[Entry]) -> str:
    lines = [
        json.dumps({name: {"dtype": DTYPES[entry.dtype], "shape": list(entry.shape)}})[1:-1]
        for entry in entries
        for name in (entry.name, *entry.aliases)
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _rules(groups: dict[tuple[str, int | None], list[str]], entries: list[Entry], seed: int) -> str:
    names = {name for entry in entries for name in (entry.name, *entry.aliases)}
    lines = ["# Written by gpu_init.torch from the model's own initialization.", f"seed = {seed}"]
    tied = [[entry.name, *entry.aliases] for entry in entries if entry.aliases]
    if tied:
        lines.append(f"tied = {json.dumps(tied)}")
    for (init, zero_row), group in groups.items():
        for pattern in _patterns(group, names):
            lines += ["", "[[rules]]", pattern, f"init = {json.dumps(init)}"]
            if init.startswith("dirac"):
                lines.append('layout = "out_in_kernel"')
            if zero_row is not None:
                lines.append(f"zero_row = {zero_row}")
    return "\n".join(lines) + "\n"


def _patterns(group: list[str], names: set[str]) -> Iterable[str]:
    """Patterns that match the names of the group, and no others."""
    own = set(group)
    templates: dict[str, None] = {}
    for name in group:
        template = re.sub(r"(?<![^.])\d+(?![^.])", "*", name)
        matched = re.compile(re.escape(template).replace(r"\*", ".*"))
        is_safe = SIMPLE.fullmatch(name) and all(
            one in own for one in names if matched.fullmatch(one)
        )
        templates.setdefault(template if is_safe else name)
    simple = [template for template in templates if SIMPLE.fullmatch(template.replace("*", ""))]
    other = [f"^{re.escape(template)}$" for template in templates if template not in simple]
    for start in range(0, len(simple), MOST_PATTERNS):
        some = simple[start : start + MOST_PATTERNS]
        yield f"match = {json.dumps(some[0] if len(some) == 1 else '{' + ','.join(some) + '}')}"
    for start in range(0, len(other), MOST_PATTERNS):
        yield f"regex = {json.dumps('|'.join(other[start : start + MOST_PATTERNS]))}"
