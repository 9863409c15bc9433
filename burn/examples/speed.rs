//! Times the initialization of large weights in place beside burn's own, in one run on one device:
//! nanoseconds per element, the best of five.

use std::time::Instant;

use burn::module::Param;
use burn::nn::{self, LinearConfig};
use burn::tensor::{Device, Tensor};
use gpu_init::wgpu::{self, BufferUsages};
use gpu_init::{Cpu, Initializer, TensorSpec};

type Weights = Vec<Param<Tensor<2>>>;

const XAVIER: nn::Initializer = nn::Initializer::XavierNormal { gain: 1.0 };

/// Seconds that the best of five runs takes until the device is done. What a run makes is dropped
/// after that.
fn best<T>(device: &Device, mut run: impl FnMut() -> T) -> f64 {
    let time = |_| {
        device.sync().expect("burn's device works");
        let start = Instant::now();
        let made = run();
        device.sync().expect("burn's device works");
        let seconds = start.elapsed().as_secs_f64();
        drop(made);
        seconds
    };
    (0..5).map(time).fold(f64::INFINITY, f64::min)
}

/// `count` square matrices of 2^`bits` elements each.
fn matrices(device: &Device, count: usize, bits: usize) -> Result<(), gpu_init_burn::Error> {
    let size = 1 << (bits / 2);
    let lazy = || -> Weights {
        let weight = |_| XAVIER.init_with([size, size], Some(size), Some(size), device);
        (0..count).map(weight).collect()
    };
    let own = best(device, || {
        let weights = lazy();
        weights.iter().for_each(|weight| drop(weight.val()));
        weights
    });
    let new = best(device, || gpu_init_burn::init_with(lazy(), XAVIER, 42));
    let made = gpu_init_burn::init_with(lazy(), XAVIER, 42)?;
    let again = best(device, || gpu_init_burn::init_with(made.clone(), XAVIER, 43));
    let elements = (count * size * size) as f64;
    let [own, new, again] = [own, new, again].map(|seconds| seconds / elements * 1e9);
    println!("{count:>5} x 2^{bits} {own:>12.3} {new:>16.3} {again:>18.3}");
    Ok(())
}

/// Many small parameters: 128 layers of 64 x 64, with biases.
fn layers(device: &Device) {
    let lazy = || -> Vec<nn::Linear> {
        (0..128).map(|_| LinearConfig::new(64, 64).init(device)).collect()
    };
    let own = best(device, || {
        let layers = lazy();
        for layer in &layers {
            layer.weight.val();
            layer.bias.iter().for_each(|bias| drop(bias.val()));
        }
        layers
    });
    let ours = best(device, || gpu_init_burn::init_with(lazy(), XAVIER, 42));
    let [own, ours] = [own, ours].map(|seconds| seconds * 1e3);
    println!("128 layers of 64 x 64: burn's own {own:.2} ms, gpu-init {ours:.2} ms");
}

/// What the limit of uploads goes by (`most_uploaded` in src/wgpu.rs): tensors of each size, computed on the
/// CPU and uploaded, or made by dispatches, in microseconds for each.
fn small(device: &Device, gpu: &gpu_init::Device) -> Result<(), gpu_init_burn::Error> {
    const COUNT: usize = 64;
    println!("{:>10} {:>12} {:>12}", "", "uploaded, us", "dispatched");
    for bits in 8..=18 {
        let (elements, bytes) = (1 << bits, 4 << bits);
        let spec = |i| TensorSpec::new([16, elements / 16], Initializer::xavier_normal()).stream(i);
        let specs: Vec<_> = (0..COUNT as u64).map(spec).collect();
        let memory = gpu.wgpu_device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: COUNT as u64 * bytes,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let offsets = (0..COUNT as u64).map(|i| i * bytes);
        let upload = || -> gpu_init::Result<()> {
            let values = Cpu::new().fill_all(&specs)?;
            for (values, offset) in values.iter().zip(offsets.clone()) {
                gpu.wgpu_queue().write_buffer(&memory, offset, values.as_bytes());
            }
            gpu.wgpu_queue().submit([]);
            gpu.wait()
        };
        let targets = specs.iter().zip(offsets.clone());
        let targets: Vec<_> = targets.map(|(spec, offset)| (spec, &memory, offset)).collect();
        let dispatch = || -> gpu_init::Result<()> {
            gpu.fill_all_into(&targets)?;
            gpu.wait()
        };
        upload()?;
        dispatch()?;
        let (uploaded, dispatched) = (best(device, upload), best(device, dispatch));
        let [uploaded, dispatched] = [uploaded, dispatched].map(|s| s / COUNT as f64 * 1e6);
        println!("{COUNT:>5} x 2^{bits:<2} {uploaded:>12.2} {dispatched:>12.2}");
    }
    Ok(())
}

fn main() -> Result<(), gpu_init_burn::Error> {
    let device = gpu_init_burn::open_wgpu(Device::wgpu_options())?;
    let gpu = gpu_init_burn::gpu(&device).expect("open_wgpu opened it");
    println!("{}; ns per element", gpu.name());
    println!(
        "{:>10} {:>12} {:>16} {:>18}",
        "", "burn's own", "gpu-init, lazy", "gpu-init, in place"
    );
    // Burn binds a parameter whole, and software drivers bind no more than 128 MiB.
    let binding = gpu.wgpu_device().limits().max_storage_buffer_binding_size;
    let largest = if binding >= 1 << 28 { (1, 26) } else { (4, 24) };
    for (count, bits) in [(1, 16), (1, 20), (1, 24), largest] {
        matrices(&device, count, bits)?;
    }
    layers(&device);
    small(&device, &gpu)
}
