//! Orthogonal matrices, flattened as the peers flatten them, and the distribution of Haar's
//! measure.

use std::f64::consts::PI;

use gpu_init::{Layout, TensorSpec};

use crate::common::statistics::{self, Family, normal_cdf};
use crate::order::{flat, orders};
use crate::rounding::EVERYWHERE;
use crate::{fill_types, read};

const MATRICES: [(&str, f64); 3] =
    [("orthogonal", 1.0), ("orthogonal(gain=1.5)", 1.5), ("orthogonal(gain=-0.3)", -0.3)];
const DELTAS: [(&str, f64); 3] = [
    ("delta_orthogonal", 1.0),
    ("delta_orthogonal(gain=2)", 2.0),
    ("delta_orthogonal(gain=-0.3)", -0.3),
];
/// The largest error of an entry of Q'Q, on and off its diagonal.
const DEFECT: f64 = 1e-5;

pub fn texts() -> Vec<&'static str> {
    MATRICES.iter().chain(&DELTAS).map(|(text, _)| *text).collect()
}

fn filled(shape: &[usize], text: &str, layout: &Layout) -> Vec<f32> {
    let name = format!("{text} {shape:?} {layout:?}");
    fill_types(&TensorSpec::new(shape, read(text)).layout(layout.clone()).name(&name), EVERYWHERE)
}

/// The largest entry of |Q'Q - I|, or of |QQ' - I| if there are fewer rows, of row-major matrices
/// over their gain.
fn defect(values: &[f32], rows: usize, columns: usize, gain: f64) -> f64 {
    let (height, width) = (rows.max(columns), rows.min(columns));
    let of_matrix = |matrix: &[f32]| {
        let entry = |i, j| {
            f64::from(if rows < columns {
                matrix[j * columns + i]
            } else {
                matrix[i * columns + j]
            })
        };
        let product =
            |a, b| (0..height).map(|i| entry(i, a) * entry(i, b)).sum::<f64>() / (gain * gain);
        let pairs = (0..width).flat_map(|a| (0..=a).map(move |b| (a, b)));
        pairs.map(|(a, b)| (product(a, b) - f64::from(u8::from(a == b))).abs()).fold(0.0, f64::max)
    };
    values.chunks(rows * columns).map(of_matrix).fold(0.0, f64::max)
}

/// PyTorch: dimension 0 by all others. Keras and JAX: all others by the last one. Batch axes:
/// matrices by themselves.
#[test]
fn matrices_are_orthogonal_as_the_peers_flatten_them() {
    use Layout::{Grouped, InOutKernel, Keras, KernelInOut, OutInKernel};
    let axes = |input: &[isize], output: &[isize], batch: &[isize]| Layout::Axes {
        input: input.into(),
        output: output.into(),
        batch: batch.into(),
    };
    let table: [(&[usize], Layout, [usize; 2]); 22] = [
        (&[1, 1], OutInKernel, [1, 1]),
        (&[64, 64], OutInKernel, [64, 64]),
        (&[30, 100], OutInKernel, [30, 100]),
        (&[100, 30], KernelInOut, [100, 30]),
        (&[100, 30], InOutKernel, [100, 30]),
        (&[96, 8, 3], OutInKernel, [96, 24]),
        (&[64, 8, 3, 3], OutInKernel, [64, 72]),
        (&[16, 4, 2, 3, 4], OutInKernel, [16, 96]),
        (&[12, 2, 3, 3], Grouped { groups: 3 }, [12, 18]),
        // The weight of torch.nn.ConvTranspose2d, whose dimension 0 is that of the inputs.
        (&[16, 32, 2, 2], InOutKernel, [16, 128]),
        (&[3, 5, 7], Keras, [15, 7]),
        (&[3, 3, 8, 64], Keras, [72, 64]),
        (&[2, 3, 4, 4, 16], Keras, [96, 16]),
        (&[3, 5, 7], KernelInOut, [15, 7]),
        (&[3, 3, 8, 64], KernelInOut, [72, 64]),
        (&[2, 2, 2, 4, 32], KernelInOut, [32, 32]),
        (&[5, 20, 12], axes(&[1], &[2], &[0]), [20, 12]),
        (&[5, 12, 20], axes(&[-2], &[-1], &[0]), [12, 20]),
        (&[5, 12, 20], axes(&[2], &[1], &[0]), [12, 20]),
        (&[3, 4, 5, 6], axes(&[-1], &[1], &[0]), [4, 30]),
        (&[3, 4, 5, 6], axes(&[-2], &[-1], &[0]), [20, 6]),
        (&[2, 3, 8, 6], axes(&[2], &[3], &[0, 1]), [8, 6]),
    ];
    let mut worst = 0f64;
    let mut distinguished = 0;
    for (text, gain) in MATRICES {
        for (shape, layout, [rows, columns]) in &table {
            let values = filled(shape, text, layout);
            let defect_of = |rows, columns| defect(&values, rows, columns, gain);
            let own = defect_of(*rows, *columns);
            worst = worst.max(own);
            assert!(own <= DEFECT, "{text} {shape:?} {layout:?}: {own:e}");
            // The other rule's matrices are far from orthogonal.
            let [first, last] = [shape[0], shape[shape.len() - 1]];
            let others = [[first, values.len() / first], [values.len() / last, last]];
            for [other_rows, other_columns] in others {
                if other_rows * columns != rows * other_columns {
                    let other = defect_of(other_rows, other_columns);
                    assert!(
                        other > 0.01,
                        "{text} {shape:?} {layout:?} is orthogonal by another rule: {other:e}"
                    );
                    distinguished += 1;
                }
            }
        }
    }
    println!("the largest |Q'Q - I| is {worst:e}");
    assert!(distinguished > 3 * 16, "{distinguished}");
}

