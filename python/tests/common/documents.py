"""The Python code of a Markdown document."""

import re
from pathlib import Path


def code(document: Path) -> str:
    """Returns all of its blocks of Python as one program, each at its own lines."""
    lines = document.read_text(encoding="utf-8").splitlines()
    program, inside = [], False
    for line in lines:
        fence = re.match(r"```(\w*)", line)
        if fence:
            inside = fence.group(1) == "python" and not inside
            program.append("")
        else:
            program.append(line if inside else "")
    return "\n".join(program)


def run(document: Path) -> None:
    """Runs it, with the document's own name and lines in tracebacks."""
    program = code(document)
    assert program.strip(), f"{document} has no Python"
    exec(compile(program, str(document), "exec"), {"__name__": "__main__"})
