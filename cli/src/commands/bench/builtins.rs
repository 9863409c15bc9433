//! The fill shader with WGSL's built-in functions, to measure what portable bits cost.

const NORMAL4: &str = include_str!("builtins.wgsl");

/// Replaces `normal4` in `fill.wgsl`; generator, stores and grid stay the same. `None` if it has
/// none.
pub(crate) fn shader(fill: &str) -> Option<String> {
    let (before, rest) = fill.split_once("fn normal4(")?;
    let (_, after) = rest.split_once("\n}\n")?;
    Some([before, NORMAL4, after].concat())
}
