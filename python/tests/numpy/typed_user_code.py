"""What users write, for `mypy --strict`: it passes, and each ignored line is an error."""

from typing import Any

import gpu_init
import numpy as np
import numpy.typing as npt

weights: npt.NDArray[Any] = gpu_init.xavier_normal(
    (4, 4), gain=0.5, seed=1, name="w", shard=(0, 1, 2)
)
weights = gpu_init.kaiming_normal([4, 4], mode="fan_out", nonlinearity="relu", dtype=np.float16)
weights = gpu_init.normal(4, out=np.empty(4), slices=[(0, 2)], device="gpu")
weights = gpu_init.dirac((4, 2, 3), groups=2, layout="pytorch", fans=(1, 2))
filled: bytearray = gpu_init.fill(bytearray(8), "normal", dtype="bf16", progress=print)
text: str = gpu_init.fingerprint(weights)
mean: float = gpu_init.stats(weights).mean
low, high = gpu_init.distribution("uniform(a=-1)", (3,)).bounds
stream: int = gpu_init.stream_of("w")

plan: gpu_init.Plan = gpu_init.Recipe.named("gpt2").rules().plan({"w": ((3,), "bf16")})
arrays: dict[str, npt.NDArray[Any]] = plan.shard(0, 2).fill(progress=lambda done, total: None)
names: list[str] = [entry.name for entry in plan.entries]

gpu_init.xavier_normal((4, 4), std=1.0)  # type: ignore[call-arg]
gpu_init.kaiming_normal((4, 4), mode="fan_inn")  # type: ignore[arg-type]
gpu_init.sparse((4, 4))  # type: ignore[call-arg]
gpu_init.fill(weights, "normal", device="tpu")  # type: ignore[arg-type]
