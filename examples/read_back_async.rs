//! Reading weights back in async code. gpu-init needs no particular executor: this example uses
//! pollster, and tokio, async-std or a browser's event loop do as well.
//!
//! ```sh
//! cargo run --release --example read_back_async
//! ```

use gpu_init::{Device, DeviceOptions, HostTensor, Initializer, TensorSpec};

fn main() -> gpu_init::Result<()> {
    let tensor = pollster::block_on(embedding())?;
    let values: &[f32] = tensor.as_slice()?;
    println!("read back {} values, the first are {:?}", tensor.len(), &values[..4]);
    let stats = tensor.stats();
    println!("mean {:.6}, std {:.6}", stats.mean, stats.std);
    Ok(())
}

async fn embedding() -> gpu_init::Result<HostTensor> {
    let device = Device::open_async(&DeviceOptions::new().seed(42)).await?;
    let spec = TensorSpec::new([1000, 64], Initializer::normal(0.0, 0.02)).name("embedding.weight");
    let tensor = device.fill_async(&spec).await?;

    // The fingerprint is computed on the GPU: 8 bytes cross the bus.
    let fingerprint = tensor.fingerprint_async().await?;
    // A range costs its own bytes only.
    let row = tensor.read_range_async(640..704).await?;
    println!("fingerprint {fingerprint}, row 10 has {} values", row.len());

    let all = tensor.read_async().await?;
    assert_eq!(all.fingerprint(), fingerprint);
    Ok(all)
}
