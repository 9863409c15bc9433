//! Tails and moments of the normal, which goodness of fit hardly tests.

use std::f64::consts::PI;

use gpu_init::rand::rngs::Xoshiro256PlusPlus;
use gpu_init::rand::{Rng, SeedableRng};
use gpu_init::{Philox4x32, TensorSpec};

use crate::common::statistics::{self, Family};
use crate::{STANDARD, assert_close, fill, sized, tally};

/// The counts and sums that [`Tally::judge`] judges.
#[derive(Default)]
struct Tally {
    n: u64,
    /// Values by sign (positive first) and integer part of the magnitude.
    cells: [[u64; 7]; 2],
    /// Sums of the powers 1 to 8.
    powers: [f64; 8],
    largest: f32,
    /// Box-Muller pairs of two zeros, and zeros in other pairs.
    zero_pairs: u64,
    other_zeros: u64,
}

impl Tally {
    fn add(&mut self, values: &[f32]) {
        const LANES: usize = 4;
        let mut powers = [[0f64; LANES]; 8];
        for four in values.as_chunks::<LANES>().0 {
            let x = four.map(f64::from);
            let mut power = x;
            for (k, sums) in powers.iter_mut().enumerate() {
                if k > 0 {
                    power.iter_mut().zip(x).for_each(|(power, x)| *power *= x);
                }
                sums.iter_mut().zip(power).for_each(|(sum, power)| *sum += power);
            }
            for z in four {
                self.cells[usize::from(*z < 0.0)][z.abs() as usize] += 1;
                self.largest = self.largest.max(z.abs());
            }
            for pair in four.chunks(2) {
                match (pair[0] == 0.0, pair[1] == 0.0) {
                    (true, true) => self.zero_pairs += 1,
                    (false, false) => {}
                    _ => self.other_zeros += 1,
                }
            }
        }
        self.powers
            .iter_mut()
            .zip(powers)
            .for_each(|(sum, lanes)| *sum += lanes.iter().sum::<f64>());
        self.n += values.len() as u64;
    }

    fn merge(mut self, other: Tally) -> Tally {
        self.n += other.n;
        self.cells
            .as_flattened_mut()
            .iter_mut()
            .zip(other.cells.as_flattened())
            .for_each(|(a, b)| *a += b);
        self.powers.iter_mut().zip(other.powers).for_each(|(a, b)| *a += b);
        self.largest = self.largest.max(other.largest);
        self.zero_pairs += other.zero_pairs;
        self.other_zeros += other.other_zeros;
        self
    }

    /// Numbers of z > k and z < -k for k = 0 to 6, and the moments up to order 8.
    fn judge(&self) -> [Family; 2] {
        let n = self.n as f64;
        let mut tails = Family::new(format!("tails of {} normals", self.n));
        for (sign, cells) in ["z >", "z < -"].into_iter().zip(&self.cells) {
            for k in 0..cells.len() {
                let (count, p) =
                    (cells[k..].iter().sum::<u64>(), statistics::normal_tail(k as f64));
                let name = format!("{sign}{k} expected {:.1}", n * p);
                if n * p < 100.0 {
                    tails.add(name, count as f64, statistics::poisson_mid_p(count, n * p));
                } else {
                    let z = (count as f64 - n * p) / (n * p * (1.0 - p)).sqrt();
                    tails.add(name, count as f64, statistics::normal_tail(z));
                }
            }
        }
        // E z^k is 0 for odd k and (k - 1)!! for even k.
        let moment = |k: u32| {
            if k % 2 == 1 { 0.0 } else { (1..k).step_by(2).map(f64::from).product::<f64>() }
        };
        let scores = self.powers.iter().zip(1..).map(|(sum, k)| {
            let variance = moment(2 * k) - moment(k).powi(2);
            (format!("order {k}"), (sum / n - moment(k)) / (variance / n).sqrt())
        });
        let mut moments = Family::new(format!("moments of {} normals", self.n));
        scores.for_each(|(name, z)| moments.score(name, z));
        [tails, moments]
    }
}

/// Tail counts beyond 0 to 6 deviations on either side and moments up to order 8, of 5.4e8 values,
/// within sampling error; no value beyond sqrt(2 ln 2^32). A Box-Muller from 10 bits must fail
/// both.
#[test]
fn normal_tails_and_moments_are_right() {
    let n = sized(29);
    let tally = tally("tails", n, Tally::add, Tally::merge);
    assert_eq!(tally.n, n as u64);
    tally.judge().iter().for_each(Family::accept);
    println!("largest |z|: {}", tally.largest);
    assert!(f64::from(tally.largest) <= (2.0 * 32.0 * 2f64.ln()).sqrt() * (1.0 + 1e-7));

    // For one word u is 1 and both values of the pair are 0: all zeros come from it.
    assert_eq!(tally.other_zeros, 0);
    let expected = 0.5 * n as f64 * 2f64.powi(-32);
    let mut zeros = Family::new(format!("zero pairs, expected {expected:.1}"));
    zeros.add(
        "pairs",
        tally.zero_pairs as f64,
        statistics::poisson_mid_p(tally.zero_pairs, expected),
    );
    zeros.accept();

    let mut generator = Xoshiro256PlusPlus::seed_from_u64(42);
    let coarse: Vec<f32> = (0..1 << 19)
        .flat_map(|_| {
            let (u, v) = (generator.next_u32() >> 22, generator.next_u32() >> 22);
            let radius = (-2.0 * (f64::from(u + 1) / 1024.0).ln()).sqrt();
            let (sin, cos) = ((f64::from(v) + 0.5) / 1024.0 * 2.0 * PI).sin_cos();
            [(radius * cos) as f32, (radius * sin) as f32]
        })
        .collect();
    let mut tally = Tally::default();
    tally.add(&coarse);
    tally.judge().iter().for_each(Family::reject);
}

/// Where counts are too small to judge: the pairs of the smallest of 1.3e8 u, at most 2^12 2^-32,
/// have the norm sqrt(-2 ln u), at least 5.2, to a relative 1e-6.
#[test]
fn far_tails_are_exact() {
    let blocks = sized(26) as u64;
    let philox = Philox4x32::new(42, gpu_init::stream_of("far tails"));
    let whole = TensorSpec::new([4 * blocks as usize], STANDARD).name("far tails");
    let (mut seen, mut largest) = (0, 0f64);
    for (block, words) in (0..blocks).map(|block| (block, philox.block(block))) {
        for (word, first) in [(words[0], 4 * block), (words[2], 4 * block + 2)] {
            // The specification: u is (n + 1) 2^-32.
            let n = word.rotate_right(23);
            if n < 1 << 12 {
                let pair: Vec<f32> = fill(&whole.clone().elements(first..first + 2));
                let norm = f64::from(pair[0]).hypot(f64::from(pair[1]));
                assert_close(norm, (-2.0 * (f64::from(n + 1) / 2f64.powi(32)).ln()).sqrt(), 1e-6);
                (seen, largest) = (seen + 1, largest.max(norm));
            }
        }
    }
    println!("{seen} pairs in the far tail, the largest norm {largest}");
    assert!(seen > 0);
}
