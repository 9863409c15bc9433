"""Which arrays are filled, and what is said of the others."""

import array as stdlib_array
import os
import subprocess
import sys

import gpu_init
import ml_dtypes
import numpy as np
import pytest


def refused(error, *parts):
    """Expects an exception whose message names the operation, the value and the remedy."""

    class Refused:
        def __enter__(self):
            self.raises = pytest.raises(error)
            self.info = self.raises.__enter__()

        def __exit__(self, *exception):
            result = self.raises.__exit__(*exception)
            assert issubclass(self.info.type, gpu_init.Error)
            for part in parts:
                assert part in str(self.info.value)
            return result

    return Refused()


def test_memory_of_any_kind_is_filled_in_place():
    expected = gpu_init.normal((6,))
    for memory in [bytearray(24), memoryview(bytearray(24)), stdlib_array.array("f", [0] * 6)]:
        assert gpu_init.fill(memory, "normal", dtype="f32") is memory
        np.testing.assert_array_equal(np.frombuffer(memory, np.float32), expected)
    part = np.zeros(6, np.float32)
    gpu_init.fill(part[1:4], "normal")
    np.testing.assert_array_equal(part, [0, *expected[:3], 0, 0])


def test_arrays_without_dimensions_and_without_elements():
    scalar = np.zeros((), np.float32)
    assert gpu_init.fill(scalar, "normal") is scalar
    assert scalar == gpu_init.normal(()) == gpu_init.normal((1,))[0]
    for shape in [(0,), (3, 0), (0, 4, 2)]:
        empty = np.zeros(shape, np.float32)
        assert gpu_init.fill(empty, "xavier_normal") is empty
        assert gpu_init.xavier_normal(shape).shape == shape
    assert gpu_init.normal((6, 2), shard=(0, 3, 4)).shape == (0, 2)
    assert gpu_init.fingerprint(np.zeros(0)) == "0" * 16
    with refused(ValueError, 'there is no "nomal"'):
        gpu_init.fill(np.zeros(0), "nomal")


def test_a_shape_is_a_number_or_a_sequence():
    for shape in [4, np.int64(4), (4,), [4], np.zeros(4).shape]:
        np.testing.assert_array_equal(gpu_init.normal(shape), gpu_init.normal((4,)))


def test_element_types_by_every_name():
    for ours, numpy_name in gpu_init._dtypes._NUMPY_NAMES.items():
        names = [
            ours,
            ours.upper(),
            numpy_name,
            np.dtype(getattr(ml_dtypes, numpy_name, numpy_name)),
        ]
        assert {str(gpu_init.zeros(3, dtype=name).dtype) for name in names} == {numpy_name}
    for dtype in [np.float16, "<f2", "half", np.dtype("e"), ml_dtypes.bfloat16]:
        assert gpu_init.zeros(3, dtype=dtype).dtype == np.dtype(dtype)


def test_bytes_are_taken_as_another_type():
    words = np.zeros((4, 6), np.uint16)
    gpu_init.fill(words, "xavier_normal", dtype="bf16")
    expected = gpu_init.xavier_normal((4, 6), dtype="bf16")
    np.testing.assert_array_equal(words.view(ml_dtypes.bfloat16), expected)
    flat = np.zeros((4, 12), np.uint8)
    gpu_init.fill(flat, "xavier_normal", dtype="bf16")
    np.testing.assert_array_equal(flat.view(ml_dtypes.bfloat16), expected)
    assert gpu_init.fingerprint(flat, "bf16") == gpu_init.fingerprint(expected)
    assert gpu_init.stats(flat, "bf16").std == gpu_init.stats(expected).std


def test_arrays_that_cannot_be_filled():
    array = np.zeros((4, 6), np.float32)
    with refused(ValueError, "fill: ", "strides (4, 24)", "copy it"):
        gpu_init.fill(array.T, "normal")
    with refused(ValueError, "C-contiguous"):
        gpu_init.fill(array[:, ::2], "normal")
    with refused(ValueError, "read-only", "copy"):
        gpu_init.fill(np.broadcast_to(np.float32(0), (4, 6)), "normal")
    with refused(ValueError, "read-only"):
        gpu_init.fill(b"1234", "normal", dtype="f32")
    with refused(ValueError, "'>f4' is big-endian", "'float32'"):
        gpu_init.fill(array.astype(">f4"), "normal")
    with refused(TypeError, "a list does not share its memory", "NumPy array"):
        gpu_init.fill([0.0, 0.0], "normal")
    with refused(ValueError, "complex64", "use one of float32"):
        gpu_init.fill(array.astype("c8"), "normal")
    with refused(ValueError, "24 elements", "12 are to be filled", "(2, 6)"):
        gpu_init.fill(array, "normal", shard=(0, 0, 2))
    with refused(ValueError, "24 elements", "20 are to be filled"):
        gpu_init.fill(array, "normal", shape=(4, 5))
    with refused(ValueError, "out has shape (4, 6)", "(6, 4) is to be filled"):
        gpu_init.normal((6, 4), out=array)
    with refused(ValueError, "7 bytes", "float32"):
        gpu_init.fill(bytearray(7), "normal", dtype="f32")
    with refused(ValueError, "normal: ", "offset 1", "multiple of 4"):
        gpu_init.fill(memoryview(bytearray(9))[1:], "normal", dtype="f32")
    assert not array.any()


