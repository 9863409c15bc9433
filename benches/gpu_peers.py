#!/usr/bin/env python3
"""Times what GPU programs fill weights with today, on a CUDA GPU: the peers that benches/gpu.py's figures stand beside.

    python3 benches/gpu_peers.py [LOG2_ELEMENTS]      # default: 28, as in benches/gpu.py

It takes PyTorch, CuPy (cuRAND), Triton and JAX, whichever are installed. A time is the median of 20 fills of a square
matrix that is allocated, by CUDA events (JAX allocates, and is timed by the host's clock), in two buffers in turn, each
larger than the cache. The standard deviation of what was filled is checked, so that no one is timed on doing nothing.
"""

import math
import statistics
import sys
import time

import torch

ELEMENTS = 1 << int((sys.argv[1:] or ["28"])[0])
ROWS = 1 << (ELEMENTS.bit_length() // 2)
SHAPE = (ROWS, ELEMENTS // ROWS)
STD = math.sqrt(2 / sum(SHAPE))
TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def milliseconds(fill):
    """The median time of `fill(i)`, which writes buffer i % 2."""
    for i in range(5):
        fill(i)
    times = []
    for i in range(20):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        fill(i)
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def buffers(dtype):
    return [torch.empty(SHAPE, dtype=TYPES[dtype], device="cuda") for _ in range(2)]


def row(peer, what, dtype, time, std):
    """Prints a row of the table; `std` is that of the values."""
    if abs(std / STD - 1) > 5e-3:
        sys.exit(f"{peer}, {what}: the standard deviation is {std}, not {STD}")
    size = ELEMENTS * TYPES[dtype].itemsize
    print(f"| {peer} | {what} | {dtype} | {1e6 * time / ELEMENTS:.3g} | {size / time / 1e6:.4g} |", flush=True)


def pytorch():
    for dtype in TYPES:
        both = buffers(dtype)
        for what, fill in [("constant", lambda tensor: tensor.fill_(STD)),
                           ("xavier_normal_", torch.nn.init.xavier_normal_), ("xavier_uniform_", torch.nn.init.xavier_uniform_)]:
            time = milliseconds(lambda i: fill(both[i % 2]))
            std = both[0].double().pow(2).mean().sqrt().item()
            row(f"PyTorch {torch.__version__}", what, dtype, time, std)


def curand():
    from cupy_backends.cuda.libs import curand
    generator, both = curand.createGenerator(curand.CURAND_RNG_PSEUDO_PHILOX4_32_10), buffers("F32")
    curand.setStream(generator, torch.cuda.current_stream().cuda_stream)
    time = milliseconds(lambda i: curand.generateNormal(generator, both[i % 2].data_ptr(), ELEMENTS, 0.0, STD))
    row("cuRAND", "Philox, normal", "F32", time, both[0].std().item())


def triton():
    import triton
    import triton.language as tl

    @triton.jit
    def fill(out, std, block: tl.constexpr):
        start, lanes = tl.program_id(0) * block, tl.arange(0, block)
        a, b, c, d = tl.randn4x(42, start + lanes)
        tl.store(out + 4 * start + lanes, a * std)
        tl.store(out + 4 * start + block + lanes, b * std)
        tl.store(out + 4 * start + 2 * block + lanes, c * std)
        tl.store(out + 4 * start + 3 * block + lanes, d * std)

    for dtype in ["F32", "BF16"]:
        both = buffers(dtype)
        time = milliseconds(lambda i: fill[(ELEMENTS // 2048,)](both[i % 2], STD, block=512))
        row(f"Triton {triton.__version__}", "randn4x", dtype, time, both[0].float().std().item())


def jax():
    import os
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax
    import jax.numpy as jnp
    normal = jax.nn.initializers.variance_scaling(1.0, "fan_avg", "normal")
    for dtype, own in [("F32", jnp.float32), ("BF16", jnp.bfloat16)]:
        fill, times = jax.jit(lambda key: normal(key, SHAPE, own)), []
        for key in [jax.random.key(i) for i in range(12)]:
            start = time.perf_counter()
            values = fill(key).block_until_ready()
            times.append(1e3 * (time.perf_counter() - start))
        row(f"JAX {jax.__version__}", "normal", dtype, statistics.median(times[2:]), float(jnp.std(values.astype(jnp.float32))))


print(f"{torch.cuda.get_device_name(0)}, {ELEMENTS} elements\n\n| | | | ns per element | GB/s |\n|---|---|---|---:|---:|")
for peer in [pytorch, curand, triton, jax]:
    try:
        peer()
    except ImportError as error:
        print(f"{peer.__name__} is left out: {error}", file=sys.stderr)
    torch.cuda.empty_cache()
