//! Goodness of fit: the values follow the exact distribution function, and agree with another
//! program's samples.

use gpu_init::rand::rngs::Xoshiro256PlusPlus;
use gpu_init::rand::{Rng, SeedableRng};
use gpu_init::{Initializer, Philox4x32, TensorSpec};
use rand_distr::{Distribution, StandardNormal};

use crate::common::statistics::{self, Family};
use crate::{STANDARD, fill, normals, sized};

fn uniform_cdf(low: f64, high: f64) -> impl Fn(f64) -> f64 {
    move |x| ((x - low) / (high - low)).clamp(0.0, 1.0)
}

fn normal_cdf(mean: f64, std: f64) -> impl Fn(f64) -> f64 {
    move |x| statistics::normal_cdf((x - mean) / std)
}

/// Kolmogorov-Smirnov: 3.3e7 values each of three normal distributions against the exact
/// distribution function. It must reject a standard deviation 0.2% off, a mean 0.17% of that off,
/// and, with the right deviation, a normal truncated at 2 and the sum of two uniforms.
#[test]
fn normal_values_follow_the_normal_distribution() {
    let n = sized(25);
    let [rows, columns] = [1 << 10, n >> 10];
    let xavier_std = (2.0 / (rows + columns) as f64).sqrt();
    let mut family = Family::new("KS of normals");
    for (name, spec, mean, std) in [
        ("N(0, 1)", TensorSpec::new([n], STANDARD), 0.0, 1.0),
        ("N(3, 4)", TensorSpec::new([n], Initializer::normal(3.0, 2.0)), 3.0, 2.0),
        (
            "xavier normal",
            TensorSpec::new([rows, columns], Initializer::xavier_normal()),
            0.0,
            xavier_std,
        ),
    ] {
        let mut values = fill(&spec.name(name));
        family.kolmogorov_smirnov(
            name,
            statistics::kolmogorov_smirnov(&mut values, normal_cdf(mean, std)),
        );
        // In sampling errors, so that a smaller sample need not detect a smaller deviation.
        let error = 1.0 / (n as f64).sqrt();
        for (wrong, mean, std) in [
            ("std 0.2% off", mean, std * (1.0 + 12.0 * error)),
            ("mean 0.17% off", mean + 10.0 * error * std, std),
        ] {
            reject_fit(wrong, &mut values, normal_cdf(mean, std));
        }
    }
    family.accept();

    let mut truncated = normals("truncated", sized(22));
    truncated.retain(|z| z.abs() < 2.0);
    let squares: f64 = truncated.iter().map(|&z| f64::from(z).powi(2)).sum();
    let spread = (squares / truncated.len() as f64).sqrt() as f32;
    truncated.iter_mut().for_each(|z| *z /= spread);
    reject_fit("truncated at 2", &mut truncated, normal_cdf(0.0, 1.0));
    let bound = 1.5f64.sqrt();
    let uniforms = TensorSpec::new([sized(22), 2], Initializer::uniform(-bound, bound)).name("sum");
    let mut sums: Vec<f32> = fill(&uniforms).chunks(2).map(|pair| pair.iter().sum()).collect();
    reject_fit("sum of two uniforms", &mut sums, normal_cdf(0.0, 1.0));
}

/// Kolmogorov-Smirnov must reject this distribution for this sample.
fn reject_fit(name: &str, sample: &mut [f32], cdf: impl Fn(f64) -> f64) {
    Family::of_fit(name, statistics::kolmogorov_smirnov(sample, cdf)).reject();
}

/// Kolmogorov-Smirnov: 3.3e7 values each of three uniform distributions; they approach their ends
/// without passing them. A width 0.14% off must be rejected.
#[test]
fn uniform_values_follow_the_uniform_distribution() {
    let n = sized(25);
    let [rows, columns] = [1 << 10, n >> 10];
    let xavier_bound = (6.0 / (rows + columns) as f64).sqrt();
    let mut family = Family::new("KS of uniforms");
    for (name, spec, low, high) in [
        ("U(0, 1)", TensorSpec::new([n], Initializer::uniform(0.0, 1.0)), 0.0, 1.0),
        ("U(-3, 7)", TensorSpec::new([n], Initializer::uniform(-3.0, 7.0)), -3.0, 7.0),
        (
            "xavier uniform",
            TensorSpec::new([rows, columns], Initializer::xavier_uniform()),
            -xavier_bound,
            xavier_bound,
        ),
    ] {
        let mut values = fill(&spec.name(name));
        family.kolmogorov_smirnov(
            name,
            statistics::kolmogorov_smirnov(&mut values, uniform_cdf(low, high)),
        );
        // The values are sorted now. Their distance from either end is exponential with a mean of
        // 1/n of the width: over 20 times the mean once in e^20.
        let near = 20.0 / n as f64 * (high - low);
        let (least, largest) = (f64::from(values[0]), f64::from(values[n - 1]));
        // Rounding may reach them: once in 2^24 values of U(0, 1), 1 - 2^-25 becomes 1.
        assert!(low as f32 <= values[0] && least < low + near, "{least} for {low}");
        assert!(values[n - 1] <= high as f32 && largest > high - near, "{largest} for {high}");
        let wider = 8.0 / (n as f64).sqrt() * (high - low);
        reject_fit("width 0.14% off", &mut values, uniform_cdf(low, high + wider));
    }
    family.accept();
}

/// Two-sample Kolmogorov-Smirnov: 1.6e7 values against rand_distr's, drawn by its ziggurat from
/// another generator, and from [`Philox4x32`]. A standard deviation 0.4% off must be rejected.
#[test]
fn normal_values_agree_with_rand_distr() {
    fn draw(n: usize, mut generator: impl Rng) -> Vec<f32> {
        (0..n).map(|_| StandardNormal.sample(&mut generator)).collect()
    }
    let n = sized(24);
    let mut ours = normals("two samples", n);
    let mut xoshiro = draw(n, Xoshiro256PlusPlus::seed_from_u64(42));
    let mut philox = draw(n, Philox4x32::new(42, gpu_init::stream_of("rand_distr")));
    let mut family = Family::new("KS with rand_distr");
    let mut compare = |name: &str, ks| family.kolmogorov_smirnov(name, ks);
    compare(
        "xoshiro256++, philox ziggurat",
        statistics::kolmogorov_smirnov_two(&mut xoshiro, &mut philox),
    );
    compare(
        "box-muller, xoshiro256++",
        statistics::kolmogorov_smirnov_two(&mut ours, &mut xoshiro),
    );
    compare(
        "box-muller, philox ziggurat",
        statistics::kolmogorov_smirnov_two(&mut ours, &mut philox),
    );
    compare(
        "philox ziggurat, exact",
        statistics::kolmogorov_smirnov(&mut philox, statistics::normal_cdf),
    );
    family.accept();

    let factor = (1.0 + 12.0 / (0.5 * n as f64).sqrt()) as f32;
    ours.iter_mut().for_each(|z| *z *= factor);
    let ks = statistics::kolmogorov_smirnov_two(&mut ours, &mut xoshiro);
    Family::of_fit("std 0.4% off", ks).reject();
}