def test_arguments_that_cannot_be():
    array = np.zeros((4, 6), np.float32)
    for seed, said in [(-1, "below 0"), (2**64, "over 2**64 - 1")]:
        with refused(ValueError, "fill: seed", said):
            gpu_init.fill(array, "normal", seed=seed)
    for argument, value in [("seed", 0.5), ("seed", "1"), ("name", 1.5), ("shape", "46")]:
        with refused(TypeError, f"fill: {argument}"):
            gpu_init.fill(array, "normal", **{argument: value})
    with refused(TypeError, "init is text"):
        gpu_init.fill(array, 3)
    with refused(ValueError, "cannot read initializer", 'no option "gian"', "gain, mean"):
        gpu_init.fill(array, "xavier_normal(gian=2)")
    with refused(ValueError, "xavier_normal: shape [24]", "at least two"):
        gpu_init.fill(array.reshape(-1), "xavier_normal")
    with refused(ValueError, "std = -1"):
        gpu_init.normal((4,), std=-1)
    with refused(ValueError, "shard has dimension 2"):
        gpu_init.fill(array, "normal", shard=(2, 0, 1))
    with refused(ValueError, "no rank 4 among 4"):
        gpu_init.fill(array, "normal", shard=(0, 4, 4))
    with refused(TypeError, "shard has 3 numbers"):
        gpu_init.fill(array, "normal", shard=[(0, 1)])
    with refused(TypeError, "slices has 2 numbers"):
        gpu_init.fill(array, "normal", slices=[(0, 1)])
    with refused(ValueError, "3..2 of dimension 0"):
        gpu_init.fill(array, "normal", slices=[(3, 2), None])
    with refused(ValueError, "0..5 of dimension 0"):
        gpu_init.normal((4, 6), slices=[(0, 5), None])
    with refused(ValueError, "sliced along too many dimensions"):
        gpu_init.normal((4, 4, 4, 4), slices=[(0, 2), (0, 2), (0, 2), (0, 2)])
    with refused(ValueError, 'cannot read layout "chw"'):
        gpu_init.fill(array, "xavier_normal", layout="chw")
    with refused(ValueError, "fans", "leave out layout"):
        gpu_init.fill(array, "xavier_normal", layout="jax", fans=(1, 2))
    with refused(ValueError, 'no device "tpu"', '"cpu" or "gpu"'):
        gpu_init.fill(array, "normal", device="tpu")
    with refused(TypeError, "sparse: ", "sparsity"):
        gpu_init.sparse((4, 6))
    with refused(TypeError, "normal: ", "gain"):
        gpu_init.normal((4, 6), gain=2)
    with refused(TypeError, "normal: "):
        gpu_init.normal((4, 6), std=None)
    with refused(ValueError, "I32", "integers"):
        gpu_init.normal((4, 6), dtype="int32")
    assert not array.any()


def test_memory_that_there_is_not():
    with pytest.raises(MemoryError):
        gpu_init.normal((1 << 20, 1 << 20, 1 << 10))


def test_orthogonal_matrices_in_threads():
    """The interpreter's lock is released: another thread runs meanwhile."""
    import threading

    done = threading.Event()
    ticks = 0
    thread = threading.Thread(
        target=lambda: (gpu_init.orthogonal((1200, 1200)), done.set()), daemon=True
    )
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    assert ticks > 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_processes_have_threads_of_their_own():
    expected = gpu_init.fingerprint(gpu_init.normal((1 << 20,)))
    code = """
import os, signal, sys, gpu_init
gpu_init.fingerprint(gpu_init.normal((1 << 20,)))
child = os.fork()
if child == 0:
    signal.alarm(20)
    print(gpu_init.fingerprint(gpu_init.normal((1 << 20,))), flush=True)
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected]


def test_bfloat16_without_ml_dtypes():
    code = """
import sys
sys.modules["ml_dtypes"] = None
import gpu_init
assert gpu_init.fill(bytearray(4), "ones", dtype="bf16") == bytearray(b"\\x80\\x3f" * 2)
try:
    gpu_init.ones((2,), dtype="bf16")
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install ml_dtypes" in done.stdout
