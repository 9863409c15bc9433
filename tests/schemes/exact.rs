//! Initializers without random values: every element is compared with the definition.

use gpu_init::{DType, Layout, TensorSpec};

use crate::order::{flat, orders};
use crate::rounding::{EVERYWHERE, nearest_within};
use crate::{fill, read};

const CONSTANTS: [(&str, f32); 4] =
    [("zeros", 0.0), ("ones", 1.0), ("constant(val=-0.3)", -0.3), ("constant(val=1e-3)", 1e-3)];
const IDENTITIES: [(&str, f32); 4] =
    [("eye", 1.0), ("identity", 1.0), ("eye(gain=-0.3)", -0.3), ("eye(gain=0)", 0.0)];
/// Texts with their groups; shapes have 12 outputs.
const DIRACS: [(&str, usize); 4] =
    [("dirac", 1), ("dirac(groups=2)", 2), ("dirac(groups=3)", 3), ("dirac(groups=12)", 12)];

/// Texts with start and step.
const RANGES: [(&str, f64, f64); 3] = [
    ("arange", 0.0, 1.0),
    ("arange(start=-3.5, step=0.1)", -3.5, 0.1),
    ("arange(start=7, step=-0.25)", 7.0, -0.25),
];

const LOGARITHMS: [(&str, f64, f64); 2] =
    [("log_arange", 1.0, 1.0), ("log_arange(start=100, step=-0.25)", 100.0, -0.25)];

pub fn texts() -> Vec<&'static str> {
    let options = CONSTANTS.iter().chain(&IDENTITIES).map(|(text, _)| *text);
    let ranges = RANGES.iter().chain(&LOGARITHMS).map(|(text, ..)| *text);
    options.chain(DIRACS.iter().map(|(text, _)| *text)).chain(ranges).collect()
}

/// Compares bit by bit, in every type: no zero is negative.
#[track_caller]
fn assert_filled(
    text: &str,
    shape: &[usize],
    layout: Layout,
    expected: &[f32],
    unstored: impl Fn(&[f32]) -> Vec<f32>,
) {
    for dtype in DType::SAMPLED {
        let actual = unstored(
            &fill(&TensorSpec::new(shape, read(text)).layout(layout.clone()).dtype(dtype)).to_f32(),
        );
        let expected =
            expected.iter().map(|&value| nearest_within(value, EVERYWHERE, dtype).to_bits());
        assert!(
            actual.iter().map(|value| value.to_bits()).eq(expected),
            "{text} {shape:?} {layout:?} {dtype}"
        );
    }
}

#[test]
fn constants_have_one_value() {
    for (text, value) in CONSTANTS {
        for shape in [&[][..], &[7], &[300, 200], &[64, 8, 3, 3], &[3, 5, 7, 4, 2]] {
            let expected = vec![value; shape.iter().product()];
            for layout in [Layout::OutInKernel, Layout::Keras, Layout::KernelInOut] {
                assert_filled(text, shape, layout, &expected, <[f32]>::to_vec);
            }
        }
    }
}

/// Every row is the same, whatever the order of the axes.
#[test]
fn ranges_count_along_the_last_axis() {
    let ranges = RANGES.map(|row| (row, (|x| x) as fn(f64) -> f64));
    let logarithms = LOGARITHMS.map(|row| (row, f64::ln as fn(f64) -> f64));
    for ((text, start, step), of) in ranges.into_iter().chain(logarithms) {
        for shape in [&[7][..], &[300, 200], &[3, 5, 7, 4]] {
            let columns = shape[shape.len() - 1];
            let value = |i: usize| of(start + step * (i % columns) as f64) as f32;
            let expected: Vec<f32> = (0..shape.iter().product()).map(value).collect();
            for layout in [Layout::OutInKernel, Layout::Keras] {
                assert_filled(text, shape, layout, &expected, <[f32]>::to_vec);
            }
        }
    }
}

#[test]
fn identities_have_a_diagonal() {
    for (text, value) in IDENTITIES {
        for [rows, columns] in
            [[1, 1], [1, 7], [7, 1], [5, 3], [3, 5], [64, 64], [300, 200], [100, 1000]]
        {
            let mut expected = vec![0.0; rows * columns];
            (0..rows.min(columns)).for_each(|i| expected[i * columns + i] = value);
            for layout in
                [Layout::OutInKernel, Layout::Keras, Layout::KernelInOut, Layout::InOutKernel]
            {
                assert_filled(text, &[rows, columns], layout, &expected, <[f32]>::to_vec);
            }
        }
    }
}

/// The values that `torch.nn.init.dirac_` writes; shapes are (out, in, kernel...).
fn dirac(dims: &[usize], groups: usize) -> Vec<f32> {
    let mut values = vec![0.0; dims.iter().product()];
    let outputs = dims[0] / groups;
    for group in 0..groups {
        for i in 0..outputs.min(dims[1]) {
            let middle = dims[2..].iter().map(|size| size / 2);
            let at: Vec<usize> = [group * outputs + i, i].into_iter().chain(middle).collect();
            values[flat(dims, &at)] = 1.0;
        }
    }
    values
}

#[test]
fn diracs_pass_inputs_on() {
    let shapes: [&[usize]; 8] = [
        &[12, 12, 3],
        &[12, 1, 1],
        &[12, 5, 4],
        &[12, 20, 2],
        &[12, 4, 3, 3],
        &[12, 6, 1, 4],
        &[12, 4, 3, 2, 5],
        &[12, 30, 2, 3, 1],
    ];
    for (text, groups) in DIRACS {
        for dims in shapes {
            let expected = dirac(dims, groups);
            for order in orders(dims.len()) {
                let unstored = |stored: &[f32]| order.unstored(dims, stored);
                assert_filled(text, &order.shape(dims), order.layout.clone(), &expected, unstored);
            }
        }
    }
}

/// The comparisons above would notice one wrong element, another middle, other groups and another
/// order of axes.
#[test]
fn definitions_differ() {
    let dims = [12, 12, 4];
    let [torch, _, transposed, keras, ..] = &orders(3)[..] else { panic!("six orders") };
    let own =
        torch.unstored(&dims, &fill(&TensorSpec::new(dims, read("dirac(groups=3)"))).to_f32());
    assert_eq!(own, dirac(&dims, 3));
    let mut moved = own.clone();
    moved.rotate_left(1);
    for other in [
        moved,
        dirac(&dims, 1),
        dirac(&dims, 4),
        transposed.unstored(&dims, &own),
        keras.unstored(&dims, &own),
    ] {
        assert_ne!(own, other);
    }
}
