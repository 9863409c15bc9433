//! The adapters of this machine and the choice among them.

use crate::{ErrorKind, Result};

/// Which adapter to open.
///
/// ```no_run
/// use gpu_init::{AdapterChoice, Device, DeviceOptions};
///
/// // A GPU, or an error where there are software drivers alone: there `Cpu` is faster.
/// let device = Device::open(&DeviceOptions::new().adapter(AdapterChoice::BestGpu))?;
/// # Ok::<(), gpu_init::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The one that [`best_adapter`] names.
    #[default]
    Best,
    /// The one that [`best_gpu`] names.
    BestGpu,
    /// The one with this number in [`adapters`], of whatever kind.
    Number(usize),
}

/// Backends with compute shaders, unless `WGPU_BACKEND` names others.
fn backends() -> wgpu::Backends {
    wgpu::Backends::PRIMARY.with_env()
}

/// The one wgpu instance of this process: with it wgpu tells the buffers of different devices apart,
/// and drivers are loaded once (NVIDIA's fails to load after some 30 times in a process). OpenGL has
/// an instance for each device, since an instance's devices would wait for one context.
#[cfg(not(target_arch = "wasm32"))]
fn instance() -> wgpu::Instance {
    static INSTANCE: std::sync::OnceLock<wgpu::Instance> = std::sync::OnceLock::new();
    if backends().contains(wgpu::Backends::GL) {
        return new_instance();
    }
    INSTANCE.get_or_init(new_instance).clone()
}

#[cfg(target_arch = "wasm32")]
use new_instance as instance;

fn new_instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends = backends();
    // Validation of indirect calls limits every buffer to 4 GiB, and no calls here are indirect.
    descriptor.flags.remove(wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL);
    wgpu::Instance::new(descriptor)
}

/// Lists every adapter, as [`AdapterChoice::Number`] counts them.
///
/// ```no_run
/// for adapter in pollster::block_on(gpu_init::adapters()) {
///     println!("{}", adapter.get_info().name);
/// }
/// ```
pub async fn adapters() -> Vec<wgpu::Adapter> {
    one_at_a_time(instance().enumerate_adapters(backends())).await
}

/// Waits for a future in which adapters are listed or devices opened, while no other thread is in
/// such a one: NVIDIA's driver (580) blocks forever if several threads do so beside one another.
#[cfg(not(target_arch = "wasm32"))]
async fn one_at_a_time<T>(work: impl Future<Output = T>) -> T {
    static WORKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = WORKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Outside a browser these futures of wgpu are ready at once. The lock is not held at an await,
    // so what is made of this one can be sent to other threads.
    pollster::block_on(work)
}

#[cfg(target_arch = "wasm32")]
async fn one_at_a_time<T>(work: impl Future<Output = T>) -> T {
    work.await
}

/// Where a device comes from.
pub(crate) type Origin = (wgpu::Instance, wgpu::Adapter);

/// The number of the adapter that [`Device::new`](crate::Device::new) opens: a discrete GPU before
/// an integrated one, a virtual one, one of an unknown kind and a software driver; the first among
/// equals.
///
/// ```no_run
/// let adapters = pollster::block_on(gpu_init::adapters());
/// let best = gpu_init::best_adapter(&adapters);
/// ```
pub fn best_adapter(adapters: &[wgpu::Adapter]) -> Option<usize> {
    let rank = |adapter: &wgpu::Adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    (0..adapters.len()).min_by_key(|&i| rank(&adapters[i]))
}

/// The number of the adapter that [`AdapterChoice::BestGpu`] opens: the [`best_adapter`], unless it
/// is a software driver. Those come last, so there is no GPU beside it then.
///
/// ```no_run
/// let adapters = pollster::block_on(gpu_init::adapters());
/// let gpu = gpu_init::best_gpu(&adapters);
/// ```
pub fn best_gpu(adapters: &[wgpu::Adapter]) -> Option<usize> {
    let is_gpu = |&i: &usize| adapters[i].get_info().device_type != wgpu::DeviceType::Cpu;
    best_adapter(adapters).filter(is_gpu)
}

/// Opens a device on the chosen adapter, with all the limits that the adapter has.
pub(crate) async fn open(
    choice: AdapterChoice,
) -> Result<(Origin, wgpu::Device, wgpu::Queue), ErrorKind> {
    one_at_a_time(open_now(choice)).await
}

async fn open_now(choice: AdapterChoice) -> Result<(Origin, wgpu::Device, wgpu::Queue), ErrorKind> {
    let instance = instance();
    let mut adapters = instance.enumerate_adapters(backends()).await;
    let count = adapters.len();
    let index = match choice {
        AdapterChoice::Number(index) if count > 0 && index >= count => {
            return Err(ErrorKind::NoSuchAdapter { index, count });
        }
        AdapterChoice::Number(index) if count > 0 => Some(index),
        AdapterChoice::BestGpu => best_gpu(&adapters),
        _ => best_adapter(&adapters),
    };
    let no_adapter = || ErrorKind::NoAdapter { backends: format!("asked {:?}", backends()) };
    let adapter = adapters.swap_remove(index.ok_or_else(no_adapter)?);
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("gpu-init"),
        required_features: adapter.features() & wgpu::Features::SHADER_INT64,
        required_limits: adapter.limits(),
        ..Default::default()
    };
    match adapter.request_device(&descriptor).await {
        Ok((device, queue)) => Ok(((instance, adapter), device, queue)),
        Err(error) => Err(ErrorKind::UnsupportedAdapter {
            adapter: adapter.get_info().name,
            reason: error.to_string(),
        }),
    }
}
