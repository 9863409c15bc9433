"""The page for users of Keras."""

import re

import documents
import keras


def test_the_examples_run_and_print_what_the_page_shows(root, capsys):
    keras.utils.clear_session()
    page = root / "docs" / "keras.md"
    documents.run(page)
    printed = capsys.readouterr().out
    shown = re.search(r"^```text\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert shown and printed.startswith(shown[1])
    for comment in re.findall(r"^print\(.*\)\s+# (.*)$", page.read_text(), re.MULTILINE):
        assert comment in printed.splitlines()
