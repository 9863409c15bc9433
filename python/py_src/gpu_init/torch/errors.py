"""What can go wrong between a model and its weights."""

from __future__ import annotations

from gpu_init._errors import InvalidArgument
from gpu_init._unknown import described


class TraceError(InvalidArgument):
    """A model's initialization could not be recorded or understood."""


class UnknownTensorsError(TraceError):
    """Tensors whose distribution is unknown; `tensors` maps each name to the reason."""

    def __init__(self, tensors: dict[str, str], advice: str = "") -> None:
        """Lists the tensors, and what to do about them."""
        self.tensors = dict(tensors)
        what = "the initialization of {} is unknown:"
        super().__init__(described(what, "tensor", tensors, advice))
