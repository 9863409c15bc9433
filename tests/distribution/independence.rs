//! Values depend neither on their neighbours nor on another tensor's values.

use gpu_init::{Cpu, TensorSpec};

use crate::common::statistics::{self, Family};
use crate::{STANDARD, fill, normals, sized};

/// A function of a standard normal.
type View = (&'static str, fn(f32) -> f32);

/// Views of a standard normal, each with mean 0 and deviation 1: dependence that one does not show
/// another may.
const VIEWS: [View; 4] = [
    ("value", |z| z),
    // E |z| = sqrt(2 / pi), Var |z| = 1 - 2 / pi.
    ("magnitude", |z| (z.abs() - 0.797_884_6) * 1.658_896_7),
    ("square", |z| (z * z - 1.0) * std::f32::consts::FRAC_1_SQRT_2),
    ("sign", |z| 1f32.copysign(z)),
];

fn view(values: &[f32], (_, function): View) -> Vec<f32> {
    values.iter().map(|&z| function(z)).collect()
}

/// The correlation of two views, in its own sampling errors.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    // Sums in lanes, which become vectors.
    let mut lanes = [0f64; 8];
    for (a, b) in a.chunks(lanes.len()).zip(b.chunks(lanes.len())) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f64::from(a) * f64::from(b);
        }
    }
    lanes.iter().sum::<f64>() / (a.len().min(b.len()) as f64).sqrt()
}

/// Autocorrelations of a view at lags 1 to 8 and at the powers of two up to the CPU's unit of work.
fn judge_lags(name: &str, function: View, values: &[f32]) -> Family {
    let values = view(values, function);
    let lags = (1..=8).chain((4..=16).map(|k| 1 << k)).filter(|&lag| lag < values.len());
    let scores = lags.map(|lag| {
        (format!("lag {lag}"), correlation(&values[..values.len() - lag], &values[lag..]))
    });
    Family::of_scores(format!("{}s, {name}", function.0), scores)
}

/// Correlations of every view of one with every view of the other of each Box-Muller pair.
fn judge_pairs(name: &str, values: &[f32]) -> Family {
    let (first, second): (Vec<f32>, Vec<f32>) =
        values.as_chunks().0.iter().map(|&[a, b]| (a, b)).unzip();
    let mut family = Family::new(format!("within pairs, {name}"));
    for of_first in VIEWS {
        let a = view(&first, of_first);
        for of_second in VIEWS {
            let z = correlation(&a, &view(&second, of_second));
            family.score(format!("{} with {}", of_first.0, of_second.0), z);
        }
    }
    family
}

/// Chi-square on a grid of `cells` equally likely cells an axis of the points whose coordinates are
/// `D` successive values; one sum for each position in a block that points start at, without
/// overlaps.
fn judge_grid<const D: usize>(name: &str, cells: usize, values: &[f32]) -> Family {
    let edges: Vec<f32> =
        (1..cells).map(|i| statistics::normal_quantile(i as f64 / cells as f64) as f32).collect();
    let indices: Vec<u8> =
        values.iter().map(|z| edges.partition_point(|edge| edge <= z) as u8).collect();
    let mut family = Family::new(format!("{D} dimensions, {name}"));
    for start in 0..4 {
        let mut counts = vec![0; cells.pow(D as u32)];
        for point in indices[start..].chunks(4.max(D)).filter(|point| point.len() >= D) {
            counts[point[..D].iter().fold(0, |cell, &index| cell * cells + usize::from(index))] +=
                1;
        }
        family.uniform_counts(format!("from value {start} of a block"), &counts);
    }
    family
}

/// Each value follows the one before it a little: correlation `strength / sqrt(n)`.
fn moving_average(values: &[f32], strength: f64) -> Vec<f32> {
    let weight = (strength / (values.len() as f64).sqrt()) as f32;
    std::iter::once(values[0])
        .chain(values.windows(2).map(|pair| pair[1] + weight * pair[0]))
        .collect()
}

