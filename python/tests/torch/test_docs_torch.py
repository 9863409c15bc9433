"""The code of docs/pytorch.md runs, in its order, and prints what stands there."""

import re
from pathlib import Path

import documents
import pytest


def test_the_page(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = root / "docs" / "pytorch.md"
    documents.run(page)
    printed = capsys.readouterr().out
    tables = re.findall(r"```text\n(.*?)```", page.read_text(), re.DOTALL)
    assert tables and all(table in printed for table in tables)
    assert re.search(r"^[0-9a-f]{16}$", printed, re.MULTILINE)
    assert (tmp_path / "model" / "rules.toml").exists()
