"""The page for users of JAX."""

import documents


def test_the_examples_run(root):
    documents.run(root / "docs" / "jax.md")
