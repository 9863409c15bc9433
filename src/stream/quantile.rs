//! The truncated normal in f64, on the host: its quantiles as a table of cubics, and its moments.
//!
//! All are integrals of the density relative to its largest value within the bounds, over panels so
//! short that quadrature is exact to the last digits of f64. No two distribution functions are
//! subtracted, so nothing cancels or underflows, wherever the bounds are and however near to each
//! other. Only + - * /, sqrt and an exponential made of them compute: the same bits on every
//! machine, with every version of a library.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::stream::exp::exp;
use crate::stream::truncated::{SIDE, Table};

/// N(mean, std^2) within `low` to `high`, either of which may be infinite.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Truncated {
    pub(crate) mean: f64,
    pub(crate) std: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// How far a value can be from the mean, or from the bound next to it if the mean is outside, in
/// std: there the half normal, the widest of all these distributions, leaves a probability of
/// 2^-33, the smallest one looked up.
const REACH: f64 = 6.44;

/// Where the density is below exp(-DEPTH) = 2^-95 of its largest value it is left out: nothing
/// beside 2^-33.
const DEPTH: f64 = 66.0;
/// Enough panels that the logarithm of the density changes by at most 2.1 in one.
const PANELS: usize = 128;

/// Of narrower panels, in std, the table's least probabilities would underflow: a spread of
/// nothing, which is refused.
const LEAST_WIDTH: f64 = f64::from_bits((1023 - 960) << 52); // 2^-960

/// Nodes and weights of Gauss-Legendre quadrature on (0, 1); weights to the right of the middle.
const NODES: [f64; 8] = [
    0.019855071751231884,
    0.10166676129318664,
    0.2372337950418355,
    0.4082826787521751,
    0.591717321247825,
    0.7627662049581645,
    0.8983332387068134,
    0.9801449282487681,
];
const WEIGHTS: [f64; 8] = [
    0.05061426814518813,
    0.11119051722668724,
    0.15685332293894363,
    0.181341891689181,
    0.181341891689181,
    0.15685332293894363,
    0.11119051722668724,
    0.05061426814518813,
];

/// Inner nodes of a cubic on [0, 1]: with both ends they are Chebyshev's, stretched. Neighbours
/// join.
const NEAR: f64 = 1.0 - FRAC_1_SQRT_2;
const FAR: f64 = FRAC_1_SQRT_2;

/// Smaller coefficients of a table are 0, so that no product or sum of the shader is
/// subnormal. A word's t is 0 or at least 2^-20, and two terms that cancel leave 0 or 2^-24 of the
/// smaller one.
const LEAST_COEFFICIENT: f64 = f64::from_bits((1023 - 80) << 52); // 2^-80

impl Truncated {
    /// The same distribution seen from its upper end.
    fn mirrored(self) -> Self {
        Truncated { mean: -self.mean, low: -self.high, high: -self.low, ..self }
    }

    /// The value of the largest density.
    fn mode(self) -> f64 {
        self.mean.clamp(self.low, self.high)
    }

    /// Least and largest value that a table gives, or a little beyond.
    pub(crate) fn bounds(self) -> (f64, f64) {
        let reach = REACH * self.std;
        (self.low.max(self.mode() - reach), self.high.min(self.mode() + reach))
    }

    /// Cubics of the quantiles, from either end.
    pub(crate) fn table(self) -> Box<Table> {
        let mut table = Box::new([[0.0; 4]; 2 * SIDE]);
        let (lower, upper) = table.split_at_mut(SIDE);
        self.fill_side(lower);
        self.mirrored().fill_side(upper);
        for coefficient in upper.as_flattened_mut() {
            *coefficient = 0.0 - *coefficient;
        }
        table
    }

    /// The quantiles of the probabilities x 2^-33 for x from 1 to 2^32, eight segments an octave.
    fn fill_side(self, entries: &mut [[f32; 4]]) {
        let panels = Panels::new(self);
        let cumulative = panels.cumulative();
        let total = cumulative[PANELS];
        let mut at = Position { panel: 0, distance: 0.0 };
        let mut octave = 1.0 / 8589934592.0; // 2^-33
        let mut begin = panels.advance(&mut at, &cumulative, octave * total);
        for (i, entry) in entries.iter_mut().enumerate() {
            let value = panels.first + self.std * begin;
            *entry = [coefficient(value), 0.0, 0.0, 0.0];
            if i + 1 == SIDE {
                break;
            }
            let [near, far, end] = [NEAR, FAR, 1.0].map(|t| {
                let probability = octave * (1.0 + ((i % 8) as f64 + t) / 8.0);
                panels.advance(&mut at, &cumulative, probability * total)
            });
            // Slopes from the beginning, and their divided differences.
            let slope = (near - begin) / NEAR;
            let between = ((far - begin) / FAR - slope) / (FAR - NEAR);
            let beyond = ((end - begin) - (far - begin) / FAR) / (1.0 - FAR);
            let cubic = (beyond - between) / (1.0 - NEAR);
            let square = between - cubic;
            let linear = slope - NEAR * between + NEAR * FAR * cubic;
            entry[1] = coefficient(self.std * linear);
            if entry[1] != 0.0 {
                entry[2] = coefficient(self.std * square);
                entry[3] = coefficient(self.std * cubic);
            }
            begin = end;
            if i % 8 == 7 {
                octave *= 2.0;
            }
        }
    }

