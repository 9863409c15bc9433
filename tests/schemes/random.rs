//! Initializers whose elements are independent and identically distributed.

use std::f64::consts::PI;

use gpu_init::{Layout, TensorSpec};

use crate::common::statistics::{self, Family, normal_cdf};
use crate::layers::{Layer, layers};
use crate::rounding::EVERYWHERE;
use crate::{fill, fill_types, read};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    Normal {
        mean: f64,
        std: f64,
    },
    Uniform {
        low: f64,
        high: f64,
    },
    /// N(mean, std^2) given that it is within the bounds.
    Truncated {
        mean: f64,
        std: f64,
        low: f64,
        high: f64,
    },
}

impl Expected {
    fn cdf(self) -> impl Fn(f64) -> f64 {
        move |x| match self {
            Expected::Normal { mean, std } => normal_cdf((x - mean) / std),
            Expected::Uniform { low, high } => ((x - low) / (high - low)).clamp(0.0, 1.0),
            Expected::Truncated { mean, std, low, high } => {
                let [below, x, above] =
                    [low, x.clamp(low, high), high].map(|x| normal_cdf((x - mean) / std));
                (x - below) / (above - below)
            }
        }
    }

    /// Mean, standard deviation and E[(x - mean)^4] / std^4.
    fn moments(self) -> [f64; 3] {
        match self {
            Expected::Normal { mean, std } => [mean, std, 3.0],
            Expected::Uniform { low, high } => {
                [0.5 * (low + high), (high - low) / 12f64.sqrt(), 1.8]
            }
            Expected::Truncated { mean, std, low, high } => {
                let [low, high] = [low, high].map(|bound| (bound - mean) / std);
                let density = |z: f64| (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
                let within = normal_cdf(high) - normal_cdf(low);
                // E z^k = (k - 1) E z^(k - 2) + a term of the bounds, by partial integration.
                let mut powers = [1.0; 5];
                for k in 1..5 {
                    let bounds = low.powi(k as i32 - 1) * density(low)
                        - high.powi(k as i32 - 1) * density(high);
                    powers[k] =
                        bounds / within + if k > 1 { (k - 1) as f64 * powers[k - 2] } else { 0.0 };
                }
                let [_, m, m2, m3, m4] = powers;
                let variance = m2 - m * m;
                let fourth = m4 - 4.0 * m * m3 + 6.0 * m * m * m2 - 3.0 * m.powi(4);
                [mean + std * m, std * variance.sqrt(), fourth / variance.powi(2)]
            }
        }
    }

    /// No F32 value is outside.
    fn bounds(self) -> (f64, f64) {
        match self {
            // The largest radius of 32 bits: sqrt(2 ln 2^32).
            Expected::Normal { mean, std } => (mean - 6.66044 * std, mean + 6.66044 * std),
            Expected::Uniform { low, high } | Expected::Truncated { low, high, .. } => (low, high),
        }
    }

    /// The bounds that rounding must respect; a value may be rounded to a uniform's open ends.
    fn clamp_bounds(self) -> (f64, f64) {
        match self {
            Expected::Truncated { low, high, .. } => (low, high),
            _ => EVERYWHERE,
        }
    }
}

fn normal(variance: f64) -> Expected {
    Expected::Normal { mean: 0.0, std: variance.sqrt() }
}

fn uniform(variance: f64) -> Expected {
    let bound = (3.0 * variance).sqrt();
    Expected::Uniform { low: -bound, high: bound }
}

/// Keras' and JAX's normal: truncated at two standard deviations, which are widened so that the
/// variance is the requested one.
fn truncated(variance: f64) -> Expected {
    let [_, of_standard, _] =
        Expected::Truncated { mean: 0.0, std: 1.0, low: -2.0, high: 2.0 }.moments();
    let std = variance.sqrt() / of_standard;
    Expected::Truncated { mean: 0.0, std, low: -2.0 * std, high: 2.0 * std }
}

/// The distribution by fan_in and fan_out.
type Rule = fn(f64, f64) -> Expected;

/// Schemes by fans, with the peers' defaults.
const BY_FANS: [(&str, Rule); 23] = [
    ("variance_scaling", |i, _| truncated(1.0 / i)),
    ("variance_scaling(scale=3, mode=fan_out, distribution=normal)", |_, o| normal(3.0 / o)),
    ("variance_scaling(scale=0.7, mode=fan_avg, distribution=uniform)", |i, o| {
        uniform(0.7 / (0.5 * (i + o)))
    }),
    ("variance_scaling(scale=2, mode=fan_geo_avg)", |i, o| truncated(2.0 / (i * o).sqrt())),
    ("xavier_normal", |i, o| normal(2.0 / (i + o))),
    ("xavier_normal(gain=2, mean=0.5)", |i, o| Expected::Normal {
        mean: 0.5,
        std: 2.0 * (2.0 / (i + o)).sqrt(),
    }),
    ("xavier_uniform", |i, o| uniform(2.0 / (i + o))),
    ("xavier_uniform(gain=1.5, mean=-0.25)", |i, o| {
        let bound = 1.5 * (6.0 / (i + o)).sqrt();
        Expected::Uniform { low: -0.25 - bound, high: -0.25 + bound }
    }),
    ("kaiming_normal", |i, _| normal(2.0 / i)),
    ("kaiming_normal(mode=fan_out, nonlinearity=relu)", |_, o| normal(2.0 / o)),
    ("kaiming_normal(mode=fan_avg, nonlinearity=tanh)", |i, o| {
        normal(25.0 / 9.0 / (0.5 * (i + o)))
    }),
    ("kaiming_uniform(a=0.5)", |i, _| uniform(2.0 / (1.0 + 0.25) / i)),
    ("kaiming_uniform(mode=fan_geo_avg, nonlinearity=selu)", |i, o| {
        uniform(9.0 / 16.0 / (i * o).sqrt())
    }),
    ("glorot_normal", |i, o| truncated(2.0 / (i + o))),
    ("glorot_uniform", |i, o| uniform(2.0 / (i + o))),
    ("he_normal", |i, _| truncated(2.0 / i)),
    ("he_uniform", |i, _| uniform(2.0 / i)),
    ("lecun_normal", |i, _| truncated(1.0 / i)),
    ("lecun_uniform", |i, _| uniform(1.0 / i)),
    ("pytorch_linear", |i, _| Expected::Uniform { low: -1.0 / i.sqrt(), high: 1.0 / i.sqrt() }),
    ("keras_conv", |i, o| uniform(2.0 / (i + o))),
    ("flax_dense", |i, _| truncated(1.0 / i)),
    ("flax_embed", |_, o| normal(1.0 / o)),
];

/// Schemes without fans, with the peers' defaults.
const BY_OPTIONS: [(&str, Expected); 12] = [
    ("normal", Expected::Normal { mean: 0.0, std: 1.0 }),
    ("normal(mean=3, std=2)", Expected::Normal { mean: 3.0, std: 2.0 }),
    ("uniform", Expected::Uniform { low: 0.0, high: 1.0 }),
    ("uniform(a=-3, b=0.5)", Expected::Uniform { low: -3.0, high: 0.5 }),
    ("truncated_normal", Expected::Truncated { mean: 0.0, std: 1.0, low: -2.0, high: 2.0 }),
    (
        "truncated_normal(mean=0.1, std=0.3, a=-0.3, b=0.2)",
        Expected::Truncated { mean: 0.1, std: 0.3, low: -0.3, high: 0.2 },
    ),
    ("truncated_normal_sigma", Expected::Truncated { mean: 0.0, std: 1.0, low: -2.0, high: 2.0 }),
    (
        "truncated_normal_sigma(mean=1, std=0.5, lower=-1, upper=3)",
        Expected::Truncated { mean: 1.0, std: 0.5, low: 0.5, high: 2.5 },
    ),
    ("pytorch_embedding", Expected::Normal { mean: 0.0, std: 1.0 }),
    ("keras_embedding", Expected::Uniform { low: -0.05, high: 0.05 }),
    ("keras_random_normal", Expected::Normal { mean: 0.0, std: 0.05 }),
    ("keras_truncated_normal", Expected::Truncated { mean: 0.0, std: 0.05, low: -0.1, high: 0.1 }),
];

pub fn texts() -> Vec<&'static str> {
    BY_FANS.iter().map(|(text, _)| *text).chain(BY_OPTIONS.iter().map(|(text, _)| *text)).collect()
}

