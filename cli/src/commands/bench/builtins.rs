//! The fill shader with the transform that every GPU has built in, to measure what portable bits
//! cost.

const NORMAL4: &str = include_str!("builtins.wgsl");

/// `fill.wgsl` with another `normal4`: generator, stores and grid stay as they are. `None` if it is
/// not there.
pub fn shader(fill: &str) -> Option<String> {
    let (before, rest) = fill.split_once("fn normal4(")?;
    let (_, after) = rest.split_once("\n}\n")?;
    Some([before, NORMAL4, after].concat())
}
