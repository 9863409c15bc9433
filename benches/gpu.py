#!/usr/bin/env python3
"""Checks and measures a GPU in one command: its bits against the CPU's, and its speed beside its write bandwidth.

    python3 benches/gpu.py target/release/gpu-init [LOG2_ELEMENTS [DEVICE]]      # default: 28 (fills up to 2 GiB), gpu

Fills tensors of every element type and distribution on the device and on the CPU, and compares their fingerprints. Then runs
`bench` and prints its figures as a Markdown table. Exits with 1 if any bits differ.
"""

import json
import subprocess
import sys

TYPES = ["f32", "f16", "bf16", "f64", "f8_e4m3", "f8_e5m2"]
DISTRIBUTIONS = ["xavier_normal", "normal(mean=0.5, std=0.02)", "xavier_uniform", "truncated_normal(std=0.02)"]


def run(*command):
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def fingerprints(program, log2, device):
    """Yields a description of each fill, and its fingerprints on the device and on the CPU."""
    # Sizes that fill neither groups of four nor a whole dispatch, and twice the elements of the bench.
    shapes = ["331x37", "4099x1021", f"{2**(log2 // 2)}x{2**(log2 - log2 // 2 + 1)}"]
    for shape in shapes:
        # In F64 the largest would take more than a buffer of many GPUs.
        for dtype in [dtype for dtype in TYPES if dtype != "f64" or shape != shapes[-1]]:
            for distribution in DISTRIBUTIONS:
                fill = ["fill", "--init", distribution, "--shape", shape, "--dtype", dtype, "--seed", "42", "--name", "w", "--json", "--device"]
                yield f"{distribution} {dtype} {shape}", *(run(program, *fill, where)["fingerprint"] for where in [device, "cpu"])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program, log2, device = sys.argv[1], int((sys.argv[2:] or ["28"])[0]), (sys.argv[3:] or ["gpu"])[0]
    different, count = 0, 0
    for what, ours, cpu in fingerprints(program, log2, device):
        count += 1
        if ours != cpu:
            different += 1
            print(f"{what}: {ours}, on the CPU {cpu}")
    print(f"{count - different} of {count} fills have the CPU's fingerprint\n")

    [measured] = run(program, "bench", "--device", device, "--size", str(log2), "--json", "-")["devices"]
    print(f"{measured['name']}, {measured['details']}, by {measured['timing']}, 2^{log2} elements\n")
    print("| | | ns an element | GB/s | share of the device's own write bandwidth |\n|---|---|---:|---:|---:|")
    for row in measured["rows"]:
        nanoseconds, share = row["ns_per_element"]["median"], 100 * row["share_of_write"]
        print(f"| {row['init']}, {row['by']} | {row['dtype']} | {nanoseconds:.3g} | {row['gb_per_s']:.4g} | {share:.0f}% |")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
