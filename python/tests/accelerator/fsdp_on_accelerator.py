"""Run by torchrun: the model of the FSDP2 example on the accelerator; prints its fingerprint there
and that of the same model on the CPU.
"""

import sys
from pathlib import Path

import gpu_init.torch
import torch
import torch.distributed as dist
from torch.distributed import init_device_mesh
from torch.distributed.fsdp import fully_shard

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from fsdp_any_number import Transformer

device = torch.accelerator.current_accelerator()
assert device is not None
torch.accelerator.set_device_index(0)
dist.init_process_group(dist.get_default_backend_for_device(device))
mesh = init_device_mesh(device.type, (dist.get_world_size(),))

with torch.device("meta"):
    model = Transformer()
for block in model.blocks:
    fully_shard(block, mesh=mesh)
fully_shard(model, mesh=mesh)
plan = gpu_init.torch.trace(Transformer)
gpu_init.torch.init_(model, seed=42, plan=plan)
assert all(parameter.device.type == device.type for parameter in model.parameters())

loss = model(torch.arange(1, 33, device=device).view(2, 16)).logsumexp(-1).mean()
loss.backward()
plain = gpu_init.torch.init_(Transformer(), seed=42, plan=plan)
print(gpu_init.torch.fingerprint(model), gpu_init.torch.fingerprint(plain))
dist.destroy_process_group()
