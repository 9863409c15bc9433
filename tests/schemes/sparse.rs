//! Sparse matrices: the number of zeros, their rows, and the values beside them.

use gpu_init::{Philox4x32, TensorSpec, stream_of};

use crate::common::statistics::{self, Family, normal_cdf};
use crate::rounding::EVERYWHERE;
use crate::{fill, fill_types, read};

/// Text, shape and the zeros of a column, ceil(sparsity rows) in f64 as `torch.nn.init.sparse_`
/// computes it.
const TABLE: [(&str, [usize; 2], usize); 14] = [
    ("sparse(sparsity=0)", [40, 300], 0),
    ("sparse(sparsity=1)", [40, 300], 40),
    ("sparse(sparsity=0.5)", [40, 300], 20),
    ("sparse(sparsity=0.1)", [300, 200], 30),
    ("sparse(sparsity=0.9, std=0.3)", [300, 200], 270),
    ("sparse(sparsity=0.001)", [300, 200], 1),
    ("sparse(sparsity=0.999)", [300, 200], 300),
    ("sparse(sparsity=0.3)", [7, 1000], 3),
    ("sparse(sparsity=0.5, std=2)", [1, 1000], 1),
    ("sparse(sparsity=0.25)", [1000, 1], 250),
    // 0.07 * 100 is slightly above 7.
    ("sparse(sparsity=0.07)", [100, 31], 8),
    ("sparse(sparsity=0.29)", [100, 16], 29),
    ("sparse(sparsity=0.333, std=1)", [4096, 17], 1364),
    ("sparse(sparsity=0.8)", [33, 4097], 27),
];

pub fn texts() -> Vec<&'static str> {
    TABLE.iter().map(|(text, ..)| *text).collect()
}

fn filled(text: &str, shape: [usize; 2]) -> Vec<f32> {
    let spec = TensorSpec::new(shape, read(text)).name(&format!("{text} {shape:?}"));
    let values = fill_types(&spec, EVERYWHERE);
    assert!(
        values.iter().all(|value| *value != 0.0 || value.to_bits() == 0),
        "{text}: a zero is negative"
    );
    values
}

/// A row-major matrix's columns.
fn columns(values: &[f32], width: usize) -> impl Iterator<Item = Vec<f32>> {
    (0..width).map(move |column| values.iter().skip(column).step_by(width).copied().collect())
}

#[test]
fn every_column_has_the_same_number_of_zeros() {
    for (text, shape, zeros) in TABLE {
        let values = filled(text, shape);
        for (index, column) in columns(&values, shape[1]).enumerate() {
            let found = column.iter().filter(|value| **value == 0.0).count();
            assert_eq!(found, zeros, "{text} {shape:?}, column {index}");
        }
    }
}

#[test]
fn other_elements_are_normal() {
    let mut family = Family::new("KS of sparse matrices");
    for (text, [rows, width], std) in [
        ("sparse(sparsity=0.1)", [300, 200], 0.01),
        ("sparse(sparsity=0.9, std=0.3)", [1000, 500], 0.3),
        ("sparse(sparsity=0.5, std=2)", [2, 50_000], 2.0),
        ("sparse(sparsity=0)", [40, 1000], 0.01),
    ] {
        let mut values = filled(text, [rows, width]);
        values.retain(|value| *value != 0.0);
        family.kolmogorov_smirnov(
            text,
            statistics::kolmogorov_smirnov(&mut values, |x| normal_cdf(x / std)),
        );
        let ks = statistics::kolmogorov_smirnov(&mut values, |x| normal_cdf(x / (1.06 * std)));
        Family::of_fit(format!("{text} with 6% more"), ks).reject();
    }
    family.accept();
}

/// The median of |N(0, 1)|.
const MEDIAN: f32 = 0.674_489_75;

/// The zeros of a column as bits.
fn subset(column: &[f32]) -> usize {
    column.iter().rev().fold(0, |bits, value| bits << 1 | usize::from(*value == 0.0))
}

/// Numbers all subsets of `zeros` out of `rows` rows, by their bits.
fn numbered(rows: usize, zeros: usize) -> (Vec<usize>, usize) {
    let mut numbers = vec![usize::MAX; 1 << rows];
    let mut count = 0;
    for bits in (0..1usize << rows).filter(|bits| bits.count_ones() as usize == zeros) {
        numbers[bits] = count;
        count += 1;
    }
    (numbers, count)
}

/// Counts the occurrences of each cell.
fn counted(cells: impl Iterator<Item = usize>, count: usize) -> Vec<u64> {
    let mut counts = vec![0; count];
    cells.for_each(|cell| counts[cell] += 1);
    counts
}

/// Every subset is equally likely: chi-square over all subsets of 65536 columns. So is every pair
/// of subsets of columns that are neighbours, or a vector's width apart.
fn judge_subsets(name: &str, matrix: &[Vec<f32>], zeros: usize) -> Family {
    let rows = matrix[0].len();
    let (numbers, count) = numbered(rows, zeros);
    let subsets: Vec<usize> = matrix.iter().map(|column| numbers[subset(column)]).collect();
    let mut family = Family::new(format!("{zeros} zeros of {rows}, {name}"));
    family.uniform_counts("subsets", &counted(subsets.iter().copied(), count));
    for lag in [1, 2, 16] {
        // Pairs that have no column in common.
        let pairs =
            subsets.chunks_exact(2 * lag).flat_map(|run| run[..lag].iter().zip(&run[lag..]));
        let cells = pairs.map(|(a, b)| a * count + b);
        family.uniform_counts(format!("pairs {lag} apart"), &counted(cells, count * count));
    }
    family
}

