"""JAX and PyTorch share the accelerator's memory here."""

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
