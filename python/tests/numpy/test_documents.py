"""The documents' examples run, and type-check."""

import os
import subprocess
import sys
from pathlib import Path

import documents
import gpu_init
import pytest

DOCUMENTS = ["README.md", "python/README.md", "docs/python.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_examples_run(root, document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    documents.run(root / document)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_examples_are_typed(root, document, tmp_path):
    (tmp_path / "example.py").write_text(documents.code(root / document))
    strict(tmp_path / "example.py")


def test_user_code_is_typed():
    strict(Path(__file__).parent / "typed_user_code.py")


def strict(path):
    command = [sys.executable, "-m", "mypy", "--strict", str(path)]
    # Where the package is not installed but in PYTHONPATH.
    found = Path(gpu_init.__file__).parents[1]
    mypy_path = {} if found.name == "site-packages" else {"MYPYPATH": str(found)}
    environment = {**os.environ, **mypy_path}
    done = subprocess.run(command, capture_output=True, text=True, cwd=path.parent, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
