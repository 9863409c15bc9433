//! What a device allows, as numbers.

/// Bytes of an output entry of the kernel `fill`.
pub(crate) const ENTRY: u64 = 16;

/// The limits that dispatches are planned within.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Most bytes of one storage binding.
    pub(crate) binding: u64,
    /// The alignment of a binding's offset: a power of two, 16 to 256.
    pub(crate) alignment: u64,
    /// Most workgroups in one dimension.
    pub(crate) groups: u32,
    /// Most cost of one dispatch.
    pub(crate) step: u64,
}

impl Limits {
    pub(crate) fn new(limits: &wgpu::Limits, step: u64) -> Self {
        Limits {
            // Above 2 GiB sizes and indices inside drivers and shaders have been seen to wrap.
            binding: limits
                .max_storage_buffer_binding_size
                .min(limits.max_buffer_size)
                .min(1 << 31)
                & !255,
            alignment: u64::from(limits.min_storage_buffer_offset_alignment).max(ENTRY),
            groups: limits.max_compute_workgroups_per_dimension,
            step,
        }
    }

    /// Workgroups in x and y that are at least `groups` in all; shaders ignore those beyond.
    pub(crate) fn grid(&self, groups: u64) -> [u32; 2] {
        let groups = groups as u32;
        let y = groups.div_ceil(self.groups);
        [groups.div_ceil(y), y]
    }

    /// Checks that a buffer can be bound as a whole.
    pub(crate) fn check(&self, bytes: u64) -> Result<(), TooLarge> {
        if bytes <= self.binding { Ok(()) } else { Err(TooLarge { bytes, rows: None }) }
    }
}

/// More bytes than one binding may have, and the matrix rows that need them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TooLarge {
    pub(crate) bytes: u64,
    pub(crate) rows: Option<u64>,
}