    /// Mean, standard deviation and E[(x - mean)^4] / std^4.
    pub(crate) fn moments(self) -> [f64; 3] {
        let panels = Panels::new(self);
        if panels.width < LEAST_WIDTH {
            return [self.mode(), 0.0, 3.0];
        }
        // Bounds that are near beside the deviation make distances whose squares underflow, so they
        // are measured in a unit as small: a power of two, which changes nothing else.
        let unit = f64::from_bits(panels.width.to_bits() & 0x7ff << 52);
        let points = panels.points();
        let total: f64 = points.iter().map(|(_, weight)| weight).sum();
        let mean = points.iter().map(|(x, weight)| x * weight).sum::<f64>() / total;
        let central = |power| {
            points.iter().map(|(x, weight)| ((x - mean) / unit).powi(power) * weight).sum::<f64>()
                / total
        };
        let variance = central(2);
        [
            self.mode() + self.std * mean,
            self.std * (unit * variance.sqrt()),
            central(4) / (variance * variance),
        ]
    }
}

fn coefficient(value: f64) -> f32 {
    if value.abs() < LEAST_COEFFICIENT { 0.0 } else { value as f32 }
}

/// The part of the distribution that counts, cut into panels of one width. Distances are in std.
#[derive(Debug)]
struct Panels {
    /// The mode's distance from the mean.
    mode: f64,
    /// The beginning of the first panel: its distance from the mode (0 or below), and its value.
    start: f64,
    first: f64,
    width: f64,
}

/// A panel and a distance from its beginning.
#[derive(Debug, Clone, Copy)]
struct Position {
    panel: usize,
    distance: f64,
}

impl Panels {
    fn new(distribution: Truncated) -> Self {
        let Truncated { mean, std, low, high } = distribution;
        let value = distribution.mode();
        let mode = (value - mean) / std;
        // The density is exp(-DEPTH) of that at the mode where distance (distance / 2 + |mode|) is
        // DEPTH.
        let reach = 2.0 * DEPTH / (mode.abs() + (mode * mode + 2.0 * DEPTH).sqrt());
        let (below, above) = ((value - low) / std, (high - value) / std);
        let start = -below.min(reach);
        let first = if below <= reach { low } else { value + std * start };
        Panels { mode, start, first, width: (above.min(reach) - start) / PANELS as f64 }
    }

    /// The panel's distance from the mean and its density, at its beginning.
    fn begin(&self, panel: usize) -> (f64, f64) {
        let distance = self.start + panel as f64 * self.width;
        (self.mode + distance, relative(self.mode, distance))
    }

    /// Probability, relative, of a panel's part of this width.
    fn integral(z: f64, density: f64, width: f64) -> f64 {
        let sum: f64 = NODES
            .iter()
            .zip(WEIGHTS)
            .map(|(node, weight)| weight * relative(z, node * width))
            .sum();
        density * width * sum
    }

    /// Probability, relative, below the beginning of each panel, and in all.
    fn cumulative(&self) -> [f64; PANELS + 1] {
        let mut cumulative = [0.0; PANELS + 1];
        let mut sum = 0.0;
        for (panel, end) in cumulative[1..].iter_mut().enumerate() {
            let (z, density) = self.begin(panel);
            sum += Self::integral(z, density, self.width);
            *end = sum;
        }
        cumulative
    }

    /// Goes up to where the probability below is `target`; the distance from the start.
    fn advance(&self, at: &mut Position, cumulative: &[f64; PANELS + 1], target: f64) -> f64 {
        while at.panel + 1 < PANELS && cumulative[at.panel + 1] < target {
            *at = Position { panel: at.panel + 1, distance: 0.0 };
        }
        let (z, density) = self.begin(at.panel);
        let target = target - cumulative[at.panel];
        // Halley's method: no step leaves the panel, where the density hardly changes.
        for _ in 0..20 {
            let missing = target - Self::integral(z, density, at.distance);
            let step = missing / (density * relative(z, at.distance));
            let bend = (0.5 * step * (z + at.distance)).clamp(-0.5, 0.5);
            let next = (at.distance + step * (1.0 + bend)).clamp(0.0, self.width);
            let moved = (next - at.distance).abs();
            at.distance = next;
            if moved <= 1e-6 * next {
                break;
            }
        }
        at.panel as f64 * self.width + at.distance
    }

    /// Points of quadrature: distance from the mode and weight.
    fn points(&self) -> Vec<(f64, f64)> {
        let panel = |panel: usize| {
            let (z, density) = self.begin(panel);
            let begin = self.start + panel as f64 * self.width;
            NODES.iter().zip(WEIGHTS).map(move |(node, weight)| {
                let distance = node * self.width;
                (begin + distance, weight * density * relative(z, distance))
            })
        };
        (0..PANELS).flat_map(panel).collect()
    }
}

/// The density `distance` above z, relative to that at z.
fn relative(z: f64, distance: f64) -> f64 {
    exp(-distance * (z + 0.5 * distance))
}

#[cfg(test)]
#[path = "quantile_tests.rs"]
mod tests;
