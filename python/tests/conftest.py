"""What the tests of all frameworks share."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """Runs gpu-init, by default the release build, and returns what it prints."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = os.environ.get("GPU_INIT_PROGRAM", str(target / "release" / "gpu-init"))
    assert shutil.which(path), f"{path} is not there: cargo build --release --workspace"

    def run(*args: object) -> str:
        command = [path, *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    return run
