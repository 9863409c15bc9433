//! The matrices are orthogonal and Haar-distributed, and how long they take.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::cpu::fill::fill_tensor;
use crate::cpu::orthogonal::*;
use crate::cpu::vectors::Vectors;
use crate::{Cpu, Initializer, Layout, TensorSpec};

/// A request for so many matrices.
pub(crate) fn parameter(rows: usize, cols: usize, batch: usize, gain: f64) -> TensorSpec {
    let layout = Layout::Axes { input: vec![2], output: vec![1], batch: vec![0] };
    TensorSpec::new([batch, rows, cols], Initializer::orthogonal().gain(gain).unwrap())
        .layout(layout)
}

fn resolved(plan: Orthogonal, seed: u64, stream: u64) -> Fill {
    let [rows, cols, batch] = [plan.rows, plan.cols, plan.batch].map(|side| side as usize);
    parameter(rows, cols, batch, 1.0).resolve(seed, stream).unwrap()
}

fn filled(fill: &Fill) -> Vec<f32> {
    fill_tensor(fill, &mut Progress::silent()).unwrap().into_vec().unwrap()
}

fn on_cpu(plan: Orthogonal, seed: u64, stream: u64) -> Vec<f32> {
    filled(&resolved(plan, seed, stream))
}

/// The largest entry of |Q'Q - I| (or of QQ' if there are fewer rows), in f64.
fn defect(plan: Orthogonal, q: &[f32]) -> f64 {
    let (m, n) = (plan.height(), plan.width());
    let worst = |matrix: &[f32]| {
        // Columns of Q side by side, whichever way it is stored.
        let entry = |i, j| matrix[if plan.transposed() { j * m + i } else { i * n + j }];
        let column = |j| (0..m).map(|i| f64::from(entry(i, j))).collect();
        let columns: Vec<Vec<f64>> = (0..n).into_par_iter().map(column).collect();
        let of_two = |j: usize, k: usize| {
            let mut lanes = [0f64; 8];
            for (a, b) in columns[j].chunks(8).zip(columns[k].chunks(8)) {
                for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
                    *lane += a * b;
                }
            }
            (lanes.iter().sum::<f64>() - f64::from(u8::from(j == k))).abs()
        };
        let of_column = |j| (0..=j).map(|k| of_two(j, k)).fold(0.0, f64::max);
        (0..n).into_par_iter().map(of_column).reduce(|| 0.0, f64::max)
    };
    q.chunks(m * n).map(worst).fold(0.0, f64::max)
}

pub(crate) fn plan(rows: usize, cols: usize, batch: usize) -> Orthogonal {
    match parameter(rows, cols, batch, 1.0).resolve(0, 0).unwrap().distribution {
        Distribution::Orthogonal { orthogonal, .. } => orthogonal,
        other => panic!("{other:?}"),
    }
}

fn assert_orthonormal(plan: Orthogonal, most: f64) {
    let defect = defect(plan, &on_cpu(plan, 42, 7));
    println!("{} x {}: {defect:e}", plan.rows, plan.cols);
    assert!(defect <= most, "{plan:?}: {defect:e}");
}

#[test]
fn columns_or_rows_are_orthonormal() {
    for (rows, cols, batch) in [
        (1, 1, 3),
        (1, 7, 2),
        (7, 1, 2),
        (2, 2, 1),
        (2, 3, 2),
        (3, 2, 2),
        (17, 5, 1),
        (16, 16, 1),
        (33, 33, 2),
        (64, 64, 1),
        (100, 37, 1),
        (128, 256, 1),
        (5, 1000, 1),
        (512, 512, 1),
        (1000, 300, 1),
    ] {
        assert_orthonormal(plan(rows, cols, batch), 1e-6);
    }
}

