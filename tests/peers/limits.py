#!/usr/bin/env python3
"""Counts the F32 normals of PyTorch, NumPy and JAX on the CPU where their limits show, for docs/evidence.md.

    python tests/peers/limits.py torch|numpy|jax [LOG2_VALUES]      # default: 32; the first 2^29 are paired

It counts values in the tails and near zero, beside the normal distribution, and pairs of values that are equal to
another pair, beside independent normals that are rounded to F32. Pairs are what a generator makes together: neighbours,
for PyTorch the values i and i + 8 of each 16.
"""

import math
import sys

import numpy

CHUNK = 1 << 24
PAIRED = 1 << 29


def torch():
    import torch

    torch.manual_seed(42)
    torch.set_num_threads(1)
    tensor = torch.empty(CHUNK)
    return torch.__version__, lambda: tensor.normal_().numpy()


def numpy_normals():
    generator = numpy.random.default_rng(42)
    array = numpy.empty(CHUNK, numpy.float32)
    return numpy.__version__, lambda: generator.standard_normal(dtype=numpy.float32, out=array)


def jax():
    import jax

    keys = iter(jax.random.split(jax.random.key(42), 1 << 12))
    normal = jax.jit(lambda key: jax.random.normal(key, (CHUNK,)))
    return jax.__version__, lambda: numpy.asarray(normal(next(keys)))


def equal_normals():
    """The probability that two normals, rounded to F32, are equal: of each binade the density's square times the step."""
    def below(z):
        return math.erfc(-z) / 2  # Phi(sqrt(2) z)

    binades = (2.0 ** (e - 23) * (below(2.0 ** (e + 1)) - below(2.0**e)) for e in range(-60, 4))
    return sum(binades) / math.sqrt(math.pi)


def pairs_of(values, peer):
    """Each pair as an integer of 64 bits."""
    if peer == "torch":
        values = numpy.ascontiguousarray(values.reshape(-1, 2, 8).swapaxes(1, 2))
    return values.reshape(-1).view(numpy.uint64).copy()


def equal(pairs):
    """Pairs of equal members: m of one kind are m (m - 1) / 2."""
    pairs.sort()
    ends = numpy.flatnonzero(numpy.append(pairs[1:] != pairs[:-1], True))
    sizes = numpy.diff(numpy.append(-1, ends))
    return int((sizes * (sizes - 1) // 2).sum())


def main():
    peer, log2 = sys.argv[1], int((sys.argv[2:] or ["32"])[0])
    version, normals = {"torch": torch, "numpy": numpy_normals, "jax": jax}[peer]()
    beyond, below = dict.fromkeys([3, 4, 5, 5.5, 6], 0), dict.fromkeys([1e-8, 1e-7, 3e-7], 0)
    largest, zeros, pairs = 0.0, 0, []
    for done in range(0, 1 << log2, CHUNK):
        values = normals()
        magnitudes = numpy.abs(values)
        for level in beyond:
            beyond[level] += int(numpy.count_nonzero(magnitudes > level))
        for level in below:
            below[level] += int(numpy.count_nonzero(magnitudes < level))
        largest, zeros = max(largest, float(magnitudes.max())), zeros + int(numpy.count_nonzero(magnitudes == 0))
        if done < PAIRED:
            pairs.append(pairs_of(values, peer))
    n = 1 << log2
    print(f"{peer} {version}, 2^{log2} normals, seed 42; largest {largest:.4f}; zeros {zeros}")
    for level, count in beyond.items():
        print(f"  |z| > {level}: {count}, of a normal {n * math.erfc(level / math.sqrt(2)):.1f}")
    for level, count in below.items():
        print(f"  |z| < {level:g}: {count}, of a normal {n * math.erf(level / math.sqrt(2)):.1f}")
    of = sum(map(len, pairs))
    ideal = of**2 / 2 * equal_normals() ** 2
    print(f"  equal pairs among 2^{of.bit_length() - 1}: {equal(numpy.concatenate(pairs))}, of independent normals {ideal:.2f}", flush=True)


main()
