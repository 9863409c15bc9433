//! Fills in burn's own wgpu memory: which devices are known, where a tensor lies, and batches.
//!
//! Burn shows its wgpu device only when it opens it, so it is opened here, or shared with us then.

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::backend::wgpu::{AutoCompiler, CubeBackend, CubeTensor, WgpuResource};
use burn::backend::{Cube, CubeDevice, DispatchDevice};
use burn::cubecl::client::Client;
use burn::cubecl::wgpu::WgpuServer;
use burn::tensor::wgpu::{WgpuOptions, WgpuSetup};
use burn::tensor::{Device, Tensor};
use gpu_init::TensorSpec;
use gpu_init::wgpu::{self, BufferUsages};

use crate::error::{Error, Result};

/// The most elements of a tensor that is rather computed on the CPU and uploaded than made by a
/// dispatch. By examples/speed.rs, 64 tensors of normals in a call, microseconds for each uploaded and
/// dispatched: on an H100 10.2 and 10.8 at 2^12, 13.2 and 9.0 at 2^13; on llvmpipe on two busy cores
/// 117 and 149 at 2^15, 419 and 309 at 2^16.
fn most_uploaded(gpu: &gpu_init::Device) -> u64 {
    match gpu.wgpu_device().adapter_info().device_type {
        wgpu::DeviceType::Cpu => 1 << 15,
        _ => 1 << 12,
    }
}

/// Burn's wgpu devices and ours on them. Burn has one runtime for each device in a process, too.
static DEVICES: Mutex<Vec<(Device, gpu_init::Device)>> = Mutex::new(Vec::new());

fn devices() -> MutexGuard<'static, Vec<(Device, gpu_init::Device)>> {
    DEVICES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens burn's wgpu device so that parameters on it are filled in place, by shaders, each verified
/// there before its first use. Call it before anything else uses the device; [`Device::wgpu`] of the
/// same kind returns the same device then.
///
/// ```no_run
/// use burn::tensor::Device;
///
/// let device = gpu_init_burn::open_wgpu(Device::wgpu_options())?;
/// let training = device.clone().autodiff();
/// # Ok::<(), gpu_init_burn::Error>(())
/// ```
///
/// # Errors
/// [`Error::Wgpu`] if there is no adapter or the device is in use already, and those of
/// [`gpu_init::Device::from_wgpu`].
pub fn open_wgpu(options: WgpuOptions) -> Result<Device> {
    let (device, setup) = options.init_with_setup()?;
    share_wgpu(&device, &setup)?;
    Ok(device)
}

/// As [`open_wgpu`], for a device that burn has opened: with the setup that
/// [`init_with_setup`](WgpuOptions::init_with_setup) returned with it, or that
/// [`setup`](WgpuOptions::setup) took.
///
/// ```no_run
/// use burn::tensor::Device;
///
/// let (device, setup) = Device::wgpu_options().init_with_setup()?;
/// gpu_init_burn::share_wgpu(&device, &setup)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::NotWgpu`], and those of [`gpu_init::Device::from_wgpu`].
pub fn share_wgpu(device: &Device, setup: &WgpuSetup) -> Result<()> {
    let device = device.clone().without_autodiff();
    if !matches!(device.as_dispatch(), DispatchDevice::Cube(CubeDevice::Wgpu(_))) {
        return Err(Error::NotWgpu { device: format!("{device:?}") });
    }
    let ours = gpu_init::Device::from_wgpu(setup.device.clone(), setup.queue.clone())?;
    let mut devices = devices();
    devices.retain(|(known, _)| *known != device);
    devices.push((device, ours));
    Ok(())
}

/// Our device on burn's; `None` if it was not opened by [`open_wgpu`] or shared by [`share_wgpu`]:
/// then tensors come from the CPU path.
///
/// ```
/// assert!(gpu_init_burn::gpu(&burn::tensor::Device::flex()).is_none());
/// ```
pub fn gpu(device: &Device) -> Option<gpu_init::Device> {
    devices().iter().find(|(known, _)| known == device).map(|(_, ours)| ours.clone())
}

/// Where a tensor lies.
struct Location {
    resource: WgpuResource,
    /// Whether its elements are one after the other, in the order of its axes.
    is_contiguous: bool,
    /// The allocation stays in place as long as burn's binding to it is held.
    _held: Box<dyn Any>,
}

