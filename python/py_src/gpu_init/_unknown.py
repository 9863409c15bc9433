"""The error for variables of a model whose initial values cannot be told from it."""

from __future__ import annotations

from ._errors import InvalidArgument


class UnknownInitialization(InvalidArgument):
    """Initial values that are not known; `names` maps the name of each variable to the reason."""

    def __init__(self, names: dict[str, str], advice: str) -> None:
        """Lists the variables, and what to do about them."""
        self.names = dict(names)
        lines = [f"  {name}: {reason}" for name, reason in list(names.items())[:20]]
        if len(names) > 20:
            lines.append(f"  and {len(names) - 20} more")
        number = "1 variable" if len(names) == 1 else f"{len(names)} variables"
        super().__init__(
            "\n".join([f"the initial values of {number} are not known:", *lines, advice])
        )