/// Each value's deviation follows the square of the one before it a little (ARCH, Engle 1982): the
/// values are uncorrelated, their squares are not.
fn volatile(values: &[f32], strength: f64) -> Vec<f32> {
    let weight = (strength / (values.len() as f64).sqrt()) as f32;
    let follow = |pair: &[f32]| pair[1] * (1.0 + weight * (pair[0] * pair[0] - 1.0));
    std::iter::once(values[0]).chain(values.windows(2).map(follow)).collect()
}

/// No correlation between the values, magnitudes, squares and signs of neighbours in 1.7e7 values,
/// at 21 lags and within Box-Muller pairs, to 5 sampling errors or so. A moving average must fail,
/// and ARCH in the squares though not in the values.
#[test]
fn neighbours_are_uncorrelated() {
    let values = normals("neighbours", sized(24));
    for view in VIEWS {
        judge_lags("normals", view, &values).accept();
    }
    judge_pairs("normals", &values).accept();

    let [of_values, _, of_squares, _] = VIEWS;
    let follower = moving_average(&values, 12.0);
    judge_lags("moving average", of_values, &follower).reject();
    judge_pairs("moving average", &follower).reject();
    let follower = volatile(&values, 12.0);
    judge_lags("ARCH", of_values, &follower).accept();
    judge_lags("ARCH", of_squares, &follower).reject();
    judge_pairs("ARCH", &follower).reject();
}

/// Independence of successive values, not only no correlation: chi-square of 3.3e7 values as points
/// in two dimensions (64 x 64 cells), three (16^3) and four (8^4). A moving average and ARCH must
/// fail.
#[test]
fn successive_values_are_independent() {
    let values = normals("grid", sized(25));
    judge_grid::<2>("normals", 64, &values).accept();
    judge_grid::<3>("normals", 16, &values).accept();
    judge_grid::<4>("normals", 8, &values).accept();

    judge_grid::<2>("moving average", 64, &moving_average(&values, 100.0)).reject();
    judge_grid::<2>("ARCH", 64, &volatile(&values, 100.0)).reject();
}

/// Judges the correlation of each view between the tensors of each pair.
fn judge_tensors(name: &str, pairs: impl IntoIterator<Item = (String, [TensorSpec; 2])>) {
    let mut scores = VIEWS.map(|_| Vec::new());
    for (label, pair) in pairs {
        let [a, b] = pair.each_ref().map(fill::<f32>);
        for (scores, function) in scores.iter_mut().zip(VIEWS) {
            scores.push((label.clone(), correlation(&view(&a, function), &view(&b, function))));
        }
    }
    for (scores, (view, _)) in scores.into_iter().zip(VIEWS) {
        Family::of_scores(format!("{view}s between {name}"), scores).accept();
    }
}

fn standard(n: usize) -> TensorSpec {
    TensorSpec::new([n], STANDARD)
}

/// No correlation between tensors of 10^6 values whose streams, names or seeds are successive.
#[test]
fn successive_tensors_are_uncorrelated() {
    let n = sized(20);
    let successive = |make: &dyn Fn(u64) -> TensorSpec| -> Vec<_> {
        (0..32).map(|i| (format!("{i} and {}", i + 1), [make(i), make(i + 1)])).collect()
    };
    judge_tensors("streams", successive(&|i| standard(n).stream(i)));
    judge_tensors("names", successive(&|i| standard(n).name(&format!("layers.{i}.weight"))));
    judge_tensors("seeds", successive(&|i| standard(n).seed(i).stream(0)));
    // Philox's seed and stream enter the same rounds: neither may stand in for the other.
    let swapped = |i: u64| [standard(n).seed(i).stream(i + 1), standard(n).seed(i + 1).stream(i)];
    judge_tensors("swapped seeds and streams", (0..32).map(|i| (i.to_string(), swapped(i))));
}

