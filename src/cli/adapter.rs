//! Which adapter `--device auto` takes for one of several processes on a machine.

use gpu_init::wgpu::{AdapterInfo, DeviceType};

/// The adapter for that local rank, counted round the GPUs that are of the same kind as the `best` one. Where a
/// launcher shows each process its own GPU alone, all take the one they see.
pub(crate) fn adapter_for(local_rank: u64, best: Option<usize>, adapters: &[AdapterInfo]) -> Option<usize> {
    let first = adapters.get(best?)?;
    // A second software driver would run on the same cores.
    if first.device_type == DeviceType::Cpu {
        return best;
    }
    let same: Vec<usize> = (0..adapters.len())
        .filter(|&i| {
            let adapter = &adapters[i];
            // Another API shows the same GPUs once more, as another driver does.
            adapter.device_type == first.device_type
                && adapter.backend == first.backend
                && !adapters[..i].iter().any(|earlier| is_same_gpu(earlier, adapter))
        })
        .collect();
    let count = same.len() as u64;
    local_rank.checked_rem(count).and_then(|i| same.get(i as usize).copied()).or(best)
}

fn is_same_gpu(a: &AdapterInfo, b: &AdapterInfo) -> bool {
    a.backend == b.backend && !a.device_pci_bus_id.is_empty() && a.device_pci_bus_id == b.device_pci_bus_id
}

#[cfg(test)]
mod tests {
    use gpu_init::wgpu::Backend::{Dx12, Vulkan};
    use gpu_init::wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu};

    use super::*;

    #[test]
    fn local_ranks_go_round_the_gpus_of_the_best_kind() {
        let of = |adapters: &[(DeviceType, _, &str)]| -> Vec<AdapterInfo> {
            let info = |&(kind, backend, bus): &(_, _, &str)| AdapterInfo {
                device_pci_bus_id: bus.to_owned(),
                ..AdapterInfo::new(kind, backend)
            };
            adapters.iter().map(info).collect()
        };
        for (adapters, best, expected) in [
            (of(&[(DiscreteGpu, Vulkan, "1"), (DiscreteGpu, Vulkan, "2")]), 0, [0, 1, 0, 1]),
            // One real GPU is all there is to take.
            (of(&[(Cpu, Vulkan, ""), (DiscreteGpu, Vulkan, "1"), (IntegratedGpu, Vulkan, "2")]), 1, [1, 1, 1, 1]),
            // GPUs without an address are GPUs of their own.
            (of(&[(DiscreteGpu, Vulkan, ""), (Cpu, Vulkan, ""), (DiscreteGpu, Vulkan, "")]), 0, [0, 2, 0, 2]),
            // The same two GPUs through two APIs; one GPU through two drivers.
            (
                of(&[
                    (DiscreteGpu, Vulkan, "1"),
                    (DiscreteGpu, Vulkan, "2"),
                    (DiscreteGpu, Dx12, "1"),
                    (DiscreteGpu, Dx12, "2"),
                ]),
                0,
                [0, 1, 0, 1],
            ),
            (of(&[(DiscreteGpu, Vulkan, "1"), (DiscreteGpu, Vulkan, "1")]), 0, [0, 0, 0, 0]),
            (of(&[(Cpu, Vulkan, ""), (Cpu, Vulkan, "")]), 0, [0, 0, 0, 0]),
        ] {
            let chosen: Vec<_> = (0..4).map(|rank| adapter_for(rank, Some(best), &adapters)).collect();
            assert_eq!(chosen, expected.map(Some), "{adapters:?}");
        }
        assert_eq!(adapter_for(3, None, &[]), None);
    }
}
