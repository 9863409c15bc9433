//! The adapters that `--device auto` and `--device gpu` take, and why.

use gpu_init::wgpu::{AdapterInfo, DeviceType};

/// Whether a driver computes on the same cores as the CPU path.
pub(crate) fn is_software(adapter: &AdapterInfo) -> bool {
    adapter.device_type == DeviceType::Cpu
}

/// Why `--device auto` takes an adapter, or the CPU, which gives the same bits as a software driver
/// in a quarter of the time.
pub(crate) fn why_auto(auto: Option<usize>, adapters: &[AdapterInfo]) -> &'static str {
    match auto.map(|auto| adapters[auto].device_type) {
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
    let turn = local_rank.checked_rem(same.len() as u64);
    turn.map_or(best, |turn| Some(same[turn as usize]))
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
        type Listed = (DeviceType, gpu_init::wgpu::Backend, &'static str);
        let (first, second) = ((DiscreteGpu, Vulkan, "1"), (DiscreteGpu, Vulkan, "2"));
        let (software, unnamed) = ((Cpu, Vulkan, ""), (DiscreteGpu, Vulkan, ""));
        let again = [(DiscreteGpu, Dx12, "1"), (DiscreteGpu, Dx12, "2")];
        for (adapters, best, expected) in [
            (&[first, second][..], 0, [0, 1, 0, 1]),
            // One real GPU is all there is to take.
            (&[software, first, (IntegratedGpu, Vulkan, "2")], 1, [1, 1, 1, 1]),
            // GPUs without an address are GPUs of their own.
            (&[unnamed, software, unnamed], 0, [0, 2, 0, 2]),
            // The same two GPUs through two APIs; one GPU through two drivers.
            (&[first, second, again[0], again[1]], 0, [0, 1, 0, 1]),
            (&[first, first], 0, [0, 0, 0, 0]),
            (&[software, software], 0, [0, 0, 0, 0]),
        ] {
            let info = |&(kind, backend, bus): &Listed| AdapterInfo {
                device_pci_bus_id: bus.to_owned(),
                ..AdapterInfo::new(kind, backend)
            };
            let adapters: Vec<_> = adapters.iter().map(info).collect();
            let chosen = [0, 1, 2, 3].map(|rank| adapter_for(rank, Some(best), &adapters));
            assert_eq!(chosen, expected.map(Some), "{adapters:?}");
        }
        assert_eq!(adapter_for(3, None, &[]), None);
    }

    #[test]
    fn a_reason_says_what_auto_takes() {
        for (kinds, taken, reason) in [
            (&[Cpu, DiscreteGpu, IntegratedGpu][..], Some(1), "the first discrete GPU"),
            (&[IntegratedGpu, Cpu], Some(0), "none is discrete"),
            (&[Cpu, VirtualGpu], Some(1), "virtual"),
            (&[Other, Cpu], Some(0), "does not say"),
            (&[Cpu, Cpu], None, "more slowly"),
            (&[], None, "no adapter"),
        ] {
            let adapters: Vec<_> =
                kinds.iter().map(|&kind| AdapterInfo::new(kind, Vulkan)).collect();
            let why = why_auto(taken, &adapters);
            assert!(why.contains(reason), "{kinds:?}: {why}");
        }
    }
}
