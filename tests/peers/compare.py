#!/usr/bin/env python3
"""Compares the distributions of gpu-init with those of PyTorch, Keras, JAX and Flax, by two-sample tests.

Prints a table; fails if a row differs from its peer, or if a negative control does not.
"""
import argparse
import dataclasses
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import zlib

import numpy

import peers
from cases import Case, all_cases
from checks import Outcome, Refused

FALSE_ALARM = 1e-4  # The chance that any row fails though all distributions are the same.


class GpuInit:
    """The program; its tensors are read from the files that it writes."""

    def __init__(self, program, folder):
        self.program, self.file = program, pathlib.Path(folder) / "x.npy"

    def draw(self, init, layout, shape, seed):
        tensor = ["--init", init, "--layout", layout, "--shape", "x".join(map(str, shape)), "--seed", str(seed)]
        output = ["--device", "cpu", "--out", self.file, "--force"]
        answer = subprocess.run([self.program, "fill", *tensor, *output], capture_output=True, text=True)
        if answer.returncode:
            # Status 2: it cannot parse its arguments.
            problem = Refused if answer.returncode == 1 else RuntimeError
            raise problem(f"{' '.join(answer.stderr.split())[:160]}, status {answer.returncode}")
        return numpy.load(self.file)


@dataclasses.dataclass
class Row:
    """A case with its outcome."""

    case: Case
    outcome: Outcome
    error: str | None  # The reason if there is no comparison.
    verdict: str = ""
    failed: bool = False

    def least(self):
        """The least p-value and its name."""
        return min(((p, name) for name, p in self.outcome.p_values.items()), default=(None, ""))

    def judge(self, threshold):
        found = list(self.outcome.faults)
        least, name = self.least()
        if least is not None and least < threshold:
            found.append(f"{name} p = {least:.1e}")
        found += [f"{name} p is not a number" for name, p in self.outcome.p_values.items() if math.isnan(p)]
        if self.error:
            self.failed, self.verdict = True, f"FAIL: {self.error}"
        elif self.case.must_differ:
            self.failed = not found
            self.verdict = f"differs, as it must: {found[0]}" if found else "FAIL: must differ and does not"
        else:
            self.failed = bool(found)
            self.verdict = f"FAIL: {'; '.join(found)}" if found else self.outcome.note or "same distribution"

    def cells(self):
        case, outcome = self.case, self.outcome
        least, name = self.least()
        ratio = f"{outcome.std_ratio:.5f} ± {outcome.std_ratio_error:.5f}" if outcome.std_ratio else "-"
        shape = "x".join(map(str, case.shape))
        return [f"`{case.init}`", f"{case.peer} {case.call}", f"{shape} {case.layout}",
                f"{outcome.elements:,}" if outcome.elements else "-",
                f"{outcome.distance:.5f}" if outcome.distance is not None else "-",
                f"{least:.2g} {name}" if least is not None else "-", ratio, self.verdict]

    def figures(self):
        case = {field: getattr(self.case, field)
                for field in ["init", "layout", "shape", "peer", "call", "must_differ"]}
        return {**case, **dataclasses.asdict(self.outcome), "verdict": self.verdict, "failed": self.failed}


COLUMNS = ["gpu-init", "peer", "shape, layout", "n of each", "KS D", "least p", "std ratio", "verdict"]


def table_line(cells):
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def compare(gpu_init, case):
    def ours(seed):
        return gpu_init.draw(case.init, case.layout, case.shape, seed)

    def theirs(seed):
        tensor = case.draw(case.shape, seed)
        if tensor.shape != case.shape:
            raise RuntimeError(f"{case.peer} gave the shape {tensor.shape}")
        return tensor

    # Each row has seeds of its own, which stay when other rows are added.
    first_seed = zlib.crc32(case.label.encode()) >> 1
    try:
        return Row(case, case.check(ours, theirs, first_seed), None)
    except Exception as problem:  # One row's failure must not lose the others.
        return Row(case, Outcome(), f"{type(problem).__name__}: {problem}")


def summary(rows, p_values, threshold):
    """Summarizes all p-values."""
    judged = [row for row in rows if not row.case.must_differ]
    yield (f"{len(judged)} rows, {sum(row.failed for row in judged)} failed. {len(p_values)} p-values; one "
           f"below {threshold:.1e} fails, so that the chance of any false alarm is below {FALSE_ALARM:g}.")
    if p_values:
        low, lower = (sum(p < limit for p in p_values) for limit in (0.01, 0.001))
        yield (f"The least p-value is {min(p_values):.2g}; the median of the least of that number is "
               f"{1 - 0.5 ** (1 / len(p_values)):.2g}. {low} are below 0.01, {0.01 * len(p_values):.1f} "
               f"expected; {lower} below 0.001, {0.001 * len(p_values):.1f} expected.")
    controls = [row for row in rows if row.case.must_differ]
    yield f"{len(controls)} negative controls, {sum(row.failed for row in controls)} failed."


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gpu_init", help="the program: target/release/gpu-init")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows whose label contains TEXT")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write every figure to FILE")
    args = parser.parse_args()

    cases = [case for case in all_cases() if args.only in case.label]
    if not cases:
        parser.error(f"no row has {args.only!r}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        gpu_init = GpuInit(args.gpu_init, folder)
        for index, case in enumerate(cases, 1):
            print(f"{index}/{len(cases)} {case.label}", file=sys.stderr)
            rows.append(compare(gpu_init, case))
    p_values = [p for row in rows if not row.case.must_differ for p in row.outcome.p_values.values()]
    threshold = FALSE_ALARM / max(len(p_values), 1)
    for row in rows:
        row.judge(threshold)

    versions = {peer: peers.version(peer) for peer in peers.PACKAGES}
    print(", ".join(f"{peer} {version}" for peer, version in versions.items()), end=".\n\n")
    print(table_line(COLUMNS), table_line(["---"] * len(COLUMNS)), sep="\n")
    for row in rows:
        print(table_line(row.cells()))
    print()
    for line in summary(rows, p_values, threshold):
        print(line)
    if args.json:
        report = {"versions": versions, "threshold": threshold, "rows": [row.figures() for row in rows]}
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    failed = [row for row in rows if row.failed]
    for row in failed:
        print(f"{row.case.label}: {row.verdict}", file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
