"""Long fills: progress, and signals that end them."""

import os
import signal
import threading
import time

import gpu_init
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _interruptible():
    """Python's own handler, which a process begun in a shell's background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(work):
    """Sends SIGINT to this process during some work; returns the seconds until it ended."""
    sent = 0.0

    def send():
        nonlocal sent
        sent = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, send)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        work()
    timer.join()
    return time.perf_counter() - sent


@pytest.mark.parametrize(
    "init, shape, dtype",
    [
        ("normal", 1 << 31, "bf16"),
        ("truncated_normal", 1 << 31, "f8_e4m3"),
        ("log_uniform", 1 << 29, "f32"),
        ("orthogonal", (16384, 8192), "f32"),
    ],
)
def test_control_c_ends_a_fill(init, shape, dtype):
    count = int(np.prod(shape))
    memory = np.zeros(
        count * gpu_init._dtypes.size_of(gpu_init._dtypes.name_of(dtype, "")), np.uint8
    )
    seconds = interrupted(lambda: gpu_init.fill(memory, init, shape=shape, dtype=dtype))
    if init == "orthogonal":  # Which writes all of it first, and then computes for minutes.
        assert seconds < 20
    else:
        assert not memory[-4096:].any(), "it went on to the end"
    small = np.zeros(8, np.float32)
    assert gpu_init.fill(small, "ones").all(), "it goes on working"


def test_control_c_ends_a_plan():
    tensors = {f"h.{i}.weight": (4096, 4096) for i in range(4096)}
    plan = gpu_init.Rules.from_text("default = 'truncated_normal'").plan(tensors)
    assert interrupted(plan.fingerprint) < 20, "there is work for a minute"


def test_a_handler_decides():
    """A signal whose handler raises nothing ends nothing."""
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        gpu_init.fill(np.empty(1 << 29, np.uint16), "normal", dtype="bf16")
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [1]


def test_progress():
    calls = []
    gpu_init.fill(np.empty(100, np.float32), "normal", progress=lambda *call: calls.append(call))
    assert calls == [(100, 100)]
    calls.clear()
    gpu_init.fill(
        np.empty(1 << 28, np.uint16), "normal", dtype="bf16", progress=lambda *it: calls.append(it)
    )
    assert calls == sorted(calls) and calls[-1] == (1 << 28, 1 << 28)

    def stop(done, total):
        raise LookupError(done)

    with pytest.raises(LookupError, match="100"):
        gpu_init.fill(np.empty(100, np.float32), "normal", progress=stop)
