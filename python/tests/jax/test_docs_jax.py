"""Runs the examples of docs/jax.md, one after the other."""

import re
from pathlib import Path


def test_the_examples_run(root: Path) -> None:
    page = (root / "docs" / "jax.md").read_text()
    examples = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(examples) >= 4
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "docs/jax.md", "exec"), names)
