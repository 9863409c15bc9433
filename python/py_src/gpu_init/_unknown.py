"""Errors that list the tensors of a model whose initial values are not known."""

from __future__ import annotations

from collections.abc import Mapping

from ._errors import InvalidArgument

# The most that a message lists.
_MOST = 20


def described(what: str, kind: str, reasons: Mapping[str, str], advice: str) -> str:
    """Returns a message: `what` with the number of tensors, each one's reason, and what to do."""
    lines = [f"  {name}: {reason}" for name, reason in list(reasons.items())[:_MOST]]
    if len(reasons) > _MOST:
        lines.append(f"  and {len(reasons) - _MOST} more")
    number = f"1 {kind}" if len(reasons) == 1 else f"{len(reasons)} {kind}s"
    return "\n".join([what.format(number), *lines, advice]).strip()


class UnknownInitialization(InvalidArgument):
    """Initial values that are not known; `names` maps the name of each variable to the reason."""

    def __init__(self, names: dict[str, str], advice: str) -> None:
        """Lists the variables, and what to do about them."""
        self.names = dict(names)
        what = "the initial values of {} are not known:"
        super().__init__(described(what, "variable", names, advice))
