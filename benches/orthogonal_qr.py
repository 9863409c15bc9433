"""Milliseconds for a Haar-distributed n x n matrix by QR: numpy, LAPACK in f32, and torch if it is there.

Set OPENBLAS_NUM_THREADS to the cores that `cargo test --release -- --ignored --nocapture times` may use.
"""

import time

import numpy as np
import scipy.linalg

try:
    import torch
except ImportError:
    torch = None

rng = np.random.default_rng(0)


def numpy_f64(n):
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.sign(np.diag(r))


def lapack_f32(n):
    normals = rng.standard_normal((n, n), dtype=np.float32)
    q, r = scipy.linalg.qr(normals, mode="economic", overwrite_a=True, check_finite=False)
    return q * np.sign(np.diag(r))


def torch_f32(n):
    return torch.nn.init.orthogonal_(torch.empty(n, n))


ways = [numpy_f64, lapack_f32] + ([torch_f32] if torch else [])
for n in (64, 128, 256, 512, 1024, 2048):
    times = []
    for way in ways:
        least = float("inf")
        for _ in range(20 if n < 1024 else 7):
            start = time.perf_counter()
            way(n)
            least = min(least, time.perf_counter() - start)
        times.append(f"{way.__name__} {least * 1e3:.3f}")
    print(n, *times, flush=True)
