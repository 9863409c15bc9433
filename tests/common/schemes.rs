//! Every scheme with options and a shape that it accepts.

use gpu_init::Initializer;

/// Sets the options that have no default.
pub fn complete(scheme: Initializer) -> Initializer {
    match scheme {
        Initializer::Constant { .. } => Initializer::constant(0.3),
        Initializer::Sparse { std, .. } => Initializer::sparse(0.25).std(std).unwrap(),
        scheme => scheme,
    }
}

/// Every scheme with its defaults, completed.
pub fn every() -> impl Iterator<Item = Initializer> {
    Initializer::ALL.into_iter().map(complete)
}

/// The matrix for schemes that take matrices only, the convolution for all others.
pub fn shape_for<'a>(
    scheme: Initializer,
    matrix: &'a [usize],
    convolution: &'a [usize],
) -> &'a [usize] {
    match scheme {
        Initializer::Eye { .. } | Initializer::Sparse { .. } | Initializer::Sinusoidal { .. } => {
            matrix
        }
        // A square of positions, of 12 values each.
        Initializer::Sinusoidal2d { .. } => &[25, 12],
        _ => convolution,
    }
}
