"""What can go wrong between a model and its weights."""

from __future__ import annotations


class TraceError(ValueError):
    """A model's initialization could not be recorded or understood."""


class UnknownTensorsError(TraceError):
    """Tensors whose distribution is unknown; `tensors` maps each name to the reason."""

    def __init__(self, tensors: dict[str, str], advice: str = "") -> None:
        """Lists the tensors, and what to do about them."""
        self.tensors = dict(tensors)
        lines = [f"  {name}: {reason}" for name, reason in list(tensors.items())[:20]]
        if len(tensors) > 20:
            lines.append(f"  and {len(tensors) - 20} more")
        number = "1 tensor" if len(tensors) == 1 else f"{len(tensors)} tensors"
        super().__init__(
            "\n".join([f"the initialization of {number} is unknown:", *lines, advice]).strip()
        )
