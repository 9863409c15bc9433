//! The matrices are orthogonal and Haar-distributed, and how long they take.

use std::ops::ControlFlow;
use std::time::Instant;

use rayon::prelude::*;

use super::*;

pub(crate) fn on_cpu(plan: Orthogonal, seed: u64, stream: u64) -> Vec<f32> {
    let mut out = vec![0f32; plan.elements() as usize];
    plan.fill(seed, stream, &mut out, &mut |_, _| ControlFlow::Continue(())).unwrap();
    out
}

/// The largest entry of |Q'Q - I| (or of QQ' if there are fewer rows), in f64.
fn defect(plan: Orthogonal, q: &[f32]) -> f64 {
    let (m, n) = (plan.height(), plan.width());
    let worst = |matrix: &[f32]| {
        // Columns of Q side by side, whichever way it is stored.
        let column = |j: usize| -> Vec<f64> {
            (0..m).map(|i| f64::from(if plan.transposed() { matrix[j * m + i] } else { matrix[i * n + j] })).collect()
        };
        let columns: Vec<Vec<f64>> = (0..n).into_par_iter().map(column).collect();
        let of_column = |j: usize| {
            (0..=j)
                .map(|k| {
                    let mut lanes = [0f64; 8];
                    for (a, b) in columns[j].chunks(8).zip(columns[k].chunks(8)) {
                        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
                            *lane += a * b;
                        }
                    }
                    (lanes.iter().sum::<f64>() - f64::from(u8::from(j == k))).abs()
                })
                .fold(0.0, f64::max)
        };
        (0..n).into_par_iter().map(of_column).reduce(|| 0.0, f64::max)
    };
    q.chunks(m * n).map(worst).fold(0.0, f64::max)
}

fn plan(rows: u32, cols: u32, batch: u32) -> Orthogonal {
    Orthogonal { rows, cols, batch, gain: 1.0 }
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
        let plan = plan(rows, cols, batch);
        let defect = defect(plan, &on_cpu(plan, 42, 7));
        println!("{rows} x {cols}: {defect:e}");
        assert!(defect <= 1e-6, "{rows} x {cols}: {defect:e}");
    }
}

/// `cargo test --release -- --ignored --nocapture large_matrices`
#[test]
#[ignore = "seconds of f64"]
fn large_matrices_are_orthogonal() {
    for (rows, cols) in [(1024, 1024), (2048, 2048), (4096, 1024), (1024, 4096)] {
        let plan = plan(rows, cols, 1);
        let defect = defect(plan, &on_cpu(plan, 42, 7));
        println!("{rows} x {cols}: {defect:e}");
        assert!(defect <= 1e-5, "{rows} x {cols}: {defect:e}");
    }
}

/// `cargo test --release -- --ignored --nocapture orthogonal_times`
#[test]
#[ignore = "a measurement"]
fn orthogonal_times() {
    for n in [64, 128, 256, 512, 1024, 2048] {
        let plan = plan(n, n, 1);
        let mut out = vec![0f32; plan.elements() as usize];
        let times = (0..if n < 1024 { 20 } else { 7 }).map(|i| {
            let start = Instant::now();
            plan.fill(i, 0, &mut out, &mut |_, _| ControlFlow::Continue(())).unwrap();
            start.elapsed()
        });
        let least = times.min().unwrap_or_default().as_secs_f64();
        println!("CPU {n}: {:.3} ms, {:.1} GFLOP/s", least * 1e3, 4.0 / 3.0 * f64::from(n).powi(3) / least * 1e-9);
    }
}
