"""Records what a model's construction and initialization do to tensors, without doing it.

Tensors are made on the meta device, so that a model of any size takes seconds and no memory. Every
operation that writes is an `Event`, with its tensors as views of numbered storages. Small tensors
that only compute shapes and schedules stay on the CPU and are real. A value that Python asks for
(`.item()`) and that only events know is computed from them.
"""

from __future__ import annotations

import contextlib
import threading
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from . import replay, trees
from .errors import TraceError
from .views import View

META = torch.device("meta")
CPU = torch.device("cpu")


class Event:
    """One operation that wrote: the operator or a function of torch.nn.init, and its views."""

    __slots__ = (
        "args",
        "default_dtype",
        "index",
        "is_random",
        "kwargs",
        "op",
        "outs",
        "reads",
        "writes",
    )

    def __init__(self, op: Any, args: Any, kwargs: dict[str, Any], index: int) -> None:
        """Notes the call; its views are added by the recorder."""
        self.op = op
        self.args = args
        self.kwargs = kwargs
        self.index = index
        self.default_dtype = torch.get_default_dtype()
        self.is_random = False
        self.outs: list[View] = []
        self.writes: list[View] = []
        self.reads: list[View] = []

    @property
    def name(self) -> str:
        """The operator's name without namespace and overload: `normal_`."""
        name = self.op if isinstance(self.op, str) else str(self.op.name())
        return name.split("::")[-1].split(".")[0]

    def __repr__(self) -> str:
        """Names the operation and what it wrote."""
        return f"Event({self.index}: {self.name} -> {self.writes})"


class Recording:
    """The events of one trace, in order, and the data that no event made."""

    def __init__(self) -> None:
        """Makes an empty recording."""
        self.events: list[Event] = []
        self.storages: dict[int, torch.UntypedStorage] = {}
        self.constants: dict[int, torch.UntypedStorage] = {}
        self.made: set[int] = set()
        self.writers: defaultdict[int, list[int]] = defaultdict(list)
        self._numbers: dict[int, int] = {}

    @property
    def count(self) -> int:
        """The number of storages seen; the next new one gets this number."""
        return len(self._numbers)

    def view(self, tensor: torch.Tensor) -> View:
        """The view that a tensor is."""
        storage = tensor.untyped_storage()
        number = self._numbers.setdefault(storage._cdata, len(self._numbers))
        # A storage that is kept alive keeps its address, which is its name.
        self.storages.setdefault(number, storage)
        return View(
            number,
            tuple(tensor.shape),
            tuple(tensor.stride()),
            int(tensor.storage_offset()),
            tensor.dtype,
        )

    def keep_data(self, tensor: torch.Tensor, number: int) -> None:
        """Copies the data of a tensor that no event made."""
        if number in self.made or number in self.constants or tensor.is_meta:
            return
        data: Any = tensor.detach().untyped_storage()
        self.constants[number] = data.cpu().clone()

    def add(self, event: Event) -> None:
        """Appends an event."""
        self.events.append(event)
        for number in {view.storage for view in event.writes}:
            self.writers[number].append(event.index)

    def covers(self, view: View) -> bool:
        """Whether the view is all of its storage."""
        return (
            view.offset == 0
            and view.nbytes >= self.storages[view.storage].nbytes()
            and not view.overlaps_itself
        )


# Factories whose tensors may be as large as a model: made on meta whatever device is asked for.
LARGE = {
    f"aten::{name}"
    for name in (
        "empty.memory_format",
        "empty_strided",
        "zeros",
        "ones",
        "full",
        "eye",
        "eye.m",
        "randn",
        "rand",
        "normal.float_float",
        "randint",
        "randint.low",
    )
}
# Operators in place that do nothing on meta, some of them slowly.
UNSEEN = replay.OVERWRITES - {"copy_"}
MAKERS = {torch.tensor, torch.as_tensor, torch.asarray, torch.scalar_tensor}
# Code may do something else on meta. It is recorded for what it does elsewhere.
PRETENDED = {
    torch.Tensor.device.__get__: CPU,
    torch.Tensor.is_meta.__get__: False,  # type: ignore[attr-defined]
    torch.Tensor.is_cpu.__get__: True,  # type: ignore[attr-defined]
}
READERS: set[Any] = {torch.Tensor.numpy, torch.Tensor.__array__}


