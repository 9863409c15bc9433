"""Milliseconds for a Haar-distributed n x n matrix of F32: gpu-init on the CPU and on the best adapter, and QR by numpy,
by LAPACK in f32 and, if installed, by torch; interleaved, so that all see the same machine load.

    cargo build --release -p gpu-init-cli
    OPENBLAS_NUM_THREADS=2 python3 benches/orthogonal_qr.py target/release/gpu-init
"""

import json
import subprocess
import sys
import time

import numpy as np
import scipy.linalg

try:
    import torch
except ImportError:
    torch = None

rng = np.random.default_rng(0)


def program(device, n):
    arguments = ["fill", "--init", "orthogonal", "--shape", f"{n}x{n}", "--device", device, "--json"]
    printed = subprocess.run([sys.argv[1], *arguments], capture_output=True, check=True).stdout
    return json.loads(printed)["seconds"]


def timed(make):
    start = time.perf_counter()
    make()
    return time.perf_counter() - start


def numpy_f64(n):
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.sign(np.diag(r))


def lapack_f32(n):
    normals = rng.standard_normal((n, n), dtype=np.float32)
    q, r = scipy.linalg.qr(normals, mode="economic", overwrite_a=True, check_finite=False)
    return q * np.sign(np.diag(r))


ways = {
    "gpu-init CPU": lambda n: program("cpu", n),
    "gpu-init GPU": lambda n: program("gpu", n),
    "LAPACK f32": lambda n: timed(lambda: lapack_f32(n)),
    "numpy f64": lambda n: timed(lambda: numpy_f64(n)),
}
if torch:
    ways["torch f32"] = lambda n: timed(lambda: torch.nn.init.orthogonal_(torch.empty(n, n)))

print("| n |", " | ".join(ways), "|")
print("|---:|" + "---:|" * len(ways))
for n in (64, 128, 256, 512, 1024, 2048):
    times = {name: [] for name in ways}
    for _ in range(12 if n < 2048 else 5):
        for name, way in ways.items():
            times[name].append(way(n))
    print(f"| {n} |", " | ".join(f"{min(times[name]) * 1e3:.3g}" for name in ways), "|", flush=True)
