"""DTensors under torchrun with gloo, on two, three and four processes.

With GPU_INIT_TORCH_ALL=1 the example runs on eight, too.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def torchrun(processes: int, program: Path) -> str:
    """Runs a program on some processes, and returns what it prints."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_processes_agree(processes: int) -> None:
    printed = torchrun(processes, Path(__file__).with_name("distributed_worker.py"))
    assert f"{processes} processes agree" in printed


def test_the_example_needs_no_seed_checkpoint() -> None:
    example = Path(__file__).parents[2] / "examples" / "fsdp_any_number.py"
    printed = {}
    for processes in (1, 2, 4, 8) if os.environ.get("GPU_INIT_TORCH_ALL") else (1, 2, 4):
        out = torchrun(processes, example)
        assert out.startswith(f"{processes} processes: fingerprint "), out
        printed[processes] = out.split("fingerprint ")[1].strip()
    assert len(set(printed.values())) == 1, printed