class _PythonData(TorchFunctionMode):
    """Keeps data that comes from Python, or goes there, where no operator sees it on meta."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in PRETENDED:
            return PRETENDED[func] if args[0].is_meta else func(*args)
        if func is torch.Tensor.cuda:
            func, args, kwargs = torch.Tensor.to, (args[0], META), {}
        if func in READERS and args and args[0].is_meta:
            args = (args[0].detach().cpu(), *args[1:])
        # A machine without the device would refuse to name it.
        if kwargs.get("device") is not None:
            kwargs["device"] = _host_or_meta(kwargs["device"])
        elif func is torch.Tensor.to and len(args) > 1 and isinstance(args[1], (str, torch.device)):
            args = (args[0], _host_or_meta(args[1]), *args[2:])
        if func not in MAKERS or (args and isinstance(args[0], torch.Tensor)):
            return func(*args, **kwargs)
        device = kwargs.get("device")
        device = torch.get_default_device() if device is None else torch.device(device)
        if device.type == "cpu":
            return func(*args, **kwargs)
        requires_grad = kwargs.pop("requires_grad", False)
        made = func(*args, **{**kwargs, "device": "cpu"}).to(META)
        return made.requires_grad_() if requires_grad else made


def _host_or_meta(device: torch.device | str | int) -> torch.device:
    named = torch.device(device) if isinstance(device, (str, torch.device)) else META
    return named if named.type in ("cpu", "meta") else META


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records into `recording` while it is entered."""

    def __init__(self) -> None:
        """Makes a recorder with an empty recording."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.recording = Recording()
        self._stale: set[int] = set()  # storages on the CPU that were written to in events only
        self._stack = contextlib.ExitStack()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keeps the first operation from importing the compiler, which takes seconds."""
        return False

    def __enter__(self) -> Recorder:
        """Begins to record."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(_hooked_init_functions(self))
            stack.enter_context(_PythonData())
            super().__enter__()  # type: ignore[no-untyped-call]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        """Ends the recording, and puts everything back."""
        try:
            super().__exit__(*error)  # type: ignore[no-untyped-call]
        finally:
            self._stack.close()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Records an operation, and does it on meta."""
        with torch._C.DisableTorchFunction():
            return self._dispatch(func, args, kwargs)

    def _dispatch(self, func: Any, args: Any, kwargs: Any) -> Any:
        kwargs = dict(kwargs or {})
        tensors = trees.tensors((args, kwargs))
        for tensor in tensors:
            self.recording.keep_data(tensor, self.recording.view(tensor).storage)
        name = func.name()
        if name == "aten::_local_scalar_dense" and not self._is_real(tensors[0]):
            return self._value(tensors[0]).item()
        if name == "aten::_to_copy" and self._is_asked_for(tensors[0], kwargs):
            return self._record(
                func,
                args,
                kwargs,
                lambda: self._real(tensors[0]).to(dtype=kwargs.get("dtype"), copy=True),
            )
        self._redirect(func, name, tensors, kwargs)
        return self._record(func, args, kwargs, lambda: self._run(func, args, kwargs))

    def init_function(self, name: str, tensor: torch.Tensor, *numbers: float) -> None:
        """Records a function of torch.nn.init that does nothing on meta."""
        with torch._C.DisableTorchFunction():
            view = self.recording.view(tensor)
            self.recording.keep_data(tensor, view.storage)
            event = Event(f"init::{name}", (view, *numbers), {}, len(self.recording.events))
            event.is_random = name != "dirac_"
            event.outs, event.writes, event.reads = [view], [view], [view]
            if not tensor.is_meta:
                self._stale.add(view.storage)
            self.recording.add(event)

    def _is_real(self, tensor: torch.Tensor) -> bool:
        return not tensor.is_meta and self.recording.view(tensor).storage not in self._stale

    def _is_asked_for(self, tensor: torch.Tensor, kwargs: dict[str, Any]) -> bool:
        """Whether a small tensor that has no random parts is copied from meta to the CPU."""
        device = kwargs.get("device")
        if (
            device is None
            or torch.device(device).type != "cpu"
            or self._is_real(tensor)
            or tensor.numel() > 1 << 22
        ):
            return False
        events, missing = replay.backward_slice(self.recording, self.recording.view(tensor).storage)
        return not missing and not any(event.is_random for event in events)

    def _redirect(
        self, func: Any, name: str, tensors: list[torch.Tensor], kwargs: dict[str, Any]
    ) -> None:
        takes_device = any(argument.name == "device" for argument in func._schema.arguments)
        if not takes_device:
            return
        kwargs.pop("pin_memory", None)
        device = kwargs.get("device")
        is_large = name in LARGE or (torch.Tag.nondeterministic_seeded in func.tags)
        if is_large or (tensors and tensors[0].is_meta and device is not None):
            kwargs["device"] = META
        elif device is not None and torch.device(device).type not in ("cpu", "meta"):
            kwargs["device"] = CPU

    def _run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        tensors = trees.tensors((args, kwargs))
        if func.name().split("::")[-1].split(".")[0] in UNSEEN and tensors[0].is_meta:
            return tensors[0]
        is_mixed = any(t.is_meta for t in tensors) and any(
            not t.is_meta and t.dim() for t in tensors
        )
        if is_mixed:
            written = _written(func, args, kwargs)
            if any(not t.is_meta for t in written):
                self._stale.update(self.recording.view(t).storage for t in written)
                return written[0] if len(written) == 1 else tuple(written)
            if not func.name().startswith(("aten::copy_", "aten::_to_copy")):
                args, kwargs = trees.mapped(_to_meta, (args, kwargs))
        try:
            result = func(*args, **kwargs)
        except (RuntimeError, NotImplementedError):
            # Operators whose result depends on data, such as nonzero, have none on meta.
            if _written(func, args, kwargs) or not any(t.is_meta for t in tensors):
                raise
            args, kwargs = trees.mapped(
                lambda x: self._real(x) if isinstance(x, torch.Tensor) else x, (args, kwargs)
            )
            return func(*args, **({**kwargs, "device": CPU} if "device" in kwargs else kwargs))
        if any(self.recording.view(t).storage in self._stale for t in tensors if not t.is_meta):
            self._stale.update(
                self.recording.view(t).storage for t in trees.tensors(result) if not t.is_meta
            )
        return result

    def _value(self, tensor: torch.Tensor) -> torch.Tensor:
        """The data of a tensor that only events know."""
        view = self.recording.view(tensor)
        events, missing = replay.backward_slice(self.recording, view.storage)
        if missing or any(event.is_random for event in events):
            what = "a random value" if not missing else "a value of memory that nothing wrote"
            raise TraceError(
                f"the model's construction asks for {what}, which is not known while it is traced"
            )
        return replay.run(self.recording, events, view)

    def _real(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor if self._is_real(tensor) else self._value(tensor)

    def _record(self, func: Any, args: Any, kwargs: dict[str, Any], run: Callable[[], Any]) -> Any:
        recording = self.recording
        before = trees.mapped(
            lambda x: recording.view(x) if isinstance(x, torch.Tensor) else x, (args, kwargs)
        )
        known = recording.count
        result = run()
        event = Event(func, before[0], before[1], len(recording.events))
        event.is_random = torch.Tag.nondeterministic_seeded in func.tags
        event.outs = [recording.view(tensor) for tensor in trees.tensors(result)]
        # `zeros_like` and `new_zeros` read a shape, no data.
        is_like = event.name.endswith("_like") or event.name.startswith("new_")
        for position, argument in enumerate(func._schema.arguments):
            value = (
                event.args[position]
                if position < len(event.args)
                else event.kwargs.get(argument.name)
            )
            views = trees.views(value)
            event.reads += [] if is_like else views
            if argument.alias_info is not None and argument.alias_info.is_write:
                event.writes += views
        new = [view for view in event.outs if view.storage >= known]
        recording.made.update(view.storage for view in new)
        event.writes += new
        if event.writes:
            if not event.reads and new and any(a.name == "dtype" for a in func._schema.arguments):
                event.kwargs["dtype"] = new[0].dtype
            recording.add(event)
        return result


def _to_meta(value: Any) -> Any:
    return value.to(META) if isinstance(value, torch.Tensor) else value


def _written(func: Any, args: Any, kwargs: dict[str, Any]) -> list[torch.Tensor]:
    written = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            written += trees.tensors(
                args[position] if position < len(args) else kwargs.get(argument.name)
            )
    return written


# Functions of torch.nn.init that return early on meta, without any operation. Names imported from
# there are everywhere, so the functions' code is exchanged, which every name sees.

_active = threading.local()
_exchange = threading.RLock()


def recorded(
    name: str, tensor: torch.Tensor, numbers: tuple[float, ...], generator: Any
) -> torch.Tensor:
    """Called by the exchanged code: records, or does what the function does elsewhere."""
    recorder = getattr(_active, "recorder", None)
    if recorder is None:
        options = {} if generator is None else {"generator": generator}
        done: torch.Tensor = ORIGINAL[name](tensor, *numbers, **options)
        return done
    if name == "sparse_" and tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    if name == "orthogonal_" and tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if name == "dirac_" and tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    recorder.init_function(name, tensor, *numbers)
    return tensor


def _trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):  # type: ignore[no-untyped-def]
    from gpu_init.torch.recorder import recorded

    return recorded("trunc_normal_", tensor, (mean, std, a, b), generator)