impl Location {
    /// The memory behind a tensor; `None` if it is not wgpu's.
    fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        let tensor = tensor.clone().without_autodiff().try_into_primitive::<Cube>().ok()?;
        let client = tensor.client.clone();
        let tensor = client.resolve_tensor_float::<CubeBackend>(tensor);
        let is_contiguous = tensor.is_contiguous();
        let held = tensor.client.get_resource::<WgpuServer<AutoCompiler>>(tensor.handle).ok()?;
        Some(Location { resource: held.resource().clone(), is_contiguous, _held: Box::new(held) })
    }

    /// Equal for tensors that share memory.
    fn key(&self) -> (wgpu::Buffer, u64) {
        (self.resource.buffer.clone(), self.resource.offset)
    }
}

/// What burn's client has with fusion, where a tensor may be an operation that is still to run;
/// without fusion it is the memory. Burn's own method takes precedence, so that this compiles with
/// whatever features the program chose for burn.
#[allow(dead_code, reason = "used without fusion")]
trait Resolve {
    fn resolve_tensor_float<B>(&self, tensor: CubeTensor) -> CubeTensor;
}

impl Resolve for Client {
    fn resolve_tensor_float<B>(&self, tensor: CubeTensor) -> CubeTensor {
        tensor
    }
}

/// Tensors of one device, to be filled by few submissions.
pub(crate) struct Batch {
    device: Device,
    gpu: gpu_init::Device,
    targets: Vec<(TensorSpec, Location)>,
    taken: HashSet<(wgpu::Buffer, u64)>,
}

impl Batch {
    /// `None` if the device is not known.
    pub(crate) fn on(device: &Device) -> Option<Self> {
        let gpu = gpu(device)?;
        let device = device.clone().without_autodiff();
        Some(Batch { device, gpu, targets: Vec::new(), taken: HashSet::new() })
    }

    pub(crate) fn is_on(&self, device: &Device) -> bool {
        self.device == *device
    }

    /// Adds a tensor; `false` if its memory cannot be reached, or is added already.
    pub(crate) fn add<const D: usize>(&mut self, spec: &TensorSpec, tensor: &Tensor<D>) -> bool {
        Location::of(tensor).is_some_and(|location| self.add_location(spec, location))
    }

    /// Adds the memory of an initialized parameter, whose `value` burn keeps as `stored`, perhaps
    /// transposed; `false` where that is not the same memory, but computed from it.
    pub(crate) fn add_initialized<const D: usize>(
        &mut self,
        spec: &TensorSpec,
        stored: &Tensor<D>,
        value: &Tensor<D>,
    ) -> bool {
        let (Some(stored), Some(value)) = (Location::of(stored), Location::of(value)) else {
            return false;
        };
        stored.key() == value.key() && self.add_location(spec, stored)
    }

    fn add_location(&mut self, spec: &TensorSpec, location: Location) -> bool {
        // Of two parameters that share memory the second gets its own.
        let is_added = location.is_contiguous && self.taken.insert(location.key());
        if is_added {
            self.targets.push((spec.clone(), location));
        }
        is_added
    }

    /// Submits the commands that fill all of them, after what burn has pending.
    pub(crate) fn fill(self) -> Result<()> {
        // What burn has recorded but not submitted may use memory that has become a tensor's.
        self.device.flush().map_err(|error| Error::Device { message: error.to_string() })?;
        let most_uploaded = most_uploaded(&self.gpu);
        let mut small = Vec::new();
        let mut large = Vec::new();
        for (spec, location) in &self.targets {
            let WgpuResource { buffer, offset, .. } = &location.resource;
            let fill = spec.resolve(0, 0)?;
            let can_copy = buffer.usage().contains(BufferUsages::COPY_DST)
                && fill.bytes().is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
            let list = if fill.len <= most_uploaded && can_copy { &mut small } else { &mut large };
            list.push((spec, buffer, *offset));
        }
        self.gpu.fill_all_into(&large)?;
        let specs: Vec<_> = small.iter().map(|&(spec, ..)| spec.clone()).collect();
        let values = gpu_init::Cpu::new().fill_all(&specs)?;
        for ((_, buffer, offset), values) in small.into_iter().zip(values) {
            self.gpu.wgpu_queue().write_buffer(buffer, offset, values.as_bytes());
        }
        // The queue has the writes at its next submission.
        self.gpu.wgpu_queue().submit([]);
        Ok(())
    }
}