/// The text and the distribution of every row for a layer.
fn rows(layer: &Layer) -> Vec<(&'static str, Expected)> {
    let by_fans = BY_FANS.iter().map(|(text, rule)| (*text, rule(layer.fan_in, layer.fan_out)));
    by_fans.chain(BY_OPTIONS).collect()
}

fn spec_of(text: &str, layer: &Layer) -> TensorSpec {
    let name = format!("{text} {}", layer.name);
    TensorSpec::new(layer.shape, read(text)).layout(layer.layout.clone()).name(&name)
}

/// Mean and mean square about the distribution's mean, each in its sampling errors.
fn scores(values: &[f32], distribution: Expected) -> [f64; 2] {
    let ([mean, std, kurtosis], n) = (distribution.moments(), values.len() as f64);
    let (mut sum, mut squares) = (0.0, 0.0);
    for &value in values {
        let z = (f64::from(value) - mean) / std;
        sum += z;
        squares += z * z;
    }
    [sum / n.sqrt(), (squares - n) / (n * (kurtosis - 1.0)).sqrt()]
}

/// Every row for every layer, in every type, with about 40000 values each.
#[test]
fn values_have_the_distribution_of_their_scheme() {
    let mut fits = Family::new("KS of schemes");
    let mut moments = Vec::new();
    let mut judge = |text: &str, layer: &Layer, distribution: Expected| {
        let row = format!("{text} {}", layer.name);
        let mut values = fill_types(&spec_of(text, layer), distribution.clamp_bounds());
        for (score, name) in scores(&values, distribution).into_iter().zip(["mean", "square"]) {
            moments.push((format!("{name} of {row}"), score));
        }
        fits.kolmogorov_smirnov(
            &*row,
            statistics::kolmogorov_smirnov(&mut values, distribution.cdf()),
        );
        let (low, high) = distribution.bounds();
        // A value may be rounded to the end itself.
        let last = values.len() - 1;
        assert!(
            low as f32 <= values[0] && values[last] <= high as f32,
            "{row}: {}..{}",
            values[0],
            values[last]
        );
    };
    for layer in layers() {
        for (text, distribution) in rows(&layer) {
            judge(text, &layer, distribution);
        }
    }
    // Schemes without fans take vectors too.
    let (shape, layout, fan) = (&[50_000][..], Layout::OutInKernel, f64::NAN);
    let vector = Layer { name: "a vector", shape, layout, fan_in: fan, fan_out: fan };
    for (text, distribution) in BY_OPTIONS {
        judge(text, &vector, distribution);
    }
    fits.accept();
    Family::of_scores("moments of schemes", moments).accept();
}

