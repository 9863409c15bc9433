//! Every initializer against its distribution, computed here from the peers' definitions and from
//! fans written by hand: a table each for independent elements, exact values, orthogonal matrices
//! and sparse matrices, over shapes of layers, orders of axes and element types.
//!
//! Seeds and streams are fixed. A family of p-values stands if none is outside (1e-4 / m, 1 - 1e-4
//! / m), m being its size: see [`common::statistics::ALPHA`]; some twenty are judged here. Wrong
//! distributions follow that the same statistics must reject. `cargo test --release --test
//! schemes -- --nocapture` shows the figures.

#[path = "../common/mod.rs"]
mod common;
mod exact;
mod formulas;
mod layers;
mod order;
mod orthogonal;
mod random;
mod rounding;
mod sparse;

use gpu_init::{Cpu, DType, HostTensor, Initializer, TensorSpec};

/// A scheme that is in no table would have no test of its distribution.
#[test]
fn every_scheme_is_in_a_table() {
    let texts =
        [random::texts(), exact::texts(), formulas::texts(), orthogonal::texts(), sparse::texts()]
            .concat();
    let names: Vec<_> = texts.iter().map(|text| read(text).name()).collect();
    for scheme in Initializer::ALL {
        assert!(names.contains(&scheme.name()), "{} is in no table", scheme.name());
    }
}

fn read(text: &str) -> Initializer {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn fill(spec: &TensorSpec) -> HostTensor {
    Cpu::with_seed(42).fill(spec).unwrap_or_else(|error| panic!("{error}"))
}

/// The F32 values, after a check that the other types' values are their rounding: so a distribution
/// has to be judged in F32 only, whose values are on no coarse grid.
fn fill_types(spec: &TensorSpec, within: (f64, f64)) -> Vec<f32> {
    let exact = fill(spec).to_f32();
    for dtype in [DType::F16, DType::BF16] {
        let rounded = fill(&spec.clone().dtype(dtype)).to_f32();
        assert_eq!(rounded.len(), exact.len());
        for (&exact, rounded) in exact.iter().zip(rounded) {
            let expected = rounding::nearest_within(exact, within, dtype);
            assert_eq!(
                rounded.to_bits(),
                expected.to_bits(),
                "{exact} became {rounded} in {spec:?}"
            );
        }
    }
    exact
}
