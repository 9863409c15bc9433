//! What to fill with, in the words of the field: a named scheme and its options, which together
//! with a shape resolve to a [`Distribution`](crate::Distribution).

mod fans;
mod gain;
mod layout_text;
mod options;
mod presets;
mod resolve;
mod scheme;
mod text;

pub use fans::Layout;
pub use gain::{Nonlinearity, calculate_gain};
pub use layout_text::ParseLayoutError;
pub(crate) use resolve::{ONE_EACH, Unrounded, layout_error};
pub use scheme::{FanMode, Initializer, VarianceDistribution};
pub use text::ParseInitializerError;
