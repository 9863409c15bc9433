//! Variables on CUDA devices, by parts through pinned memory.

use std::sync::{Arc, Mutex};

use candle_core::cuda::cudarc::driver::{CudaContext, DeviceRepr, PinnedHostSlice, SyncOnDrop};
use candle_core::cuda::{CudaDType, CudaDevice, CudaStorage};
use candle_core::op::BackpropOp;
use candle_core::{DType, Device, Error, Result, Shape, Storage, Tensor, Var};
use gpu_init::half::{bf16, f16};
use gpu_init::{Cpu, Element, TensorSpec};

use crate::example::tensor;

/// Bytes of a buffer: work for 32 cores, and what a device copies in less than a millisecond.
const BYTES: usize = 8 << 20;

/// Two pinned buffers that take turns. They are allocated for the first tensor and kept.
pub struct Staging {
    bytes: usize,
    buffers: Mutex<Option<[PinnedHostSlice<u8>; 2]>>,
}

impl Default for Staging {
    fn default() -> Self {
        Staging::with_bytes(BYTES)
    }
}

impl Staging {
    /// Buffers of at least the 8 bytes of an element.
    pub fn with_bytes(bytes: usize) -> Self {
        assert!(bytes >= 8, "Staging::with_bytes: {bytes} bytes hold no element: give 8 or more");
        Staging { bytes, buffers: Mutex::new(None) }
    }

    /// A variable with the values of `Cpu::fill`. Integers and other devices have no use for the
    /// buffers.
    pub fn var(
        &self,
        spec: &TensorSpec,
        shape: Shape,
        dtype: DType,
        device: &Device,
    ) -> Result<Var> {
        let storage = match (device, dtype) {
            (Device::Cuda(cuda), DType::F32) => self.fill::<f32>(spec, &shape, cuda)?,
            (Device::Cuda(cuda), DType::F16) => self.fill::<f16>(spec, &shape, cuda)?,
            (Device::Cuda(cuda), DType::BF16) => self.fill::<bf16>(spec, &shape, cuda)?,
            (Device::Cuda(cuda), DType::F64) => self.fill::<f64>(spec, &shape, cuda)?,
            _ => return Var::from_tensor(&tensor(spec, shape, dtype, device)?),
        };
        // A variable already: `Var::from_tensor` would copy any other tensor.
        let storage = Storage::Cuda(storage);
        Var::from_tensor(&Tensor::from_storage(storage, shape, BackpropOp::none(), true))
    }

    fn fill<T: Element + DeviceRepr + CudaDType>(
        &self,
        spec: &TensorSpec,
        shape: &Shape,
        cuda: &CudaDevice,
    ) -> Result<CudaStorage> {
        // Mistakes are errors before there is memory to be filled, and so is a tensor of no elements.
        spec.resolve(0, 0).map_err(Error::wrap)?;
        let stream = cuda.cuda_stream();
        let mut buffers = self.buffers.lock().unwrap();
        let [mut next, mut last] = pinned(&mut buffers, self.bytes, stream.context())?.each_mut();
        // No copy outlives this function, whether it ends here, by an error or by a panic.
        let _wait = SyncOnDrop::sync_stream(&stream);
        let len = shape.elem_count();
        // SAFETY: the memory is unset. The parts below are all of it, each written by its copy, and
        // nothing has the memory before the last copy is done; on an error nothing ever does.
        let mut values = unsafe { cuda.alloc::<T>(len)? };
        let most = self.bytes / size_of::<T>();
        for start in (0..len).step_by(most) {
            let part = start..len.min(start + most);
            let bytes = next.as_mut_slice().map_err(Error::wrap)?;
            let filled = bytemuck::cast_slice_mut(&mut bytes[..part.len() * size_of::<T>()]);
            let elements = part.start as u64..part.end as u64;
            Cpu::new().fill_into(&spec.clone().elements(elements), filled).map_err(Error::wrap)?;
            // The last buffer is filled next: its copy has to be done. cudarc's own event does not
            // tell, for it is recorded only where a program made streams of its own.
            stream.synchronize().map_err(Error::wrap)?;
            stream.memcpy_htod(filled, &mut values.slice_mut(part)).map_err(Error::wrap)?;
            std::mem::swap(&mut next, &mut last);
        }
        // candle's stream is one for each thread, and no other thread's would wait for the copy.
        stream.synchronize().map_err(Error::wrap)?;
        Ok(CudaStorage::wrap_cuda_slice(values, cuda.clone()))
    }
}

/// The buffers, allocated anew if they are another context's.
fn pinned<'a>(
    buffers: &'a mut Option<[PinnedHostSlice<u8>; 2]>,
    bytes: usize,
    context: &Arc<CudaContext>,
) -> Result<&'a mut [PinnedHostSlice<u8>; 2]> {
    let both = match buffers.take().filter(|[first, _]| first.context() == context) {
        Some(both) => both,
        None => [allocate(context, bytes)?, allocate(context, bytes)?],
    };
    Ok(buffers.insert(both))
}

/// A pinned buffer of zeros.
fn allocate(context: &Arc<CudaContext>, bytes: usize) -> Result<PinnedHostSlice<u8>> {
    let buffer = unsafe {
        // SAFETY: the memory is unset. It is zeroed by its address, before there is a reference to
        // it, and zero is a byte.
        context.alloc_pinned_with_flags::<u8>(bytes, 0).and_then(|mut buffer| {
            buffer.as_mut_ptr()?.write_bytes(0, bytes);
            Ok(buffer)
        })
    };
    buffer.map_err(|error| {
        let remedy = "ask Staging::with_bytes for smaller buffers";
        Error::wrap(error).context(format!("pinning {bytes} bytes of the host's memory: {remedy}"))
    })
}
