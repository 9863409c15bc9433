"""Runs the examples of docs/keras.md, one after the other."""

import re
from pathlib import Path

import keras
import pytest


def test_the_examples_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras.utils.clear_session()
    page = (root / "docs" / "keras.md").read_text()
    examples = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(examples) >= 4
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "docs/keras.md", "exec"), names)
    printed = capsys.readouterr().out
    shown = re.search(r"^```text\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert shown and printed.startswith(shown[1])
    for comment in re.findall(r"^print\(.*\)\s+# (.*)$", page, re.MULTILINE):
        assert comment in printed.splitlines()
