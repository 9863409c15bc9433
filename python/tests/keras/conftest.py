"""Keras' backend is chosen before Keras is imported: KERAS_BACKEND, or one that is installed.

`test_keras_backends.py` runs the tests on the others.
"""

import importlib.util
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Devices for the tests of Keras' distribution on JAX.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
if "KERAS_BACKEND" not in os.environ:
    installed = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
    os.environ["KERAS_BACKEND"] = installed[0] if installed else "tensorflow"


def pytest_configure(config: pytest.Config) -> None:
    """Leaves out warnings about Keras' own code, and about what the tests do on purpose."""
    for message in ("__array__ implementation", "The object being serialized includes a `lambda`"):
        config.addinivalue_line("filterwarnings", f"ignore:{message}")
