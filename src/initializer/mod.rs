//! What to fill with, in the words of the field: a named scheme and its options, which together
//! with a shape resolve to a [`Distribution`](crate::Distribution).

mod gain;
mod options;
mod presets;
mod resolve;
mod scheme;
mod text;

pub use gain::{Nonlinearity, calculate_gain};
pub use scheme::{FanMode, Initializer, VarianceDistribution};
pub use text::ParseInitializerError;
