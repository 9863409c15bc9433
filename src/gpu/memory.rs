//! How much memory an adapter has for buffers, which WebGPU does not say and Vulkan does.
//!
//! The only unsafe code of the GPU path. What it is for: a model that does not fit is refused before anything is
//! allocated; otherwise drivers move buffers to host memory, or fail with most of a model made.

/// Bytes of the device's largest heap of its own, if it is known.
pub(super) fn of_device(device: &wgpu::Device) -> Option<u64> {
    #[cfg(not(any(target_vendor = "apple", target_arch = "wasm32")))]
    {
        if device.adapter_info().device_type == wgpu::DeviceType::Cpu {
            // llvmpipe says 2 GiB, whatever the host has.
            return None;
        }
        // SAFETY: the hal device is only read, and not destroyed: the guard ends with this function.
        let hal = unsafe { device.as_hal::<wgpu::hal::api::Vulkan>() }?;
        let instance = hal.shared_instance().raw_instance();
        // SAFETY: the physical device is of this instance, and both live as long as the guard.
        let properties = unsafe { instance.get_physical_device_memory_properties(hal.raw_physical_device()) };
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