/// Statistics of a matrix whose means are known under Haar's distribution on the m x n matrices:
/// name, value, mean.
fn statistics(m: usize, n: usize, q: &[f32]) -> Vec<(&'static str, f64, f64)> {
    let at = |i: usize, j: usize| f64::from(q[i * n + j]);
    let [q00, q01, q10, q11] = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
    let (last, order) = (at(m - 1, n - 1), m as f64);
    let (square, fourth) = (1.0 / order, 3.0 / (order * (order + 2.0)));
    let mixed = 1.0 / (order * (order - 1.0) * (order + 2.0));
    let mut all = vec![
        ("q00", q00, 0.0),
        ("last diagonal", at(n - 1, n - 1), 0.0),
        ("mean of the diagonal", (0..n).map(|i| at(i, i)).sum(), 0.0),
        ("q00^2", q00.powi(2), square),
        ("q00^4", q00.powi(4), fourth),
        ("last entry^2", last.powi(2), square),
        ("last entry^4", last.powi(4), fourth),
        ("q10 q11", q10 * q11, 0.0),
        ("q00^2 q11^2", (q00 * q11).powi(2), (order + 1.0) * mixed),
        ("q00 q01 q10 q11", q00 * q01 * q10 * q11, -mixed),
    ];
    if m == n {
        let product = |a: &[f64], b: &[f64]| -> Vec<f64> {
            (0..n * n).map(|e| (0..n).map(|k| a[e / n * n + k] * b[k * n + e % n]).sum()).collect()
        };
        let trace = |a: &[f64]| (0..n).map(|i| a[i * n + i]).sum::<f64>();
        let first: Vec<f64> = q.iter().map(|&x| x.into()).collect();
        let second = product(&first, &first);
        let [t, t2] = [trace(&first), trace(&second)];
        let [t3, t4] = [&first, &second].map(|power| trace(&product(&second, power)));
        // Diaconis and Shahshahani 1994: the powers' traces have the moments of independent
        // normals.
        all.extend([
            ("tr^2", t * t, 1.0),
            ("tr^4", t.powi(4), 3.0),
            ("tr Q^2", t2, 1.0),
            ("tr Q^3", t3, 0.0),
            ("tr Q^4", t4, 1.0),
            ("tr tr Q^3", t * t3, 0.0),
            ("determinant", determinant(n, first), 0.0),
        ]);
    }
    all
}

fn determinant(n: usize, mut a: Vec<f64>) -> f64 {
    let mut product = 1.0;
    for k in 0..n {
        let pivot =
            (k..n).max_by(|&i, &j| a[i * n + k].abs().total_cmp(&a[j * n + k].abs())).unwrap();
        if pivot != k {
            (0..n).for_each(|j| a.swap(k * n + j, pivot * n + j));
            product = -product;
        }
        product *= a[k * n + k];
        for i in k + 1..n {
            let factor = a[i * n + k] / a[k * n + k];
            (k..n).for_each(|j| a[i * n + j] -= factor * a[k * n + j]);
        }
    }
    product
}

/// How many of their own standard errors the means of all statistics are from where they should be.
fn scores(plan: Orthogonal, q: &[f32]) -> Vec<(&'static str, f64)> {
    let (m, n) = (plan.height(), plan.width());
    let of_each: Vec<_> = q.chunks(m * n).map(|q| statistics(m, n, q)).collect();
    let count = of_each.len() as f64;
    (0..of_each[0].len())
        .map(|s| {
            let (name, _, expected) = of_each[0][s];
            let mean = of_each.iter().map(|all| all[s].1).sum::<f64>() / count;
            let square = of_each.iter().map(|all| (all[s].1 - mean).powi(2)).sum::<f64>() / count;
            (name, (mean - expected) / (square / count).sqrt())
        })
        .collect()
}

/// Two-sided p = 6e-7 for each of some hundred scores of fixed seeds.
const SIGMAS: f64 = 5.0;

#[test]
fn small_matrices_have_haars_distribution() {
    for (rows, cols) in [(4, 4), (8, 8), (5, 5), (17, 17), (6, 3), (20, 2)] {
        let plan = plan(rows, cols, if rows == 17 { 1_500 } else { 20_000 });
        let scores = scores(plan, &on_cpu(plan, 1, 2));
        println!("{rows} x {cols}: {scores:.2?}");
        for (name, z) in scores {
            assert!(z.abs() < SIGMAS, "{rows} x {cols}: {name}: {z}");
        }
    }
}

/// The test can fail: what LAPACK's Q is, with no signs of R's diagonal put right, is not Haar's.
#[test]
fn without_the_signs_the_distribution_is_another() {
    for n in [4, 8] {
        let plan = plan(n, n, 20_000);
        let mut q = on_cpu(plan, 1, 2);
        for (matrix, q) in q.chunks_mut(n * n).enumerate() {
            let signs = block(&plan, &resolved(plan, 1, 2), matrix as u64, 0).unwrap().signs;
            q.chunks_mut(n)
                .for_each(|row| row.iter_mut().zip(signs).for_each(|(x, sign)| *x *= sign));
        }
        let scores = scores(plan, &q);
        println!("not {n} x {n}: {scores:.2?}");
        let z = |wanted: &str| scores.iter().find(|(name, _)| *name == wanted).unwrap().1.abs();
        assert!(z("q00") > 50.0 && z("mean of the diagonal") > 50.0 && z("determinant") > 50.0);
        assert!(z("q00^2") < SIGMAS, "a sign does not change a square");
    }
}

