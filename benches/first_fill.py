#!/usr/bin/env python3
"""Measures the first fill of new host memory: gpu-init, a plain vector and numpy take turns.

    python3 benches/first_fill.py target/release/gpu-init [LIST] [ARGUMENTS OF gpu-init bench --model...]

The first table is of 2^30 bytes, the second one of the tensors of a list, Llama-3.2-1B in F32 unless another is named.
A plain vector has pages of 4 KiB; numpy and gpu-init ask the kernel for huge ones.
"""

import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

ROUNDS = 5
LLAMA = pathlib.Path(__file__).parent.parent / "tests/models/llama-3.2-1b.json"
BYTES = {"F64": 8, "I64": 8, "F32": 4, "BF16": 2, "F16": 2}


def by_numpy(sizes):
    """Seconds for ones in new arrays, as in numpy.ones, and for freeing them."""
    start = time.perf_counter()
    arrays = [numpy.ones(size // 4, numpy.float32) for size in sizes]
    seconds = time.perf_counter() - start
    del arrays
    return seconds


def measure(program, path, arguments, sizes):
    seconds = {}
    for _ in range(ROUNDS):
        args = ["bench", "--model", path, "--device", "cpu", "--repeat", "1", "--json", "-", *arguments]
        report = json.loads(subprocess.check_output([program, *args]))
        fill = report["devices"][0]["steps"][0]
        seconds.setdefault("gpu-init, the model's values", []).append(fill["seconds"]["median"])
        for limit in fill["limits"]:
            seconds.setdefault(f"gpu-init, {limit['limit']}", []).append(limit["seconds"]["median"])
        seconds.setdefault("numpy.ones, one thread", []).append(by_numpy(sizes))
    total = sum(sizes)
    print(f"{path}: {total} bytes, the median of {ROUNDS} rounds (least .. most)")
    for name, times in seconds.items():
        median, low, high = statistics.median(times), min(times), max(times)
        print(f"  {name:52}{median:7.3f} s ({low:.3f} .. {high:.3f}) {total / median / 1e9:7.2f} GB/s")


def main():
    program, path = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else str(LLAMA)
    arguments = sys.argv[3:] or ["--recipe", "llama", "--dtype", "f32"]
    with tempfile.TemporaryDirectory() as folder:
        one = pathlib.Path(folder) / "one-tensor.json"
        one.write_text(json.dumps({"w": {"dtype": "F32", "shape": [1 << 14, 1 << 14]}}))
        measure(program, str(one), [], [1 << 30])
    forced = arguments[arguments.index("--dtype") + 1].upper() if "--dtype" in arguments else None
    tensors = json.loads(pathlib.Path(path).read_text())
    tensors.pop("__metadata__", None)
    sizes = [math.prod(of["shape"]) * BYTES[forced or of["dtype"]] for of in tensors.values()]
    measure(program, path, arguments, sizes)


main()
