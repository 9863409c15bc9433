//! Every scheme with options that it can be filled with, and a shape that it is for.

use gpu_init::Initializer;

/// An option that has no default must be told.
pub fn told(scheme: Initializer) -> Initializer {
    match scheme {
        Initializer::Constant { .. } => Initializer::constant(0.3),
        Initializer::Sparse { std, .. } => Initializer::sparse(0.25).std(std).unwrap(),
        scheme => scheme,
    }
}

/// Every scheme with its defaults, and with what has none told.
pub fn every() -> impl Iterator<Item = Initializer> {
    Initializer::ALL.into_iter().map(told)
}

/// A matrix for those that are for no other shape, for all others the convolution.
pub fn shape_for<'a>(
    scheme: Initializer,
    matrix: &'a [usize],
    convolution: &'a [usize],
) -> &'a [usize] {
    match scheme {
        Initializer::Eye { .. } | Initializer::Sparse { .. } => matrix,
        _ => convolution,
    }
}
