"""Fills through wgpu, read back: the CPU's bits. Skipped without an adapter, if asked to."""

import json
import os
import subprocess
import sys

import gpu_init
import numpy as np
import pytest
from gpu_init import Rules


@pytest.fixture(scope="module", autouse=True)
def adapter(program):
    if os.environ.get("GPU_INIT_SKIP_GPU_TESTS") == "1":
        pytest.skip("GPU_INIT_SKIP_GPU_TESTS=1")
    assert json.loads(program("devices", "--json"))["adapters"], "there is no adapter"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64", "float8_e4m3fn"])
@pytest.mark.parametrize("init", ["xavier_normal", "kaiming_uniform", "orthogonal", "zeros"])
def test_the_bits_are_those_of_the_cpu(init, dtype):
    function = getattr(gpu_init, init)
    on_gpu = function((96, 40), seed=7, dtype=dtype, device="gpu")
    assert gpu_init.fingerprint(on_gpu) == gpu_init.fingerprint(
        function((96, 40), seed=7, dtype=dtype)
    )
    shard = function((96, 40), seed=7, dtype=dtype, device="gpu", shard=(1, 2, 4))
    assert (shard == on_gpu[:, 20:30]).all()


def test_large_tensors_are_read_back_in_pieces():
    shape = (5, (1 << 24) // 2 + 3)
    calls = []
    array = np.empty(shape, np.float16)
    gpu_init.fill(array, "uniform", device="gpu", progress=lambda *call: calls.append(call))
    assert gpu_init.fingerprint(array) == gpu_init.fingerprint(gpu_init.uniform(shape, dtype="f16"))
    assert calls[-1] == (array.size, array.size)


def test_plans():
    plan = Rules.from_text("default = 'xavier_normal'").plan({"a": (64, 32), "b": ((8, 9), "bf16")})
    assert plan.fingerprint(device="gpu") == plan.fingerprint()
    assert plan.fingerprint(plan.fill(device="gpu")) == plan.fingerprint()


def test_no_adapter_is_the_librarys_error():
    code = """
import gpu_init
try:
    gpu_init.normal((4,), device="gpu")
except RuntimeError as error:
    print(type(error).__name__, error)
"""
    none = {"VK_DRIVER_FILES": "/nonexistent.json", "VK_ICD_FILENAMES": "/nonexistent.json"}
    none |= {"EGL_PLATFORM": "none", "__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent.json"}
    command = [sys.executable, "-c", code]
    environment = {**os.environ, **none}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    if done.stdout:  # Another driver may be there all the same, such as Metal or DirectX.
        assert "DeviceError" in done.stdout and "use the CPU path" in done.stdout
