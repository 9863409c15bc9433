//! Dispatches as plain data: a kernel, its parameters, ranges of buffers by slot, and a grid.

use bytemuck::Pod;

use crate::gpu::engine::kernel::Kernel;

/// A buffer that a plan names, by its place in the list of buffers that the plan runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(pub(crate) usize);

impl Slot {
    /// The memory of the tensor.
    pub(crate) const TENSOR: Slot = Slot(0);
    /// The tables of truncated normals.
    pub(crate) const TABLE: Slot = Slot(1);

    /// A buffer that exists for the plan alone.
    pub(crate) const fn scratch(number: usize) -> Self {
        Slot(2 + number)
    }
}

/// A range of a buffer, to be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) slot: Slot,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl Binding {
    /// The first `size` bytes.
    pub(crate) fn first(slot: Slot, size: u64) -> Self {
        Binding { slot, offset: 0, size }
    }
}

/// One dispatch of a kernel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dispatch {
    pub(crate) kernel: Kernel,
    pub(crate) params: Params,
    /// The buffers at bindings 1, 2...
    pub(crate) bindings: Vec<Binding>,
    pub(crate) grid: [u32; 2],
    /// Its cost, in elements that each take a few dozen operations.
    pub(crate) cost: u64,
    /// Elements of the tensor that are complete when it is done.
    pub(crate) elements: u64,
}

/// Elements filled for the cost of one that takes a few dozen operations to make, and is read and
/// written again.
pub(crate) const CHEAP: u64 = 16;

/// A step of a plan.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "steps are taken one by one, and nearly all are runs"
)]
pub(crate) enum Step {
    Run(Dispatch),
    /// Counts elements as complete when the preceding dispatches finish.
    Complete(u64),
}

impl Step {
    /// The same step, which completes nothing.
    pub(crate) fn without_progress(self) -> Self {
        match self {
            Step::Run(dispatch) => Step::Run(Dispatch { elements: 0, ..dispatch }),
            Step::Complete(_) => Step::Complete(0),
        }
    }
}

/// The bytes of a kernel's uniform.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Params {
    words: [u32; WORDS],
    size: usize,
}

/// Words of the largest one.
const WORDS: usize = 48;

impl Params {
    pub(crate) fn new<P: Pod>(params: &P) -> Self {
        const { assert!(size_of::<P>() <= size_of::<[u32; WORDS]>()) };
        let (bytes, mut words) = (bytemuck::bytes_of(params), [0; WORDS]);
        bytemuck::bytes_of_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Params { words, size: bytes.len() }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &bytemuck::bytes_of(&self.words)[..self.size]
    }
}
