"""DTensors under torchrun with gloo, on two, three and four processes."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_processes_agree(processes: int) -> None:
    worker = Path(__file__).with_name("distributed_worker.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), str(worker)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"{processes} processes agree" in done.stdout