def _orthogonal_(tensor, gain=1, generator=None):  # type: ignore[no-untyped-def]
    from gpu_init.torch.recorder import recorded

    return recorded("orthogonal_", tensor, (gain,), generator)


def _sparse_(tensor, sparsity, std=0.01, generator=None):  # type: ignore[no-untyped-def]
    from gpu_init.torch.recorder import recorded

    return recorded("sparse_", tensor, (sparsity, std), generator)


def _dirac_(tensor, groups=1):  # type: ignore[no-untyped-def]
    from gpu_init.torch.recorder import recorded

    return recorded("dirac_", tensor, (groups,), None)


HOOKS = {
    "trunc_normal_": _trunc_normal_,
    "orthogonal_": _orthogonal_,
    "sparse_": _sparse_,
    "dirac_": _dirac_,
}
FUNCTIONS: dict[str, Any] = {name: getattr(torch.nn.init, name) for name in HOOKS}
ORIGINAL: dict[str, Any] = {
    name: types.FunctionType(function.__code__, vars(torch.nn.init), name, function.__defaults__)
    for name, function in FUNCTIONS.items()
}


@contextlib.contextmanager
def _hooked_init_functions(recorder: Recorder) -> Iterator[None]:
    outer = getattr(_active, "recorder", None)
    with _exchange:
        code = {name: function.__code__ for name, function in FUNCTIONS.items()}
        _active.recorder = recorder
        try:
            for name, function in FUNCTIONS.items():
                function.__code__ = HOOKS[name].__code__
            yield
        finally:
            for name, function in FUNCTIONS.items():
                function.__code__ = code[name]
            _active.recorder = outer