/// The statistics above for one row and another distribution.
fn reject(name: &str, values: &mut [f32], distribution: Expected) {
    let ks = statistics::kolmogorov_smirnov(values, distribution.cdf());
    let mut family = Family::of_fit(name, ks);
    for score in scores(values, distribution) {
        family.score("moment", score);
    }
    family.reject();
}

/// No scheme's values are accepted as another's, unless both have the same distribution.
#[test]
fn schemes_are_distinguished() {
    let layer = layers().into_iter().find(|layer| layer.name == "Conv2d(48, 96, 3)").unwrap();
    let mut same = 0;
    for (text, own) in rows(&layer) {
        let mut values = fill(&spec_of(text, &layer)).to_f32();
        for (other, distribution) in rows(&layer) {
            let close = own
                .moments()
                .iter()
                .zip(distribution.moments())
                .all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs());
            if close {
                same += 1;
            } else {
                reject(&format!("{text} as {other}"), &mut values, distribution);
            }
        }
    }
    // Two triples (variance_scaling, lecun_normal and flax_dense; xavier_uniform, glorot_uniform
    // and keras_conv), two pairs (normal and pytorch_embedding; both truncated normals), and 25
    // that resemble no other.
    assert_eq!(same, 9 + 9 + 2 * 4 + 25);
}

/// No layer's values are accepted with exchanged fans, or with another reading of its groups.
#[test]
fn fans_are_distinguished() {
    let mut distinguished = 0;
    for layer in layers() {
        let Layer { fan_in, fan_out, .. } = layer;
        let mut of = |text: &str, distribution: Expected| {
            let mut values = fill(&spec_of(text, &layer)).to_f32();
            reject(&format!("{text} {} by other fans", layer.name), &mut values, distribution);
            distinguished += 1;
        };
        if fan_in != fan_out {
            of("lecun_uniform", uniform(1.0 / fan_out));
            of("flax_embed", normal(1.0 / fan_in));
        }
        match layer.layout {
            // The fans of one reading of the groups by the other: PyTorch's and burn's.
            Layout::Grouped { groups } => of("flax_embed", normal(1.0 / (fan_out * groups as f64))),
            Layout::OutInKernel if layer.name.contains("groups=4)") => {
                of("flax_embed", normal(4.0 / fan_out))
            }
            _ => {}
        }
    }
    // All layers but two have two different fans, and three are grouped.
    assert_eq!(distinguished, 2 * 21 + 3);
}
