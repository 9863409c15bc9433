"""Runs all tests of this folder on Keras' other backends, each in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

HERE = Path(__file__).parent
INNER = "GPU_INIT_TEST_INNER"


@pytest.mark.skipif(INNER in os.environ, reason="this is the process of one backend")
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_on_the_other_backends(backend):
    if backend == keras.backend.backend():
        pytest.skip("these tests run on it themselves")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    configuration = ["-c", HERE.parents[1] / "pyproject.toml", "--rootdir", HERE.parents[1]]
    command = [sys.executable, "-m", "pytest", "-q", *configuration, HERE]
    environment = {**os.environ, "KERAS_BACKEND": backend, INNER: "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-10000:] + done.stderr[-2000:]
