//! The adapters that `--device auto` and `--device gpu` take, and why.

use gpu_init::wgpu::{AdapterInfo, DeviceType};

/// Whether a driver computes on the same cores as the CPU path.
pub(crate) fn is_software(adapter: &AdapterInfo) -> bool {
    adapter.device_type == DeviceType::Cpu
}

/// What `--device auto` takes: the best adapter, unless it is software. Those are the last of all,
/// so that there is no GPU beside it then, and the CPU path has the same bits in a quarter of the
/// time.
pub(crate) fn auto(best: Option<usize>, adapters: &[AdapterInfo]) -> Option<usize> {
    best.filter(|&best| adapters.get(best).is_some_and(|adapter| !is_software(adapter)))
}

/// Why it takes that one, or the CPU.
pub(crate) fn why_auto(auto: Option<usize>, adapters: &[AdapterInfo]) -> &'static str {
    match auto.and_then(|auto| adapters.get(auto)).map(|adapter| adapter.device_type) {
        Some(DeviceType::DiscreteGpu) => "the first discrete GPU",
        Some(DeviceType::IntegratedGpu) => "the first integrated GPU, and none is discrete",
        Some(DeviceType::VirtualGpu) => "the first virtual GPU, and none is discrete or integrated",
        Some(DeviceType::Other | DeviceType::Cpu) => {
            "the first GPU of a kind that its driver does not say"
        }
        None if adapters.is_empty() => "there is no adapter",
        None => "there is no GPU, and a software adapter gives the same bits more slowly",
    }
}

/// The adapter of a local rank: the ranks take turns at the GPUs of the same kind as the `best`
/// one. Where a launcher shows each process one GPU only, each takes that one.
pub(crate) fn adapter_for(
    local_rank: u64,
    best: Option<usize>,
    adapters: &[AdapterInfo],
) -> Option<usize> {
    let first = adapters.get(best?)?;
    // A second software driver would run on the same cores.
    if is_software(first) {
        return best;
    }
    let same: Vec<usize> = (0..adapters.len())
        .filter(|&i| {
            let adapter = &adapters[i];
            // Another API or driver lists the same GPUs once more.
            adapter.device_type == first.device_type
                && adapter.backend == first.backend
                && !adapters[..i].iter().any(|earlier| is_same_gpu(earlier, adapter))
        })
        .collect();
    let count = same.len() as u64;
    local_rank.checked_rem(count).and_then(|i| same.get(i as usize).copied()).or(best)
}

fn is_same_gpu(a: &AdapterInfo, b: &AdapterInfo) -> bool {
    a.backend == b.backend
        && !a.device_pci_bus_id.is_empty()
        && a.device_pci_bus_id == b.device_pci_bus_id
}

#[cfg(test)]
mod tests {
    use gpu_init::wgpu::Backend::{Dx12, Vulkan};
    use gpu_init::wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, Other, VirtualGpu};

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
            (
                of(&[(Cpu, Vulkan, ""), (DiscreteGpu, Vulkan, "1"), (IntegratedGpu, Vulkan, "2")]),
                1,
                [1, 1, 1, 1],
            ),
            // GPUs without an address are GPUs of their own.
            (
                of(&[(DiscreteGpu, Vulkan, ""), (Cpu, Vulkan, ""), (DiscreteGpu, Vulkan, "")]),
                0,
                [0, 2, 0, 2],
            ),
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
            let chosen: Vec<_> =
                (0..4).map(|rank| adapter_for(rank, Some(best), &adapters)).collect();
            assert_eq!(chosen, expected.map(Some), "{adapters:?}");
        }
        assert_eq!(adapter_for(3, None, &[]), None);
    }

    #[test]
    fn auto_takes_no_software() {
        let of = |kinds: &[DeviceType]| -> Vec<_> {
            kinds.iter().map(|&kind| AdapterInfo::new(kind, Vulkan)).collect()
        };
        for (kinds, best, expected, reason) in [
            (&[Cpu, DiscreteGpu, IntegratedGpu][..], Some(1), Some(1), "the first discrete GPU"),
            (&[IntegratedGpu, Cpu], Some(0), Some(0), "none is discrete"),
            (&[Cpu, VirtualGpu], Some(1), Some(1), "virtual"),
            (&[Other, Cpu], Some(0), Some(0), "does not say"),
            (&[Cpu, Cpu], Some(0), None, "more slowly"),
            (&[], None, None, "no adapter"),
        ] {
            let adapters = of(kinds);
            let taken = auto(best, &adapters);
            assert_eq!(taken, expected, "{kinds:?}");
            assert!(
                why_auto(taken, &adapters).contains(reason),
                "{kinds:?}: {}",
                why_auto(taken, &adapters)
            );
        }
    }
}
