//! Slices and shards on the device: the bits of the CPU, and fingerprints that add up to that of
//! the whole.

use crate::gpu::tests::{compare, device, narrow_device};
use crate::{Cpu, DType, Initializer, Layout, Shard, TensorSpec};

fn initializers(rank: usize) -> Vec<Initializer> {
    let mut all = vec![
        Initializer::xavier_normal(),
        Initializer::xavier_uniform().mean(0.5).unwrap(),
        Initializer::truncated_normal(0.0, 1.0, -1.0, 2.0),
        Initializer::ones(),
        Initializer::orthogonal(),
    ];
    match rank {
        2 => all.extend([
            Initializer::eye().gain(0.3).unwrap(),
            Initializer::sparse(0.4).std(0.1).unwrap(),
        ]),
        _ => all.extend([Initializer::dirac(), Initializer::delta_orthogonal()]),
    }
    all
}

#[test]
fn shards_add_up_to_the_whole() {
    let Some(device) = device() else { return };
    for shape in [&[37, 30][..], &[9, 5, 7]] {
        for initializer in initializers(shape.len()) {
            for dtype in DType::FLOATS {
                let whole = TensorSpec::new(shape, initializer).dtype(dtype).name("w");
                let expected = Cpu::new().fill(&whole).unwrap().fingerprint();
                for dim in 0..shape.len() {
                    for world in [1, 2, 3, 7, 8] {
                        let shards: Vec<_> = (0..world)
                            .map(|rank| Shard { dim, rank, world })
                            .filter(|shard| !shard.range(shape[dim] as u64).is_empty())
                            .map(|shard| whole.clone().shard(shard))
                            .collect();
                        let tensors = device.fill_all(&shards).unwrap();
                        let sum = tensors.iter().map(|tensor| tensor.fingerprint().unwrap()).sum();
                        assert_eq!(
                            expected, sum,
                            "{initializer} {shape:?} {dtype} dim {dim} of {world}"
                        );
                        for (tensor, shard) in tensors.iter().zip(shards) {
                            let on_host = Cpu::new().fill(&shard).unwrap();
                            assert_eq!(tensor.read().unwrap(), on_host);
                            let stats = tensor.stats().unwrap();
                            assert_eq!(stats, on_host.stats());
                            assert_eq!(stats.disagreement(tensor.spec()), None, "{shard:?}");
                        }
                    }
                }
            }
        }
    }
}

/// Two dimensions, parts of slices, offsets in the caller's memory, and bindings of 1 MiB.
#[test]
fn slices_have_the_bits_of_the_cpu() {
    let Some(device) = narrow_device() else { return };
    type Cuts = [(usize, std::ops::Range<u64>); 2];
    let slices: [(&[usize], Cuts); 6] = [
        (&[800, 900], [(0, 3..790), (1, 1..899)]),
        (&[70, 300, 40], [(1, 7..290), (2, 3..38)]),
        (&[70, 300, 40], [(0, 7..60), (2, 39..40)]),
        (&[30, 20, 30, 20], [(1, 3..4), (3, 1..20)]),
        (&[1_000_000, 2], [(0, 1..999_999), (1, 1..2)]),
        (&[300, 5, 3, 3], [(0, 10..200), (1, 1..4)]),
    ];
    for (shape, cuts) in slices {
        for initializer in initializers(shape.len()) {
            let layout = match initializer {
                Initializer::DeltaOrthogonal { .. } if shape[0] < shape[1] => Layout::InOutKernel,
                _ => Layout::OutInKernel,
            };
            let orthogonal = matches!(initializer, Initializer::Orthogonal { .. });
            let (rows, columns) = (shape[0], shape[1..].iter().product());
            if orthogonal && (rows.min(columns) > 400 || rows.max(columns) > 8000) {
                continue; // Seconds on llvmpipe, or a panel that is more than a binding.
            }
            let whole = TensorSpec::new(shape, initializer).layout(layout);
            if whole.resolve(0, 0).is_err() {
                continue; // An identity of four dimensions, say.
            }
            let slice =
                cuts.iter().cloned().fold(whole, |slice, (dim, range)| slice.slice(dim, range));
            let len = slice.resolve(0, 0).unwrap().len;
            for (dtype, offset) in DType::SAMPLED.into_iter().zip([0, 12, 260]) {
                compare(&device, &slice, dtype, offset);
                compare(&device, &slice.clone().elements(1..len / 2), dtype, offset);
                compare(&device, &slice.clone().elements(len - 2..len), dtype, offset);
                let rows = shape[0] as u64 / 3..shape[0] as u64 / 2;
                compare(&device, &slice.clone().zero_rows(rows), dtype, offset);
            }
        }
    }
    // Past 2^32 elements, where a row is.
    let (rows, wide) = (1 << 21, Initializer::xavier_normal().gain(1000.0).unwrap());
    let huge = TensorSpec::new([rows, rows + 1], wide).name("huge");
    let last = rows as u64 - 1000..rows as u64;
    compare(&device, &huge.slice(1, 5..8).slice(0, last), DType::BF16, 4);
}