/// Zero except at (k - 1) / 2, where the inputs' rows are orthonormal. Shapes are (out, in,
/// kernel...).
#[test]
fn deltas_are_orthogonal_at_the_middle() {
    let shapes: [&[usize]; 8] = [
        &[24, 24, 3],
        &[30, 12, 4],
        &[7, 1, 1],
        &[30, 12, 3, 3],
        &[16, 16, 2, 5],
        &[40, 9, 1, 4],
        &[20, 12, 3, 4, 5],
        &[8, 8, 2, 2, 2],
    ];
    for (text, gain) in DELTAS {
        for dims in shapes {
            for order in orders(dims.len()) {
                let values = order.unstored(dims, &filled(&order.shape(dims), text, &order.layout));
                let middle: Vec<usize> = dims[2..].iter().map(|size| (size - 1) / 2).collect();
                let mut others = values.clone();
                let mut matrix = Vec::new();
                for output in 0..dims[0] {
                    for input in 0..dims[1] {
                        let at = flat(dims, &[&[output, input], &middle[..]].concat());
                        matrix.push(values[at]);
                        others[at] = 0.0;
                    }
                }
                let row = format!("{text} {dims:?} as {:?}", order.layout);
                assert!(
                    others.iter().all(|value| value.to_bits() == 0),
                    "{row} is not zero around the middle"
                );
                let defect = defect(&matrix, dims[0], dims[1], gain);
                assert!(defect <= DEFECT, "{row}: {defect:e}");
            }
        }
    }
}

/// A gain multiplies the matrix; powers of two do so exactly.
#[test]
fn gains_multiply() {
    for scheme in ["orthogonal", "delta_orthogonal"] {
        let of = |gain: f32| {
            let spec =
                TensorSpec::new([40, 20, 3], read(&format!("{scheme}(gain={gain})"))).name("gain");
            fill_types(&spec, EVERYWHERE)
        };
        let one = of(1.0);
        for gain in [2.0, -0.5] {
            assert!(
                of(gain).iter().zip(&one).all(|(scaled, value)| *scaled == value * gain),
                "{scheme} {gain}"
            );
        }
    }
}

/// P(entry <= x) for an entry of Haar-distributed columns of height m: (1 + x) / 2 has the
/// distribution Beta((m - 1) / 2, (m - 1) / 2), whose distribution function is elementary here.
fn entry_cdf(height: usize) -> impl Fn(f64) -> f64 {
    move |x| {
        let x = x.clamp(-1.0, 1.0);
        let u = 0.5 * (1.0 + x);
        match height {
            2 => 0.5 + x.asin() / PI,
            3 => u,
            4 => 0.5 + (x * (1.0 - x * x).sqrt() + x.asin()) / PI,
            5 => u * u * (3.0 - 2.0 * u),
            7 => u.powi(3) * (10.0 - 15.0 * u + 6.0 * u * u),
            _ => panic!("no formula for {height}"),
        }
    }
}

