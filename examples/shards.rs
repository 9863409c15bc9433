//! Shards of one tensor: each rank fills its own, without communication, and the fingerprints of the
//! shards add up to the fingerprint of the whole tensor.
//!
//! ```sh
//! cargo run --release --example shards
//! ```

use gpu_init::{Cpu, Device, Fingerprint, Initializer, Shard, TensorSpec};

const WORLD: u64 = 4;

fn main() -> gpu_init::Result<()> {
    let (gpu, cpu) = (Device::new()?.with_seed(42), Cpu::with_seed(42));
    // 1000 rows are 250 for each of four ranks.
    let q_proj = TensorSpec::new([1000, 768], Initializer::xavier_normal()).name("q_proj.weight");

    let mut sum = Fingerprint::default();
    for rank in 0..WORLD {
        let shard = q_proj.clone().shard(Shard { dim: 0, rank, world: WORLD });
        // A rank may be any process on any machine. Here even ranks use the GPU, odd ones the CPU.
        let (device, fingerprint) = match rank % 2 {
            0 => ("GPU", gpu.fill(&shard)?.fingerprint()?),
            _ => ("CPU", cpu.fill(&shard)?.fingerprint()),
        };
        let shape = shard.local_shape()?;
        println!("rank {rank}, {device}: shape {shape}, fingerprint {fingerprint}");
        sum = [sum, fingerprint].into_iter().sum();
    }

    let whole = gpu.fill(&q_proj)?.fingerprint()?;
    println!("sum of the shards:          fingerprint {sum}");
    println!("whole tensor: shape {}, fingerprint {whole}", q_proj.shape());
    assert_eq!(sum, whole);
    Ok(())
}
