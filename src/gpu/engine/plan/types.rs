//! What a planner takes and returns.

use crate::gpu::engine::plan::dispatch::{Binding, Step};
use crate::gpu::engine::plan::orthogonal::sums::Examination;
use crate::gpu::engine::plan::tiles::Target;

/// Steps, computed one by one: a large orthogonal matrix has millions.
pub(crate) type Steps = Box<dyn Iterator<Item = Step> + Send>;

/// The dispatches of a fill, and the scratch memory that they need.
pub(crate) struct Plan {
    /// Bytes of each scratch buffer, in the order of their slots.
    pub(crate) scratch: Vec<u64>,
    /// How to check the result when all is done.
    pub(crate) examination: Option<Examination>,
    pub(crate) steps: Steps,
}

/// What a plan binds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bindings {
    pub(crate) target: Target,
    /// The table of a truncated normal; anything for others.
    pub(crate) table: Binding,
    /// The first scratch buffer.
    pub(crate) scratch: usize,
    /// Whether large orthogonal matrices are examined when they are done.
    pub(crate) examines: bool,
}
