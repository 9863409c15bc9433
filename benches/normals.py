#!/usr/bin/env python3
"""Measures F32 normals on one thread in allocated memory: gpu-init, numpy and torch take turns.

    python3 benches/normals.py target/release/gpu-init [LOG2_ELEMENTS]
"""

import json
import statistics
import subprocess
import sys
import time

import numpy
import torch

ROUNDS = 7
STD = 0.02


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main():
    program, size = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 26
    torch.set_num_threads(1)
    generator = numpy.random.default_rng(0)
    array, tensor = numpy.ones(1 << size, numpy.float32), torch.ones(1 << size)

    def by_numpy():
        generator.standard_normal(dtype=numpy.float32, out=array)
        numpy.multiply(array, numpy.float32(STD), out=array)

    seconds = {"numpy standard_normal": [], "torch normal_": []}
    for _ in range(ROUNDS):
        args = f"bench --device cpu --init normal(std={STD}) --dtype f32 --size {size} --repeat 3 --json -"
        report = json.loads(subprocess.check_output([program, *args.split()]))
        for row in report["devices"][0]["rows"]:
            if "1 thread" in row["by"]:
                seconds.setdefault(row["by"], []).append(row["ns_per_element"]["median"] * 1e-9 * (1 << size))
        seconds["numpy standard_normal"].append(timed(by_numpy))
        seconds["torch normal_"].append(timed(lambda: tensor.normal_(0.0, STD)))

    ours = statistics.median(seconds["gpu-init, 1 thread"])
    print(f"2^{size} normals of F32, one thread, numpy {numpy.__version__}, torch {torch.__version__}")
    for by, times in sorted(seconds.items(), key=lambda item: statistics.median(item[1])):
        median = statistics.median(times)
        print(f"  {by:34}{median / (1 << size) * 1e9:6.2f} ns an element{median / ours:8.2f} times gpu-init's")


main()
