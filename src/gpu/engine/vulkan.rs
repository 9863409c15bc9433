//! Two things that Vulkan has and WebGPU has not: the size of an adapter's memory, and buffers that
//! are not zeroed.
//!
//! The only unsafe code of the GPU path. With the size a model that does not fit is refused before
//! anything is allocated; otherwise drivers move buffers to host memory, or fail with most of a
//! model made. And a fill writes its memory once: wgpu clears a new buffer before its first use.

#![allow(unsafe_code, reason = "what WebGPU has not is had of wgpu's hal")]

use crate::gpu::engine::context::Context;
use crate::gpu::engine::memory;
use crate::{ErrorKind, Result};

/// Bytes of the device's largest local heap, if it is known.
pub(crate) fn heap_bytes(device: &wgpu::Device) -> Option<u64> {
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

/// Creates a buffer of unspecified contents where that can be had; otherwise one that wgpu zeroes.
///
/// Its holder must not let it leave this crate before commands that write every byte are in the
/// queue. `fill_all` drops all its buffers if anything fails, and the self-test of the kernel for
/// many tensors keeps its own to itself. Only kernels that were verified write it, of the same text
/// as in the self-test (`Kernels`), so they write what they must.
/// Of a tensor's own buffer the tiles write each byte of an element once (a test shows it), after
/// `clear_ends` has zeroed the rest of the last entry; of a shared one the parts write every entry
/// of every tensor's padded size, and these follow one another to the end.
pub(crate) async fn unwritten(
    context: &Context,
    size: u64,
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer, ErrorKind> {
    #[cfg(not(any(target_vendor = "apple", target_arch = "wasm32")))]
    if let Some(buffer) = unwritten_by_vulkan(context, size, usage).await? {
        return Ok(buffer);
    }
    memory::buffer(context, size, usage).await
}

/// Creates such a buffer if this is Vulkan and the driver makes one; if not, the usual way says why.
#[cfg(not(any(target_vendor = "apple", target_arch = "wasm32")))]
async fn unwritten_by_vulkan(
    context: &Context,
    size: u64,
    usage: wgpu::BufferUsages,
) -> Result<Option<wgpu::Buffer>, ErrorKind> {
    use wgpu::hal::{BufferDescriptor, Device, MemoryFlags, api::Vulkan};
    use wgpu::{BufferUsages, BufferUses};
    let plain = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
    // Other usages have wgpu make more of a buffer than the driver's, and it rounds sizes up to words.
    let is_usual = plain.contains(usage) && size.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
    if !is_usual || size == 0 || size > context.device.limits().max_buffer_size {
        return Ok(None);
    }
    context.check_host(size)?;
    // What wgpu-core asks its hal for with these usages.
    let uses = BufferUses::STORAGE_READ_ONLY
        | BufferUses::STORAGE_READ_WRITE
        | BufferUses::COPY_SRC
        | BufferUses::COPY_DST;
    let label = Some("gpu-init");
    let made = {
        // SAFETY: the hal device is used and not destroyed: the guard ends with the block.
        let Some(hal) = (unsafe { context.device.as_hal::<Vulkan>() }) else { return Ok(None) };
        // SAFETY: the size is a multiple of a word's, not 0 and within the device's limit, and the
        // usages and flags are those with which wgpu-core creates buffers, on a device that is not
        // destroyed while the guard lives.
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
    let import = || {
        // SAFETY: the buffer is this device's, of that size and these usages, and nobody else has
        // it. wgpu asks that it be initialized, for it will not zero it: no command or mapping but
        // those described above comes before every byte is written, and in a queue a later command
        // sees what earlier ones wrote.
        unsafe { context.device.create_buffer_from_hal::<Vulkan>(made, &descriptor) }
    };
    context.checked(size, import).await.map(Some)
}
