"""Every initializer in every element type, whole and in parts, has the program's bits."""

import json

import gpu_init
import ml_dtypes
import numpy as np
import pytest

FLOATS = ["float32", "float16", "bfloat16", "float64", "float8_e4m3fn", "float8_e5m2"]
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]
# The types that .npy lacks, which the program saves as words.
WORDS = {"bfloat16": np.uint16, "float8_e4m3fn": np.uint8, "float8_e5m2": np.uint8}

SHAPES = {
    "dirac": (12, 6, 3, 5),
    "delta_orthogonal": (12, 6, 3, 5),
    "sinusoidal_2d": (25, 32),
}
# Options without a default, and values that 8 bits and integers hold.
OPTIONS = {
    "constant": {"val": 1},
    "sparse": {"sparsity": 0.3, "std": 0.5},
    "inverse_softplus_log_uniform": {"low": 0.1},
    "log_uniform": {"low": 0.1, "high": 2.5},
}
FILLS_INTEGERS = ["constant", "zeros", "ones", "arange"]
NAMES = gpu_init._initializers.__all__


def words(array: np.ndarray) -> np.ndarray:
    """The bytes of a contiguous copy."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def arguments(name, dtype):
    options = dict(OPTIONS.get(name, {}))
    if name == "arange" and dtype == "bool":
        options = {"start": 0, "step": 0}
    return SHAPES.get(name, (24, 36)), options


def saved(program, folder, name, dtype):
    """The tensor as the program saves it, and its fingerprint."""
    shape, options = arguments(name, dtype)
    text = ", ".join(f"{option}={value}" for option, value in options.items())
    out = folder / f"{name}-{dtype}.npy"
    report = program(
        *("fill", "--shape", "x".join(map(str, shape)), "--init", f"{name}({text})"),
        *("--dtype", dtype, "--seed", 2**64 - 1, "--name", "h.0.w", "--device", "cpu"),
        *("--json", "--out", out),
    )
    array = np.load(out)
    if dtype in WORDS:
        assert array.dtype == WORDS[dtype]
        array = array.view(getattr(ml_dtypes, dtype))
    return array, json.loads(report)["fingerprint"]


def types_of(name):
    return FLOATS + (INTEGERS if name in FILLS_INTEGERS else [])


def test_whole_tensors(program, tmp_path, name):
    function = getattr(gpu_init, name)
    for dtype in types_of(name):
        expected, fingerprint = saved(program, tmp_path, name, dtype)
        shape, options = arguments(name, dtype)
        common = {"seed": 2**64 - 1, "name": "h.0.w"}
        array = function(shape, **options, **common, dtype=dtype)
        assert array.dtype == expected.dtype and array.shape == expected.shape
        np.testing.assert_array_equal(words(array), words(expected), err_msg=dtype)
        assert gpu_init.fingerprint(array) == fingerprint

        text = ", ".join(f"{option}={value}" for option, value in options.items())
        out = np.full(shape, 77, array.dtype)
        assert gpu_init.fill(out, f"{name}({text})", **common) is out
        np.testing.assert_array_equal(words(out), words(expected))
        assert function(shape, **options, **common, out=out) is out

        flat = bytearray(out.nbytes)
        gpu_init.fill(flat, f"{name}({text})", **common, shape=shape, dtype=dtype)
        assert bytes(flat) == words(expected).tobytes()
        assert gpu_init.fingerprint(flat, dtype) == fingerprint


def test_parts_of_tensors(program, tmp_path, name):
    function = getattr(gpu_init, name)
    for dtype in types_of(name):
        whole, _ = saved(program, tmp_path, name, dtype)
        shape, options = arguments(name, dtype)
        common = {**options, "seed": 2**64 - 1, "name": "h.0.w", "dtype": dtype}
        rest = [None] * (len(shape) - 2)
        rows, columns = shape[:2]
        for slices in [[(3, 7), None], [None, (1, 4)], [(5, rows), (2, 5)], [(0, 0), (1, 2)]]:
            part = function(shape, **common, slices=[*slices, *rest])
            expected = whole[tuple(slice(None) if it is None else slice(*it) for it in slices)]
            assert part.shape == expected.shape
            np.testing.assert_array_equal(words(part), words(expected), err_msg=f"{dtype} {slices}")
        for dim, length in [(0, rows), (-1, shape[-1])]:
            shards = [function(shape, **common, shard=(dim, rank, 5)) for rank in range(5)]
            each = -(-length // 5)
            assert [shard.shape[dim] for shard in shards[:2]] == [each, each]
            np.testing.assert_array_equal(words(np.concatenate(shards, dim)), words(whole))
        nested = function(shape, **common, shard=[(0, 1, 2), (1, 2, 3)])
        rows, columns = -(-rows // 2), -(-columns // 3)
        np.testing.assert_array_equal(words(nested), words(whole[rows:, 2 * columns :]))


def test_options_of_every_kind(program, tmp_path):
    def expected(init, dtype="float32", layout="pytorch"):
        out = tmp_path / "w.npy"
        program(
            *("fill", "--shape", "8x6", "--init", init, "--dtype", dtype, "--layout", layout),
            *("--name", "w", "--device", "cpu", "--out", out, "--force"),
        )
        return np.load(out)

    same = np.testing.assert_array_equal
    same(gpu_init.xavier_normal((8, 6), gain=1e-3), expected("xavier_normal(gain=0.001)"))
    same(gpu_init.xavier_normal((8, 6), gain=np.float32(0.5)), expected("xavier_normal(gain=0.5)"))
    same(
        gpu_init.kaiming_normal((8, 6), mode="fan_out", nonlinearity="tanh"),
        expected("kaiming_normal(mode=fan_out, nonlinearity=tanh)"),
    )
    same(
        gpu_init.truncated_normal((8, 6), a=-np.inf, b=1),
        expected("truncated_normal(a=-inf, b=1)"),
    )
    most = 2**64 - 1
    same(
        gpu_init.constant((8, 6), val=most, dtype=np.uint64),
        expected(f"constant(val={most})", "uint64"),
    )
    same(
        gpu_init.xavier_uniform((8, 6), layout="jax"),
        expected("xavier_uniform", layout="jax"),
    )
    same(
        gpu_init.xavier_uniform((8, 6), fans=(6, 8)),
        expected("xavier_uniform"),
    )


def test_streams_by_name_and_by_number():
    by_name = gpu_init.normal((10,), name="wte.weight")
    by_number = gpu_init.normal((10,), name=gpu_init.stream_of("wte.weight"))
    np.testing.assert_array_equal(by_name, by_number)
    assert gpu_init.stream_of("transformer.wte.weight") == 0x1CEE6B44FC5E505A


def test_scale_multiplies_the_distribution():
    scaled = gpu_init.fill(np.empty(100, np.float32), "normal(std=2)", scale=0.25)
    np.testing.assert_array_equal(scaled, gpu_init.normal((100,), std=0.5))


def test_fingerprints_of_parts_add_up():
    array = gpu_init.xavier_normal((100, 7))
    flat = array.reshape(-1)
    parts = [gpu_init.fingerprint(flat[:333]), gpu_init.fingerprint(flat[333:], first=333)]
    assert sum(int(part, 16) for part in parts) % 2**64 == int(gpu_init.fingerprint(array), 16)
    transposed = np.ascontiguousarray(array.T)
    assert gpu_init.fingerprint(array.T) == gpu_init.fingerprint(transposed)