/// The name of a fair coin, and its toss by a standard normal.
type Coin = (&'static str, fn(f32) -> bool);

/// Zeros are independent of the values beside them: in every subset the others' signs, and whether
/// they exceed the median of |N(0, 1)|, are fair coins.
fn judge_values(name: &str, matrix: &[Vec<f32>], zeros: usize, std: f32) -> Family {
    let rows = matrix[0].len();
    let (numbers, count) = numbered(rows, zeros);
    let mut family = Family::new(format!("values beside {zeros} zeros of {rows}, {name}"));
    let coins: [Coin; 2] = [("signs", |z| z > 0.0), ("magnitudes", |z| z.abs() > MEDIAN)];
    for (view, coin) in coins {
        let cells = matrix.iter().map(|column| {
            let others = column.iter().filter(|value| **value != 0.0);
            others.fold(numbers[subset(column)], |cell, value| {
                cell << 1 | usize::from(coin(value / std))
            })
        });
        family.uniform_counts(view, &counted(cells, count << (rows - zeros)));
    }
    family
}

#[test]
fn every_choice_of_zeros_is_equally_likely() {
    let width = 1 << 16;
    for (rows, zeros) in [(2, 1), (4, 1), (5, 2), (5, 3), (6, 3), (7, 5), (8, 6)] {
        // Just below the ratio, since the number of zeros is rounded up.
        let text = format!("sparse(sparsity={})", (zeros as f64 - 0.5) / rows as f64);
        let matrix: Vec<_> = columns(&filled(&text, [rows, width]), width).collect();
        judge_subsets("sparse", &matrix, zeros).accept();
        judge_values("sparse", &matrix, zeros, 0.01).accept();
    }
}

/// Zeros are independent of the elements' random words in the same stream: with four rows, column
/// c would share the words of elements 4c to 4c + 3. Magnitudes, which come from those words, are
/// fair coins in every subset.
fn judge_words(name: &str, zeros: impl Iterator<Item = usize>, normals: &[f32]) -> Family {
    let cells = zeros.zip(normals.as_chunks::<4>().0).map(|(zero, values)| {
        values.iter().fold(zero, |cell, value| cell << 1 | usize::from(value.abs() > MEDIAN))
    });
    let mut family = Family::new(format!("words of zeros, {name}"));
    family.uniform_counts("magnitudes", &counted(cells, 4 << 4));
    family
}

#[test]
fn zeros_use_random_words_of_their_own() {
    let (name, width) = ("words", 1 << 16);
    let of = |text| fill(&TensorSpec::new([4, width], read(text)).name(name)).to_f32();
    let normals = of("normal");
    let sparse = of("sparse(sparsity=0.25)");
    // The row of the one zero of each column.
    let zeros = columns(&sparse, width)
        .map(|column| column.iter().position(|value| *value == 0.0).unwrap());
    judge_words("sparse", zeros, &normals).accept();

    // The same selection from the elements' words: row by row, a zero with the probability 1 over
    // the number of remaining rows.
    let words = Philox4x32::new(42, stream_of(name));
    let shared = (0..width as u64).map(|column| {
        let zero = |&row: &usize| u64::from(words.block(column)[row]) * (4 - row as u64) < 1 << 32;
        (0..4).find(zero).unwrap()
    });
    judge_words("shared", shared, &normals).reject();
}

/// Matrices that are made in other ways.
#[test]
fn other_choices_are_rejected() {
    let (rows, zeros, width) = (5, 2, 1 << 16);
    let normals = TensorSpec::new([rows, width], read("normal")).name("other choices");
    let normals = fill_types(&normals, EVERYWHERE);
    let with_zeros = |choose: &dyn Fn(usize, &[f32]) -> [usize; 2]| -> Vec<Vec<f32>> {
        let chosen = columns(&normals, width).enumerate().map(|(index, mut column)| {
            choose(index, &column).into_iter().for_each(|row| column[row] = 0.0);
            column
        });
        chosen.collect()
    };
    // A moving block of rows: not all subsets, and the next column is predictable.
    let moving = with_zeros(&|index, _| [index % rows, (index + 1) % rows]);
    judge_subsets("a moving block", &moving, zeros).reject();
    // All subsets in turn are equally frequent; pairs are not.
    let pairs: Vec<[usize; 2]> = (0..rows).flat_map(|a| (0..a).map(move |b| [a, b])).collect();
    judge_subsets("in turn", &with_zeros(&|index, _| pairs[index % pairs.len()]), zeros).reject();
    // The smallest values as zeros: subsets are equally likely, the other values too large.
    let pruned = with_zeros(&|_, column| {
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by(|&a, &b| column[a].abs().total_cmp(&column[b].abs()));
        [order[0], order[1]]
    });
    judge_subsets("pruned", &pruned, zeros).accept();
    judge_values("pruned", &pruned, zeros, 1.0).reject();
}