/// No correlation between tensors of 2.6e5 values whose seeds, streams or block indices differ in
/// one bit.
#[test]
fn tensors_one_bit_apart_are_uncorrelated() {
    let n = sized(18);
    let bits = |make: &dyn Fn(u64) -> TensorSpec| -> Vec<_> {
        (0..64).map(|bit| (format!("bit {bit}"), [make(0), make(1 << bit)])).collect()
    };
    judge_tensors("seeds one bit apart", bits(&|bit| standard(n).seed(42 ^ bit).stream(0)));
    judge_tensors("streams one bit apart", bits(&|bit| standard(n).stream(7 ^ bit)));
    // Ranges of one tensor, as far as 2^60 elements apart.
    let far = |bit: u64| {
        let range = 4 * bit..4 * bit + n as u64;
        TensorSpec::new([1 << 31, 1 << 30], STANDARD).name("far").elements(range)
    };
    let distances = (16..59).map(|bit| (format!("4 x 2^{bit}"), [far(0), far(1 << bit)]));
    judge_tensors("distant ranges", distances);
}

/// No correlation between any two of 32 streams of 2.6e5 values, nor between successive ones if
/// shifted. A tensor with 2% of another added must fail.
#[test]
fn streams_are_uncorrelated_in_pairs_and_shifted() {
    let n = sized(18);
    let all: Vec<_> = (0..32).map(|i| (i, fill::<f32>(&standard(n).stream(i)))).collect();
    for function in VIEWS {
        let views: Vec<_> = all.iter().map(|(_, values)| view(values, function)).collect();
        let pairs = (0..views.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let scores =
            pairs.map(|(a, b)| (format!("{b} and {a}"), correlation(&views[a], &views[b])));
        Family::of_scores(format!("{}s between any of 32 streams", function.0), scores).accept();
    }

    let seeds: Vec<_> = (0..32).map(|i| (i, fill::<f32>(&standard(n).stream(0).seed(i)))).collect();
    for (name, tensors) in [("streams", &all), ("seeds", &seeds)] {
        let scores = tensors.windows(2).flat_map(|pair| {
            let [(i, a), (_, b)] = [&pair[0], &pair[1]];
            let ahead = (1..=16).map(move |k| (format!("{i} by {k}"), correlation(&a[k..], b)));
            let behind = (1..=16).map(move |k| (format!("{i} by -{k}"), correlation(a, &b[k..])));
            ahead.chain(behind)
        });
        Family::of_scores(format!("values of shifted {name}"), scores).accept();
    }

    let weight = (12.0 / (n as f64).sqrt()) as f32;
    let mixed: Vec<f32> = all[0].1.iter().zip(&all[1].1).map(|(a, b)| a + weight * b).collect();
    let scores = [("0 and 1".into(), correlation(&mixed, &all[1].1))];
    Family::of_scores("leaking stream", scores).reject();
}

/// The first elements of 10^6 tensors that differ in stream, name or seed are a normal sample too:
/// Kolmogorov-Smirnov and correlations as above, of 4.2e6 values each.
#[test]
fn first_elements_of_tensors_are_independent() {
    let first = TensorSpec::new([4], STANDARD);
    let judge = |name: &str, tensor: &dyn Fn(u64) -> TensorSpec| {
        let (cpu, mut values) = (Cpu::with_seed(42), vec![0f32; 4 * sized(20)]);
        for (values, i) in values.as_chunks_mut::<4>().0.iter_mut().zip(0..) {
            cpu.fill_into(&tensor(i), values).unwrap();
        }
        for view in VIEWS {
            judge_lags(name, view, &values).accept();
        }
        judge_grid::<2>(name, 16, &values).accept();
        let ks = statistics::kolmogorov_smirnov(&mut values, statistics::normal_cdf);
        Family::of_fit(format!("KS, {name}"), ks).accept();
    };
    judge("first of streams", &|i| first.clone().stream(i));
    judge("first of names", &|i| first.clone().name(&format!("layers.{i}.weight")));
    judge("first of seeds", &|i| first.clone().stream(0).seed(i));
    judge("first of upper halves of seeds", &|i| first.clone().stream(0).seed(i << 32));
}
