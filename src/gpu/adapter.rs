//! The adapters of this machine and the choice among them.

use crate::gpu::DeviceOptions;
use crate::{ErrorKind, Result};

/// Backends with compute shaders, unless `WGPU_BACKEND` names others.
fn backends() -> wgpu::Backends {
    wgpu::Backends::PRIMARY.with_env()
}

fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends = backends();
    // Its buffers of indirect arguments limit every buffer to 4 GiB, and there are no indirect
    // calls here.
    descriptor.flags.remove(wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL);
    wgpu::Instance::new(descriptor)
}

/// Every adapter, as [`DeviceOptions::adapter`](crate::DeviceOptions::adapter) counts them.
///
/// ```no_run
/// for adapter in pollster::block_on(gpu_init::adapters()) {
///     println!("{}", adapter.get_info().name);
/// }
/// ```
pub async fn adapters() -> Vec<wgpu::Adapter> {
    instance().enumerate_adapters(backends()).await
}

/// The one that [`Device::new`](crate::Device::new) takes: a discrete GPU before an integrated one,
/// before a virtual one, before one of an unknown kind, before a software driver; the first among
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

/// A device on the adapter asked for, with all the limits that the adapter has.
pub(super) async fn request(
    operation: &'static str,
    options: &DeviceOptions,
) -> Result<(wgpu::Device, wgpu::Queue)> {
    let adapters = adapters().await;
    let count = adapters.len();
    let is_wanted = |&i: &usize| {
        !options.hardware_only || adapters[i].get_info().device_type != wgpu::DeviceType::Cpu
    };
    let index = match options.adapter {
        Some(index) if count > 0 && index >= count => {
            return Err(ErrorKind::NoSuchAdapter { index, count }.during(operation));
        }
        Some(index) if count > 0 => index,
        _ => best_adapter(&adapters).filter(is_wanted).ok_or_else(|| {
            ErrorKind::NoAdapter { backends: format!("asked {:?}", backends()) }.during(operation)
        })?,
    };
    let adapter = &adapters[index];
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("gpu-init"),
        required_features: adapter.features() & wgpu::Features::SHADER_INT64,
        required_limits: adapter.limits(),
        ..Default::default()
    };
    adapter.request_device(&descriptor).await.map_err(|error| {
        let (adapter, reason) = (adapter.get_info().name, error.to_string());
        ErrorKind::UnsupportedAdapter { adapter, reason }.during(operation)
    })
}