/// Many matrices of one stream, one after the other.
fn batch(text: &str, count: usize, rows: usize, columns: usize) -> Vec<f32> {
    let layout = Layout::Axes { input: vec![2], output: vec![1], batch: vec![0] };
    filled(&[count, rows, columns], text, &layout)
}

fn fit(
    values: impl Iterator<Item = f64>,
    cdf: impl Fn(f64) -> f64,
) -> statistics::KolmogorovSmirnov {
    statistics::kolmogorov_smirnov(&mut values.map(|value| value as f32).collect::<Vec<_>>(), cdf)
}

/// Each entry of small matrices, 20000 of each size, and u'Qv for fixed unit vectors, which has the
/// same distribution because Haar's measure has no preferred directions. Angles of the first column
/// and row in their first plane are uniform.
#[test]
fn entries_have_haars_distribution() {
    let (count, gain) = (20_000, 1.5);
    let mut family = Family::new("KS of orthogonal matrices");
    for [rows, columns] in [[2, 2], [3, 3], [4, 4], [5, 5], [7, 7], [4, 2], [3, 5], [7, 3]] {
        let height = rows.max(columns);
        let values = batch("orthogonal(gain=1.5)", count, rows, columns);
        let matrices = || values.chunks(rows * columns);
        let entries = |index: usize| matrices().map(move |matrix| f64::from(matrix[index]) / gain);
        for index in 0..rows * columns {
            family.kolmogorov_smirnov(
                format!("{rows} x {columns} {index}"),
                fit(entries(index), entry_cdf(height)),
            );
        }
        if rows == columns {
            let length = (1..=rows).map(|i| (i * i) as f64).sum::<f64>().sqrt();
            let [u, v] = [1.0 / (rows as f64).sqrt(), 1.0 / (length * gain)];
            let products = matrices().map(|matrix| {
                let terms = matrix
                    .iter()
                    .zip(0..)
                    .map(|(&q, index)| u * f64::from(q) * v * (index % rows + 1) as f64);
                terms.sum::<f64>()
            });
            family.kolmogorov_smirnov(
                format!("u'Qv of order {rows}"),
                fit(products, entry_cdf(rows)),
            );
        }
        for (name, other) in [("column", columns), ("row", 1)] {
            if (name == "column" && rows >= columns) || (name == "row" && columns >= rows) {
                let angles =
                    entries(0).zip(entries(other)).map(|(x, y)| 0.5 + y.atan2(x) / (2.0 * PI));
                family.kolmogorov_smirnov(
                    format!("angle of {rows} x {columns}'s {name}"),
                    fit(angles, |x| x),
                );
            }
        }
        // Neighbouring orders, and the normal with the entries' standard deviation, are rejected.
        if height == 5 {
            for (wrong, cdf) in [("order 4", entry_cdf(4)), ("order 7", entry_cdf(7))] {
                Family::of_fit(wrong, fit(entries(0), cdf)).reject();
            }
            let normal = fit(entries(0), |x| normal_cdf(x * 5f64.sqrt()));
            Family::of_fit("normal", normal).reject();
        }
    }
    family.accept();
}

/// The determinant of a matrix of order 2 or 3.
fn determinant(q: &[f64]) -> f64 {
    match *q {
        [a, b, c, d] => a * d - b * c,
        [a, b, c, d, e, f, g, h, i] => {
            a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
        }
        _ => panic!("{q:?}"),
    }
}

/// Rotations and reflections are equally likely; without the signs of Haar's measure all
/// determinants are the same.
#[test]
fn determinants_have_either_sign() {
    let count = 20_000;
    // Each is 1 or -1.
    let score = |sum: f64| sum / (count as f64).sqrt();
    let mut family = Family::new("determinants");
    for order in [2, 3] {
        let name = format!("order {order}");
        let values: Vec<f64> =
            batch("orthogonal", count, order, order).into_iter().map(f64::from).collect();
        let determinants: Vec<f64> = values.chunks(order * order).map(determinant).collect();
        assert!(determinants.iter().all(|determinant| (determinant.abs() - 1.0).abs() < DEFECT));
        family.score(&*name, score(determinants.iter().sum()));
        // Turning a tenth over is noticed.
        let turned =
            determinants.iter().enumerate().map(|(i, x)| if i % 10 == 0 { x.abs() } else { *x });
        let mut other = Family::new(format!("{name} with reflections turned over"));
        other.score("all", score(turned.sum()));
        other.reject();
    }
    family.accept();
}