/// The columns are those of the Q of a Gaussian matrix of which R's diagonal is positive: H_0's
/// normals, divided by their length, are the first column.
#[test]
fn the_first_column_is_the_first_vector_of_normals() {
    let plan = plan(50, 20, 1);
    let q = on_cpu(plan, 9, 5);
    let distribution = Distribution::Normal { mean: 0.0, std: 1.0 };
    let normals = filled(&Fill { distribution, len: 50, ..resolved(plan, 9, 5) });
    let norm = normals.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    for (i, &x) in normals.iter().enumerate() {
        assert!((f64::from(x) / norm - f64::from(q[20 * i])).abs() < 1e-6, "row {i}");
    }
}

#[test]
fn gain_multiplies_and_types_round_once() {
    use half::{bf16, f16};
    let one = on_cpu(plan(40, 30, 2), 3, 4);
    let scaled = parameter(40, 30, 2, 1.25).seed(3).stream(4);
    let (mut halves, mut brains) = (vec![f16::ZERO; one.len()], vec![bf16::ZERO; one.len()]);
    Cpu::new().fill_into(&scaled, &mut halves).unwrap();
    Cpu::new().fill_into(&scaled, &mut brains).unwrap();
    for ((one, half), brain) in one.iter().zip(halves).zip(brains) {
        assert_eq!((f16::from_f32(one * 1.25), bf16::from_f32(one * 1.25)), (half, brain));
    }
    // Rows are orthonormal if those are fewer: the transpose, from the same normals.
    let (tall, wide) = (on_cpu(plan(40, 30, 2), 3, 4), on_cpu(plan(30, 40, 2), 3, 4));
    for (e, &x) in tall.iter().enumerate() {
        let (matrix, i, j) = (e / 1200, e % 1200 / 30, e % 30);
        assert_eq!(x, wide[matrix * 1200 + j * 40 + i]);
    }
}

#[test]
fn a_batch_has_more_of_the_same_stream() {
    // More matrices than are held at once, of which each is its own.
    let all = on_cpu(plan(20, 20, 3000), 3, 4);
    let mut first: Vec<u32> = all.chunks(400).map(|q| q[0].to_bits()).collect();
    assert_eq!(first[0], on_cpu(plan(20, 20, 1), 3, 4)[0].to_bits());
    first.sort_unstable();
    first.dedup();
    assert!(first.len() > 2990, "{}", first.len());
}

#[test]
fn work_can_be_broken_off() {
    // While the reflections are computed no element is done; later some are.
    for least in [0, 1] {
        let mut broken_off = 0;
        let specs = [parameter(2000, 600, 2, 1.0)];
        let filled = Cpu::new().fill_all_with(&specs, &mut |done, _| {
            if done < least {
                return ControlFlow::Continue(());
            }
            broken_off += 1;
            ControlFlow::Break(())
        });
        let error = filled.unwrap_err();
        assert!(
            matches!(*error.kind(), ErrorKind::Interrupted { done, total }
                if (done == 0) == (least == 0) && done < total),
            "{error:?}"
        );
        assert_eq!(broken_off, 1);
    }
}

/// `cargo test --release -- --ignored --nocapture large_matrices`
#[test]
#[ignore = "seconds of f64"]
fn large_matrices_are_orthogonal() {
    for (rows, cols) in [(1024, 1024), (2048, 2048), (4096, 1024), (1024, 4096)] {
        assert_orthonormal(plan(rows, cols, 1), 1e-5);
    }
}

/// `cargo test --release -- --ignored --nocapture orthogonal_times`
#[test]
#[ignore = "a measurement"]
fn orthogonal_times() {
    for n in [64, 128, 256, 512, 1024, 2048] {
        let plan = plan(n, n, 1);
        let times = (0..if n < 1024 { 20 } else { 7 }).map(|i| {
            let start = Instant::now();
            on_cpu(plan, i, 0);
            start.elapsed()
        });
        let least = times.min().unwrap_or_default().as_secs_f64();
        let speed = 4.0 / 3.0 * (n as f64).powi(3) / least * 1e-9;
        println!("CPU {n}: {:.3} ms, {speed:.1} GFLOP/s", least * 1e3);
    }
}

/// All vectors that this machine has give the same.
#[test]
fn every_compilation_gives_the_same_bits() {
    let fill = parameter(333, 90, 1, 1.0).resolve(1, 2).unwrap();
    let Distribution::Orthogonal { orthogonal, .. } = fill.distribution else { panic!("{fill:?}") };
    let mut blocks: Vec<_> =
        (0..orthogonal.blocks()).map(|i| block(&orthogonal, &fill, 0, i).unwrap()).collect();
    let mut panels = Vec::new();
    for vectors in Vectors::detected() {
        for block in &mut blocks {
            let of_best = block.gram;
            vectors.run(Gram(block));
            assert_eq!(block.gram, of_best, "{vectors:?}");
        }
        let mut rows = vec![[0f32; LANES]; 333];
        vectors.run(Panel { blocks: &blocks, rows: &mut rows });
        panels.push(rows);
    }
    panels.dedup();
    assert_eq!(panels.len(), 1);
}
