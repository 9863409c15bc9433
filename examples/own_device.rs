//! Your own wgpu device, buffer and encoder: gpu-init only records the commands that fill a part of
//! the buffer, beside your own commands.
//!
//! ```sh
//! cargo run --release --example own_device
//! ```

use std::error::Error;

use gpu_init::{Cpu, DType, Device, Initializer, TensorSpec, wgpu};

fn main() -> Result<(), Box<dyn Error>> {
    let (device, queue) = pollster::block_on(request_device())?;

    // Opening tests the kernel of normals on your device. Seed and streams belong to `init`.
    let init = Device::from_wgpu(device.clone(), queue.clone())?.with_seed(42);

    // One buffer for two tensors, with the usages that your program needs. gpu-init needs STORAGE;
    // COPY_SRC is for reading back.
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("weights"),
        size: 3 << 20,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    });
    let up = TensorSpec::new([1024, 512], Initializer::xavier_normal()).name("up.weight");
    let down = TensorSpec::new([512, 1024], Initializer::xavier_uniform())
        .name("down.weight")
        .dtype(DType::BF16);

    // Nothing is submitted here. The offsets are in bytes.
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let tensors = init.encode(&[(&up, &buffer, 0), (&down, &buffer, 2 << 20)], &mut encoder)?;
    // Your own passes can follow in the same encoder and already read the weights.
    queue.submit([encoder.finish()]);

    println!("on {}", init.name());
    for (spec, tensor) in [up, down].iter().zip(tensors) {
        let (gpu, cpu) = (tensor.fingerprint()?, Cpu::with_seed(42).fill(spec)?.fingerprint());
        println!("{:4} {} at byte {:7}: {gpu}", tensor.dtype(), tensor.shape(), tensor.offset());
        assert_eq!(gpu, cpu, "the CPU path gives the same bits");
    }
    Ok(())
}

/// The device as your program makes it. SHADER_INT64 is optional and makes fills faster.
async fn request_device() -> Result<(wgpu::Device, wgpu::Queue), Box<dyn Error>> {
    let instance = wgpu::Instance::default();
    let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await?;
    let descriptor = wgpu::DeviceDescriptor {
        required_features: adapter.features() & wgpu::Features::SHADER_INT64,
        ..Default::default()
    };
    Ok(adapter.request_device(&descriptor).await?)
}
