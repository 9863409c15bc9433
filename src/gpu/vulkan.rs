//! What WebGPU does not say or do and Vulkan does: how much memory an adapter has, and buffers that
//! are not zeroed.
//!
//! The only unsafe code of the GPU path. What it is for: a model that does not fit is refused
//! before anything is allocated; otherwise drivers move buffers to host memory, or fail with most
//! of a model made. And a fill writes its memory once: wgpu clears a new buffer before its first
//! use.

use crate::Result;
use crate::gpu::context::Context;

/// Bytes of the device's largest heap of its own, if it is known.
pub(super) fn memory(device: &wgpu::Device) -> Option<u64> {
    #[cfg(not(any(target_vendor = "apple", target_arch = "wasm32")))]
    {
        if device.adapter_info().device_type == wgpu::DeviceType::Cpu {
            // llvmpipe says 2 GiB, whatever the host has.
            return None;
        }
        // SAFETY: the hal device is only read, and not destroyed: the guard ends with this
        // function.
        let hal = unsafe { device.as_hal::<wgpu::hal::api::Vulkan>() }?;
        let instance = hal.shared_instance().raw_instance();
        // SAFETY: the physical device is of this instance, and both live as long as the guard.
        let properties =
            unsafe { instance.get_physical_device_memory_properties(hal.raw_physical_device()) };
        let heaps = properties.memory_heaps.iter().take(properties.memory_heap_count as usize);
        // Bit 0 is VK_MEMORY_HEAP_DEVICE_LOCAL_BIT.
        heaps.filter(|heap| heap.flags.as_raw() & 1 == 1).map(|heap| heap.size).max()
    }
    #[cfg(any(target_vendor = "apple", target_arch = "wasm32"))]
    {
        let _ = device;
        None
    }
}

/// A buffer whose bytes are whatever was in memory, where that can be had; otherwise one that wgpu
/// zeroes.
///
/// What holds it must not leave this crate before commands that write every byte of it are in the
/// queue: [`Device::fill_all`](super::Device::fill_all) asks for one, and drops all that it made if
/// anything fails, and the probe of the kernel for many tensors, which keeps its own to itself.
/// Kernels are probed before, so they write what they must. Of a tensor's own buffer the windows
/// write each byte of an element once (a test shows that they do), after `clear_ends` has zeroed
/// the rest of its last entry; of a shared one the parts write every entry of every tensor's room,
/// and the rooms follow one another to the end.
pub(super) fn unwritten(
    context: &Context,
    operation: &'static str,
    size: u64,
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer> {
    #[cfg(not(any(target_vendor = "apple", target_arch = "wasm32")))]
    if let Some(buffer) = unwritten_by_vulkan(context, operation, size, usage)? {
        return Ok(buffer);
    }
    context.buffer(operation, size, usage)
}

/// Such a buffer, if this is Vulkan and the driver makes one: what stands in the way, the usual way
/// says.
#[cfg(not(any(target_vendor = "apple", target_arch = "wasm32")))]
fn unwritten_by_vulkan(
    context: &Context,
    operation: &'static str,
    size: u64,
    usage: wgpu::BufferUsages,
) -> Result<Option<wgpu::Buffer>> {
    use wgpu::hal::{BufferDescriptor, Device, MemoryFlags, api::Vulkan};
    use wgpu::{BufferUsages, BufferUses};
    let plain = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
    // Other usages have wgpu make more of a buffer than the driver's.
    if !plain.contains(usage) || size == 0 || size > context.device.limits().max_buffer_size {
        return Ok(None);
    }
    crate::gpu::memory::check_host(context, operation, size)?;
    // What wgpu-core asks its hal for with these usages.
    let uses = BufferUses::STORAGE_READ_ONLY
        | BufferUses::STORAGE_READ_WRITE
        | BufferUses::COPY_SRC
        | BufferUses::COPY_DST;
    let label = Some(operation);
    // SAFETY: the hal device is used and not destroyed: the guard ends with the block.
    let made = {
        let Some(hal) = (unsafe { context.device.as_hal::<Vulkan>() }) else { return Ok(None) };
        // SAFETY: the size is not 0 and within the device's limit.
        unsafe {
            hal.create_buffer(&BufferDescriptor {
                label,
                size,
                usage: uses,
                memory_flags: MemoryFlags::empty(),
            })
        }
    };
    let Ok(made) = made else { return Ok(None) };
    let descriptor = wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false };
    // SAFETY: the buffer is this device's, of that size and these usages, and nobody else has it.
    // wgpu asks that it be initialized, for it will not zero it (its record of what is not yet is
    // empty): no command or mapping but those described above comes before every byte is written,
    // and in a queue a later command sees what earlier ones wrote.
    context
        .checked(operation, size, || unsafe {
            context.device.create_buffer_from_hal::<Vulkan>(made, &descriptor)
        })
        .map(Some)
}
