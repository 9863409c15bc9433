//! What a person sees and types: output, progress, signals.

pub(crate) mod histogram;
pub(crate) mod output;
pub(crate) mod plan_table;
pub(crate) mod progress;
pub(crate) mod signals;
pub(crate) mod size;
pub(crate) mod sparkline;
