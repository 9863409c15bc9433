//! The values follow their laws and depend on nothing: goodness of fit, tails and moments, independence
//! within and between tensors, rounding, and the spread that Xavier prescribes.
//!
//! Seeds and streams are fixed, so every figure is the same on every machine. A family of p-values stands
//! if none is outside (1e-4 / m, 1 - 1e-4 / m), m being its size: see [`statistics::ALPHA`]. Wrong laws follow
//! that the same statistics must reject. `cargo test --release --test distribution -- --nocapture` shows the
//! figures; without optimization the samples are a 64th.

mod common;

use std::f64::consts::PI;
use std::thread;

use common::statistics::{self, Family};
use gpu_init::half::{bf16, f16};
use gpu_init::rand::rngs::Xoshiro256PlusPlus;
use gpu_init::rand::{Rng, SeedableRng};
use gpu_init::{Cpu, DType, Distribution as Law, Element, Initializer, Layout, Parameter, Philox4x32};
use rand_distr::{Distribution, StandardNormal};

/// 2^log2, or a 64th of it in an unoptimized build.
const fn sized(log2: u32) -> usize {
    1 << if cfg!(debug_assertions) { log2 - 6 } else { log2 }
}

const STANDARD: Initializer = Initializer::Normal { mean: 0.0, std: 1.0 };

/// `n` standard normals, different ones for each name.
fn normals(name: &str, n: usize) -> Vec<f32> {
    fill(&Parameter::new([n], STANDARD).name(name))
}

/// A parameter's values, with seed 42 unless it has its own.
fn fill<T: Element>(parameter: &Parameter) -> Vec<T> {
    let mut values = vec![T::round(0.0); parameter.resolve(0, 0).unwrap().len as usize];
    Cpu::with_seed(42).fill_into(parameter, &mut values).unwrap();
    values
}

fn uniform_cdf(low: f64, high: f64) -> impl Fn(f64) -> f64 {
    move |x| ((x - low) / (high - low)).clamp(0.0, 1.0)
}

fn normal_cdf(mean: f64, std: f64) -> impl Fn(f64) -> f64 {
    move |x| statistics::normal_cdf((x - mean) / std)
}

#[track_caller]
fn assert_close(actual: f64, expected: f64, tolerance: f64) {
    assert!((actual / expected - 1.0).abs() <= tolerance, "{actual:e} instead of {expected:e}");
}

/// The functions behind the p-values against values computed with 100 digits, to a relative 1e-12.
#[test]
fn statistics_agree_with_reference_values() {
    for (x, expected) in [
        (0.1, 0.887_537_083_981_715_2),
        (0.5, 0.479_500_122_186_953_5),
        (1.0, 0.157_299_207_050_285_13),
        (2.0, 4.677_734_981_047_266e-3),
        (2.4, 6.885_138_966_450_786e-4),
        (2.6, 2.360_344_165_293_492e-4),
        (3.0, 2.209_049_699_858_544e-5),
        (5.0, 1.537_459_794_428_035e-12),
        (10.0, 2.088_487_583_762_545e-45),
        (26.0, 5.663_192_408_856_143e-296),
    ] {
        assert_close(statistics::erfc(x), expected, 1e-12);
        assert_close(statistics::erfc(-x), 2.0 - expected, 1e-15);
    }
    assert_eq!(statistics::normal_cdf(0.0), 0.5);
    assert_close(statistics::normal_tail(3.0), 1.349_898_031_630_094_5e-3, 1e-12);
    assert_close(statistics::normal_quantile(0.975), 1.959_963_984_540_054, 1e-12);

    for (x, expected) in [
        (0.5, 0.572_364_942_924_700_1),
        (1.5, -0.120_782_237_635_245_22),
        (10.0, 12.801_827_480_081_469),
        (32_768.0, 307_923.422_526_046_05),
    ] {
        assert_close(statistics::ln_gamma(x), expected, 1e-13);
    }
    for (x, df, expected) in [
        (3.0, 2, 0.223_130_160_148_429_8),
        (18.307_038_053_275_146, 10, 0.05),
        (200.0, 256, 0.996_005_379_705_964_4),
        (256.0, 256, 0.488_245_549_095_877_1),
        (350.0, 256, 8.442_998_404_073_936e-5),
        (64_000.0, 65_536, 0.999_990_417_448_989_1),
        (65_536.0, 65_536, 0.499_265_378_021_881_4),
        (67_000.0, 65_536, 2.961_216_155_856_258e-5),
    ] {
        // The logarithms of numbers as large as 65536! cost digits.
        assert_close(statistics::chi_square_tail(x, df), expected, 1e-9);
    }
    let (none, six_or_more) = (0.122_456_428_252_981_9, 1.0 - 0.979_550_919_910_366_6);
    assert_close(statistics::poisson_mid_p(0, 2.1), 1.0 - 0.5 * none, 1e-12);
    let five = none * 2.1f64.powi(5) / 120.0;
    assert_close(statistics::poisson_mid_p(5, 2.1), six_or_more + 0.5 * five, 1e-12);
    for (x, expected) in [
        (0.3, 0.999_990_694_198_665_5),
        (0.5, 0.963_945_243_664_875_1),
        (0.827_573_555_189_907_7, 0.5),
        (1.0, 0.269_999_671_677_354_5),
        (1.358_098_639_322_550_7, 0.05),
        (3.0, 3.045_995_948_942_526e-8),
    ] {
        assert_close(statistics::kolmogorov_tail(x), expected, 1e-12);
    }
}

/// Kolmogorov-Smirnov: 3.3e7 values each of three normal laws against the exact distribution function. What
/// it must reject: a deviation 0.2% off, a mean off by 0.17% of it, and, at the right deviation, a law
/// truncated at 2 and the sum of two uniforms.
#[test]
fn normal_values_follow_the_normal_law() {
    let n = sized(25);
    let [rows, columns] = [1 << 10, n >> 10];
    let xavier_std = (2.0 / (rows + columns) as f64).sqrt();
    let mut family = Family::new("KS of normals");
    for (name, parameter, mean, std) in [
        ("N(0, 1)", Parameter::new([n], STANDARD), 0.0, 1.0),
        ("N(3, 4)", Parameter::new([n], Initializer::Normal { mean: 3.0, std: 2.0 }), 3.0, 2.0),
        ("xavier normal", Parameter::xavier_normal([rows, columns]), 0.0, xavier_std),
    ] {
        let mut values = fill(&parameter.name(name));
        family.kolmogorov_smirnov(name, statistics::kolmogorov_smirnov(&mut values, normal_cdf(mean, std)));
        // In sampling errors, so that a smaller sample has to see no smaller a deviation.
        let error = 1.0 / (n as f64).sqrt();
        for (wrong, mean, std) in
            [("std 0.2% off", mean, std * (1.0 + 12.0 * error)), ("mean 0.17% off", mean + 10.0 * error * std, std)]
        {
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
    let uniforms = Parameter::new([sized(22), 2], Initializer::Uniform { a: -bound, b: bound }).name("sum");
    let mut sums: Vec<f32> = fill(&uniforms).chunks(2).map(|pair| pair.iter().sum()).collect();
    reject_fit("sum of two uniforms", &mut sums, normal_cdf(0.0, 1.0));
}

/// Kolmogorov-Smirnov must reject this law for this sample.
fn reject_fit(name: &str, sample: &mut [f32], cdf: impl Fn(f64) -> f64) {
    let mut family = Family::new(name);
    family.kolmogorov_smirnov("KS", statistics::kolmogorov_smirnov(sample, cdf));
    family.reject();
}

/// Kolmogorov-Smirnov: 3.3e7 values each of three uniform laws; their ends are approached, not passed.
/// A width 0.14% off must be rejected.
#[test]
fn uniform_values_follow_the_uniform_law() {
    let n = sized(25);
    let [rows, columns] = [1 << 10, n >> 10];
    let xavier_bound = (6.0 / (rows + columns) as f64).sqrt();
    let mut family = Family::new("KS of uniforms");
    for (name, parameter, low, high) in [
        ("U(0, 1)", Parameter::new([n], Initializer::Uniform { a: 0.0, b: 1.0 }), 0.0, 1.0),
        ("U(-3, 7)", Parameter::new([n], Initializer::Uniform { a: -3.0, b: 7.0 }), -3.0, 7.0),
        ("xavier uniform", Parameter::xavier_uniform([rows, columns]), -xavier_bound, xavier_bound),
    ] {
        let mut values = fill(&parameter.name(name));
        family.kolmogorov_smirnov(name, statistics::kolmogorov_smirnov(&mut values, uniform_cdf(low, high)));
        // Sorted now. Both ends miss by an exponential with mean 1/n of the width: by 20 of it once in e^20.
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

/// Two-sample Kolmogorov-Smirnov: 1.6e7 values against as many that rand_distr draws by its ziggurat
/// from another generator, and against those that it draws from [`Philox4x32`], which are normal too.
/// A deviation 0.4% off must be rejected.
#[test]
fn normal_values_are_those_of_rand_distr() {
    fn draw(n: usize, mut generator: impl Rng) -> Vec<f32> {
        (0..n).map(|_| StandardNormal.sample(&mut generator)).collect()
    }
    let n = sized(24);
    let mut ours = normals("two samples", n);
    let mut xoshiro = draw(n, Xoshiro256PlusPlus::seed_from_u64(42));
    let mut philox = draw(n, Philox4x32::new(42, gpu_init::stream_of("rand_distr")));
    let mut family = Family::new("KS with rand_distr");
    let mut compare = |name: &str, ks| family.kolmogorov_smirnov(name, ks);
    compare("xoshiro256++, philox ziggurat", statistics::kolmogorov_smirnov_two(&mut xoshiro, &mut philox));
    compare("box-muller, xoshiro256++", statistics::kolmogorov_smirnov_two(&mut ours, &mut xoshiro));
    compare("box-muller, philox ziggurat", statistics::kolmogorov_smirnov_two(&mut ours, &mut philox));
    compare("philox ziggurat, exact", statistics::kolmogorov_smirnov(&mut philox, statistics::normal_cdf));
    family.accept();

    let factor = (1.0 + 12.0 / (0.5 * n as f64).sqrt()) as f32;
    ours.iter_mut().for_each(|z| *z *= factor);
    let mut family = Family::new("std 0.4% off");
    family.kolmogorov_smirnov("KS", statistics::kolmogorov_smirnov_two(&mut ours, &mut xoshiro));
    family.reject();
}

/// What [`Tally::judge`] looks at.
#[derive(Default)]
struct Tally {
    n: u64,
    /// Values by sign (positive first) and integer part of the magnitude.
    cells: [[u64; 7]; 2],
    /// Sums of the powers 1 to 8.
    powers: [f64; 8],
    largest: f32,
    /// Box-Muller pairs of which both are zero, and zeros in other pairs.
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
        self.powers.iter_mut().zip(powers).for_each(|(sum, lanes)| *sum += lanes.iter().sum::<f64>());
        self.n += values.len() as u64;
    }

    fn merge(mut self, other: Tally) -> Tally {
        self.n += other.n;
        self.cells.as_flattened_mut().iter_mut().zip(other.cells.as_flattened()).for_each(|(a, b)| *a += b);
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
                let (count, p) = (cells[k..].iter().sum::<u64>(), statistics::normal_tail(k as f64));
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
        let moment = |k: u32| if k % 2 == 1 { 0.0 } else { (1..k).step_by(2).map(f64::from).product::<f64>() };
        let scores = self.powers.iter().zip(1..).map(|(sum, k)| {
            let variance = moment(2 * k) - moment(k).powi(2);
            (format!("order {k}"), (sum / n - moment(k)) / (variance / n).sqrt())
        });
        let mut moments = Family::new(format!("moments of {} normals", self.n));
        scores.for_each(|(name, z)| moments.score(name, z));
        [tails, moments]
    }
}

/// Tail counts beyond 0 to 6 deviations on either side and moments up to order 8, of 5.4e8 values, within
/// sampling error; no value beyond sqrt(2 ln 2^32). A Box-Muller from 10 bits must fail both.
#[test]
fn normal_tails_and_moments_are_right() {
    let n = sized(29);
    let part = 1 << 20;
    let tally = |thread: usize, threads: usize| {
        let (cpu, mut values) = (Cpu::with_seed(42), vec![0f32; part.min(n / threads)]);
        let mut tally = Tally::default();
        let whole = Parameter::new([n], STANDARD).name("tails");
        for first in (0..n).step_by(values.len()).skip(thread).step_by(threads) {
            cpu.fill_into(&whole.clone().elements(first as u64..(first + values.len()) as u64), &mut values).unwrap();
            tally.add(&values);
        }
        tally
    };
    let threads = 2;
    let tally = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || tally(thread, threads))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).fold(Tally::default(), Tally::merge)
    });
    assert_eq!(tally.n, n as u64);
    tally.judge().iter().for_each(Family::accept);
    println!("largest |z|: {}", tally.largest);
    assert!(f64::from(tally.largest) <= (2.0 * 32.0 * 2f64.ln()).sqrt() * (1.0 + 1e-7));

    // u = (word + 1) 2^-32 is 1, and both values of the pair are 0, for the last word: all zeros come
    // from there.
    assert_eq!(tally.other_zeros, 0);
    let expected = 0.5 * n as f64 * 2f64.powi(-32);
    let mut zeros = Family::new(format!("zero pairs, expected {expected:.1}"));
    zeros.add("pairs", tally.zero_pairs as f64, statistics::poisson_mid_p(tally.zero_pairs, expected));
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

/// Where too few values fall for counts to show it: the pairs of the smallest of 1.3e8 radius words w, below
/// 2^12, have the norm sqrt(-2 ln((w + 1) 2^-32)), from 5.2 on, to a relative 1e-6.
#[test]
fn far_tails_are_exact() {
    let blocks = sized(26) as u64;
    let philox = Philox4x32::new(42, gpu_init::stream_of("far tails"));
    let whole = Parameter::new([4 * blocks as usize], STANDARD).name("far tails");
    let (mut seen, mut largest) = (0, 0f64);
    for (block, words) in (0..blocks).map(|block| (block, philox.block(block))) {
        for (word, first) in [(words[0], 4 * block), (words[2], 4 * block + 2)] {
            if word < 1 << 12 {
                let pair: Vec<f32> = fill(&whole.clone().elements(first..first + 2));
                let norm = f64::from(pair[0]).hypot(f64::from(pair[1]));
                assert_close(norm, (-2.0 * (f64::from(word + 1) / 2f64.powi(32)).ln()).sqrt(), 1e-6);
                (seen, largest) = (seen + 1, largest.max(norm));
            }
        }
    }
    println!("{seen} pairs in the far tail, the largest norm {largest}");
    assert!(seen > 0);
}

/// Chi-square of the words that `block(i)` gives for i = 0, 1, 2..., word by word of the block: the bytes,
/// the upper bytes of successive words, and the share of ones in each bit.
fn judge_words(name: &str, blocks: usize, mut block: impl FnMut(u64) -> [u32; 4]) -> [Family; 3] {
    let mut bytes = vec![[[0u64; 256]; 4]; 4];
    let mut pairs = vec![vec![0u64; 1 << 16]; 4];
    let mut next = block(0);
    for i in 0..blocks as u64 {
        let words = next;
        next = block(i + 1);
        for (j, word) in words.into_iter().enumerate() {
            for (counts, byte) in bytes[j].iter_mut().zip(word.to_le_bytes()) {
                counts[usize::from(byte)] += 1;
            }
            // The last word is followed by the next block's first. Four sets of pairs that do not overlap.
            let following = if j < 3 { words[j + 1] } else { next[0] };
            pairs[j][(word >> 16 & 0xff00 | following >> 24) as usize] += 1;
        }
    }
    let (mut of_bytes, mut of_pairs) = (Family::new(format!("bytes, {name}")), Family::new(format!("pairs, {name}")));
    let mut scores = Vec::new();
    for j in 0..4 {
        of_pairs.uniform_counts(format!("word {j}"), &pairs[j]);
        for (k, counts) in bytes[j].iter().enumerate() {
            of_bytes.uniform_counts(format!("word {j} byte {k}"), counts);
            for bit in 0..8 {
                let ones: u64 = (0..256).filter(|byte| byte >> bit & 1 == 1).map(|byte| counts[byte]).sum();
                let z = (2.0 * ones as f64 - blocks as f64) / (blocks as f64).sqrt();
                scores.push((format!("word {j} bit {}", 8 * k + bit), z));
            }
        }
    }
    [of_bytes, of_pairs, Family::of_scores(format!("bits, {name}"), scores)]
}

/// 6.7e7 words of one stream: chi-square of each byte (256 cells) and of the upper bytes of successive
/// words (65536 cells), and the balance of each bit. A linear congruential generator must fail.
#[test]
fn philox_words_are_uniform() {
    let philox = Philox4x32::new(42, gpu_init::stream_of("words"));
    judge_words("philox", sized(24), |i| philox.block(i)).iter().for_each(Family::accept);

    let mut state = 0u32;
    let congruential = |_| {
        std::array::from_fn(|_| {
            state = state.wrapping_mul(5).wrapping_add(1);
            state
        })
    };
    judge_words("congruential", sized(20), congruential).iter().for_each(Family::reject);
}

/// The same of the first block of many tensors: over streams, seeds, and both where only the upper half
/// counts, 1.7e7 words each; what a model of many small tensors draws.
#[test]
fn first_words_of_tensors_are_uniform() {
    let first = |seed, stream| Philox4x32::new(seed, stream).block(0);
    for families in [
        judge_words("streams", sized(22), |i| first(42, i)),
        judge_words("seeds", sized(22), |i| first(i, 0)),
        judge_words("upper halves of streams", sized(22), |i| first(42, i << 32)),
        judge_words("upper halves of seeds", sized(22), |i| first(i << 32, 0)),
        judge_words("equal seeds and streams", sized(22), |i| first(i, i)),
    ] {
        families.iter().for_each(Family::accept);
    }
}

/// Strict avalanche: each of the 192 bits of position, stream and seed flips each of the 128 bits of the
/// block in half of 16384 cases.
#[test]
fn every_bit_of_the_input_flips_half_of_the_output() {
    let cases = sized(14);
    let mut inputs = Xoshiro256PlusPlus::seed_from_u64(42);
    let mut flips = vec![[0u32; 128]; 192];
    for _ in 0..cases {
        let input: [u64; 3] = std::array::from_fn(|_| inputs.next_u64());
        let block = |[index, stream, seed]: [u64; 3]| {
            let words = Philox4x32::new(seed, stream).block(index);
            words.iter().rev().fold(0u128, |bits, &word| bits << 32 | u128::from(word))
        };
        let output = block(input);
        for (i, counts) in flips.iter_mut().enumerate() {
            let mut changed = input;
            changed[i / 64] ^= 1 << (i % 64);
            let difference = output ^ block(changed);
            counts.iter_mut().enumerate().for_each(|(j, count)| *count += (difference >> j & 1) as u32);
        }
    }
    let scores = flips.iter().enumerate().flat_map(|(i, counts)| {
        counts.iter().enumerate().map(move |(j, &count)| {
            let z = (2.0 * f64::from(count) - cases as f64) / (cases as f64).sqrt();
            (format!("{} bit {} to bit {j}", ["index", "stream", "seed"][i / 64], i % 64), z)
        })
    });
    Family::of_scores("avalanche", scores).accept();
}

/// A function of a standard normal.
type View = (&'static str, fn(f32) -> f32);

/// Views of a standard normal, each with mean 0 and deviation 1: dependence that one does not show another
/// may.
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
    let scores = lags.map(|lag| (format!("lag {lag}"), correlation(&values[..values.len() - lag], &values[lag..])));
    Family::of_scores(format!("{}s, {name}", function.0), scores)
}

/// Correlations of every view of one with every view of the other of each Box-Muller pair.
fn judge_pairs(name: &str, values: &[f32]) -> Family {
    let (first, second): (Vec<f32>, Vec<f32>) = values.as_chunks().0.iter().map(|&[a, b]| (a, b)).unzip();
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

/// Chi-square on a grid of `cells` equally likely cells an axis of the points whose coordinates are `D`
/// successive values; one sum for each place in a block that points start at, none overlapping another.
fn judge_grid<const D: usize>(name: &str, cells: usize, values: &[f32]) -> Family {
    let edges: Vec<f32> = (1..cells).map(|i| statistics::normal_quantile(i as f64 / cells as f64) as f32).collect();
    let indices: Vec<u8> = values.iter().map(|z| edges.partition_point(|edge| edge <= z) as u8).collect();
    let mut family = Family::new(format!("{D} dimensions, {name}"));
    for start in 0..4 {
        let mut counts = vec![0; cells.pow(D as u32)];
        for point in indices[start..].chunks(4.max(D)).filter(|point| point.len() >= D) {
            counts[point[..D].iter().fold(0, |cell, &index| cell * cells + usize::from(index))] += 1;
        }
        family.uniform_counts(format!("from value {start} of a block"), &counts);
    }
    family
}

/// Each value follows the one before it a little: correlation `strength / sqrt(n)`.
fn moving_average(values: &[f32], strength: f64) -> Vec<f32> {
    let weight = (strength / (values.len() as f64).sqrt()) as f32;
    std::iter::once(values[0]).chain(values.windows(2).map(|pair| pair[1] + weight * pair[0])).collect()
}

/// Each value's deviation follows the square of the one before it a little (ARCH, Engle 1982): the values
/// are uncorrelated, their squares are not.
fn volatile(values: &[f32], strength: f64) -> Vec<f32> {
    let weight = (strength / (values.len() as f64).sqrt()) as f32;
    let follow = |pair: &[f32]| pair[1] * (1.0 + weight * (pair[0] * pair[0] - 1.0));
    std::iter::once(values[0]).chain(values.windows(2).map(follow)).collect()
}

/// No correlation between the values, magnitudes, squares and signs of neighbours in 1.7e7 values, at 21
/// lags and within Box-Muller pairs, to 5 sampling errors or so. A moving average must fail, and ARCH in
/// the squares though not in the values.
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

/// Independence of successive values, not only no correlation: chi-square of 3.3e7 values as points in two
/// dimensions (64 x 64 cells), three (16^3) and four (8^4). A moving average and ARCH must fail.
#[test]
fn successive_values_are_independent() {
    let values = normals("grid", sized(25));
    judge_grid::<2>("normals", 64, &values).accept();
    judge_grid::<3>("normals", 16, &values).accept();
    judge_grid::<4>("normals", 8, &values).accept();

    judge_grid::<2>("moving average", 64, &moving_average(&values, 100.0)).reject();
    judge_grid::<2>("ARCH", 64, &volatile(&values, 100.0)).reject();
}

/// No correlation between tensors of 10^6 (or, for single bits, 2.6e5) values whose streams, names or seeds
/// differ in the least, nor between any two of 32, nor if shifted. A tensor with 2% of another added must fail.
#[test]
fn tensors_are_uncorrelated() {
    let judge = |name: &str, pairs: &[(String, [Parameter; 2])]| {
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
    };
    let parameter = |n: usize| Parameter::new([n], STANDARD);
    let successive = |make: &dyn Fn(u64) -> Parameter| -> Vec<_> {
        (0..32).map(|i| (format!("{i} and {}", i + 1), [make(i), make(i + 1)])).collect()
    };
    let n = sized(20);
    judge("streams", &successive(&|i| parameter(n).stream(i)));
    judge("names", &successive(&|i| parameter(n).name(&format!("layers.{i}.weight"))));
    judge("seeds", &successive(&|i| parameter(n).seed(i).stream(0)));
    // Philox's seed and stream enter the same rounds: neither may stand in for the other.
    let swapped = |i: u64| [parameter(n).seed(i).stream(i + 1), parameter(n).seed(i + 1).stream(i)];
    judge("swapped seeds and streams", &(0..32).map(|i| (i.to_string(), swapped(i))).collect::<Vec<_>>());

    let bits = |make: &dyn Fn(u64) -> Parameter| -> Vec<_> {
        (0..64).map(|bit| (format!("bit {bit}"), [make(0), make(1 << bit)])).collect()
    };
    let n = sized(18);
    judge("seeds one bit apart", &bits(&|bit| parameter(n).seed(42 ^ bit).stream(0)));
    judge("streams one bit apart", &bits(&|bit| parameter(n).stream(7 ^ bit)));
    // Blocks whose indices differ in one bit: ranges of one tensor, as far as 2^60 elements apart.
    let far = |bit: u64| Parameter::new([1 << 31, 1 << 30], STANDARD).name("far").elements(4 * bit..4 * bit + n as u64);
    let distances: Vec<_> = (16..59).map(|bit| (format!("4 x 2^{bit}"), [far(0), far(1 << bit)])).collect();
    judge("distant parts", &distances);

    let all: Vec<_> = (0..32).map(|i| (i, fill::<f32>(&parameter(n).stream(i)))).collect();
    let pairs = || all.iter().flat_map(|a| all[..a.0 as usize].iter().map(move |b| (a, b)));
    for function in VIEWS {
        let views: Vec<_> = all.iter().map(|(_, values)| view(values, function)).collect();
        let scores = pairs()
            .map(|(a, b)| (format!("{} and {}", b.0, a.0), correlation(&views[a.0 as usize], &views[b.0 as usize])));
        Family::of_scores(format!("{}s between any of 32 streams", function.0), scores).accept();
    }

    // Nor are successive ones parts of one sequence.
    let seeds: Vec<_> = (0..32).map(|i| (i, fill::<f32>(&parameter(n).stream(0).seed(i)))).collect();
    for (name, tensors) in [("streams", &all), ("seeds", &seeds)] {
        let scores = tensors.windows(2).flat_map(|pair| {
            let [(i, a), (_, b)] = [&pair[0], &pair[1]];
            let ahead = (1..=16).map(move |lag| (format!("{i} by {lag}"), correlation(&a[lag..], b)));
            ahead.chain((1..=16).map(move |lag| (format!("{i} by -{lag}"), correlation(a, &b[lag..]))))
        });
        Family::of_scores(format!("values of shifted {name}"), scores).accept();
    }

    let weight = (12.0 / (n as f64).sqrt()) as f32;
    let mixed: Vec<f32> = all[0].1.iter().zip(&all[1].1).map(|(a, b)| a + weight * b).collect();
    Family::of_scores("leaking stream", [("0 and 1".into(), correlation(&mixed, &all[1].1))]).reject();
}

/// The first elements of 10^6 tensors that differ in stream, name or seed are a normal sample too:
/// Kolmogorov-Smirnov and correlations as above, of 4.2e6 values each.
#[test]
fn first_elements_of_tensors_are_independent() {
    let first = Parameter::new([4], STANDARD);
    let judge = |name: &str, tensor: &dyn Fn(u64) -> Parameter| {
        let (cpu, mut values) = (Cpu::with_seed(42), vec![0f32; 4 * sized(20)]);
        for (values, i) in values.as_chunks_mut::<4>().0.iter_mut().zip(0..) {
            cpu.fill_into(&tensor(i), values).unwrap();
        }
        for view in VIEWS {
            judge_lags(name, view, &values).accept();
        }
        judge_grid::<2>(name, 16, &values).accept();
        let mut family = Family::new(format!("KS, {name}"));
        family.kolmogorov_smirnov("all", statistics::kolmogorov_smirnov(&mut values, statistics::normal_cdf));
        family.accept();
    };
    judge("first of streams", &|i| first.clone().stream(i));
    judge("first of names", &|i| first.clone().name(&format!("layers.{i}.weight")));
    judge("first of seeds", &|i| first.clone().stream(0).seed(i));
    judge("first of upper halves of seeds", &|i| first.clone().stream(0).seed(i << 32));
}

/// f16 and bf16 values are, to the bit, the f32 values of the same parameter rounded by `half` to nearest
/// even: 4.2e6 values of each of 9 laws for f16, from its smallest spread, where most values are subnormal, to
/// its largest, and of 10 for bf16. Ties are among them.
#[test]
fn halves_are_floats_rounded_to_nearest_even() {
    #[derive(Default)]
    struct Seen {
        values: usize,
        subnormals: usize,
        ties: usize,
        away_from_zero: usize,
    }
    /// `dropped` is how many low bits of an f32's significand a normal value of T loses.
    fn compare<T: Element>(laws: &[Parameter], dropped: u32, least: f32, round: fn(f32) -> T) -> Seen {
        let mut seen = Seen::default();
        for parameter in laws {
            let parameter = parameter.clone().name("rounding");
            let (halves, floats) = (fill::<T>(&parameter), fill::<f32>(&parameter));
            assert_eq!(halves.len(), floats.len());
            for (half, float) in halves.into_iter().zip(floats) {
                let expected = round(float);
                assert_eq!(half.bits(), expected.bits(), "{float:e} became {half:?} in {parameter:?}");
                seen.values += 1;
                seen.subnormals += usize::from(half.widen() != 0.0 && half.widen().abs() < least);
                seen.ties += usize::from(float.abs() >= least && float.to_bits() << (32 - dropped) == 0x8000_0000);
                seen.away_from_zero += usize::from(half.widen().abs() > float.abs());
            }
        }
        seen
    }
    let n = sized(22);
    let shape = [1 << 8, n >> 8];
    let law = |initializer| Parameter::new(shape, initializer);
    let normal = |mean, std| law(Initializer::Normal { mean, std });
    let uniform = |a, b| law(Initializer::Uniform { a, b });
    let xavier = || [law(Initializer::XAVIER_NORMAL), law(Initializer::XAVIER_UNIFORM)];
    let least = 2f64.powi(-14);
    let in_f16 = [
        normal(0.0, least),
        normal(least, 2.0 * least),
        normal(0.0, 0.001),
        normal(0.0, 9800.0),
        normal(0.02, 0.02),
        uniform(-least, least),
        uniform(-65504.0, 65504.0),
    ];
    let seen = compare(&[&in_f16[..], &xavier()].concat(), 13, f16::MIN_POSITIVE.to_f32(), f16::from_f32);
    let Seen { values, subnormals, ties, away_from_zero } = seen;
    println!("f16: {values} values, {subnormals} subnormal, {ties} ties, {away_from_zero} away from zero");
    assert!(subnormals > values / 10 && ties > values / 100_000);
    // Truncation would be told apart by half of them.
    assert!(away_from_zero > values / 3);

    let in_bf16 = [
        normal(0.0, 2f64.powi(-86)),
        normal(0.0, 1e-20),
        normal(0.0, 0.02),
        normal(0.02, 0.02),
        normal(1e3, 1e-3),
        normal(0.0, 1e37),
        uniform(0.0, 1.0),
        uniform(-3e38, 3e38),
    ];
    let seen = compare(&[&in_bf16[..], &xavier()].concat(), 16, f32::MIN_POSITIVE, bf16::from_f32);
    let Seen { values, ties, away_from_zero, .. } = seen;
    println!("bf16: {values} values, {ties} ties, {away_from_zero} away from zero");
    assert!(ties > values / 1_000_000 && away_from_zero > values / 3);
}

/// The element type changes neither the stream of a call nor that of the next: exact.
#[test]
fn element_types_share_the_stream() {
    let parameter = Parameter::xavier_normal([129, 65]);
    for types in [[DType::F32, DType::F16, DType::BF16], [DType::BF16, DType::F32, DType::F16]] {
        let cpu = Cpu::with_seed(42);
        for (stream, dtype) in types.into_iter().enumerate() {
            let tensor = cpu.fill(&parameter.clone().dtype(dtype)).unwrap();
            let floats = fill::<f32>(&parameter.clone().stream(stream as u64));
            let rounded: Vec<f32> = match dtype {
                DType::F32 => floats,
                DType::F16 => floats.into_iter().map(|value| f16::from_f32(value).to_f32()).collect(),
                DType::BF16 => floats.into_iter().map(|value| bf16::from_f32(value).to_f32()).collect(),
            };
            assert!(tensor.to_f32() == rounded, "{dtype} on stream {stream}");
        }
    }
}

/// Mean and deviation of both Xavier initializers on 4.2e6 values of each shape against sqrt(2 / (fan_in +
/// fan_out)), the fans written by hand from `torch.nn.init._calculate_fan_in_and_fan_out` (size 1 and size 0
/// times all further ones) and `keras.initializers.compute_fans` (the last but one and the last times all
/// before). The other layout's deviation must be rejected where it differs.
#[test]
fn xavier_has_the_spread_of_the_fans() {
    #[derive(Clone, Copy)]
    enum Rule {
        Torch,
        Keras,
    }
    use Rule::{Keras, Torch};
    let layout = |rule| match rule {
        Torch => Layout::OutInKernel,
        Keras => Layout::KernelInOut,
    };
    let table: [(&str, &[usize], Rule, u64, u64); 18] = [
        ("Linear(300, 100)", &[100, 300], Torch, 300, 100),
        ("Linear(768, 50257)", &[50257, 768], Torch, 768, 50257),
        ("Linear(1, 1000)", &[1000, 1], Torch, 1, 1000),
        ("Conv1d(128, 256, 3)", &[256, 128, 3], Torch, 384, 768),
        ("Conv2d(3, 64, 7)", &[64, 3, 7, 7], Torch, 147, 3136),
        ("Conv2d(256, 512, 1)", &[512, 256, 1, 1], Torch, 256, 512),
        ("Conv2d(96, 96, 7, groups=96)", &[96, 1, 7, 7], Torch, 49, 4704),
        ("ConvTranspose2d(64, 32, 4)", &[64, 32, 4, 4], Torch, 512, 1024),
        ("Conv3d(8, 16, (3, 5, 7))", &[16, 8, 3, 5, 7], Torch, 840, 1680),
        ("Dense(100)", &[300, 100], Keras, 300, 100),
        ("GPT-2 Conv1D(2304, 768)", &[768, 2304], Keras, 768, 2304),
        ("Conv1D(256, 3)", &[3, 128, 256], Keras, 384, 768),
        ("Conv2D(64, 7)", &[7, 7, 3, 64], Keras, 147, 3136),
        ("Conv2D(512, 1)", &[1, 1, 256, 512], Keras, 256, 512),
        ("Conv2DTranspose(32, 4)", &[4, 4, 32, 64], Keras, 512, 1024),
        ("DepthwiseConv2D(3)", &[3, 3, 96, 1], Keras, 864, 9),
        ("Conv3D(16, (3, 5, 7))", &[3, 5, 7, 8, 16], Keras, 840, 1680),
        ("MultiHeadAttention(8, 64)", &[512, 8, 64], Keras, 4096, 32768),
    ];
    for (law, initializer, kurtosis) in
        [("xavier normal", Initializer::XAVIER_NORMAL, 3.0), ("xavier uniform", Initializer::XAVIER_UNIFORM, 1.8)]
    {
        let mut scores = Vec::new();
        let mut told_apart = 0;
        for (layer, shape, rule, fan_in, fan_out) in table {
            let parameter = Parameter::new(shape, initializer).layout(layout(rule));
            assert_eq!(layout(rule).fans(parameter.shape()), Some((fan_in, fan_out)), "{layer}");
            let expected = (2.0 / (fan_in + fan_out) as f64).sqrt();
            // The number that the values are multiplied by, rounded once to f32.
            match parameter.resolve(42, 0).unwrap().distribution {
                Law::Normal { mean, std, .. } => assert_eq!((mean, std), (0.0, expected as f32), "{layer}"),
                Law::Uniform { mean, bound, .. } => {
                    assert_eq!(mean, 0.0, "{layer}");
                    assert_close(bound.into(), (6.0 / (fan_in + fan_out) as f64).sqrt(), 6.1e-8);
                }
                _ => panic!("{layer} is constant"),
            }

            // As many tensors of it as make a good estimate.
            let size: usize = shape.iter().product();
            let tensors = sized(22).div_ceil(size);
            let (mut sum, mut squares) = (0.0, 0.0);
            for i in 0..tensors {
                let values: Vec<f32> = fill(&parameter.clone().name(&format!("{law} {layer} {i}")));
                assert_eq!(values.len(), size);
                sum += values.iter().map(|&x| f64::from(x)).sum::<f64>();
                squares += values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
            }
            let n = (tensors * size) as f64;
            let std_score = |std: f64| ((squares / n).sqrt() / std - 1.0) / ((kurtosis - 1.0) / (4.0 * n)).sqrt();
            scores.push((format!("mean of {layer}"), sum / n / (expected / n.sqrt())));
            scores.push((format!("std of {layer}"), std_score(expected)));

            let other = match rule {
                Torch => Keras,
                Keras => Torch,
            };
            let (fan_in, fan_out) = layout(other).fans(parameter.shape()).unwrap();
            let wrong = (2.0 / (fan_in + fan_out) as f64).sqrt();
            if wrong != expected {
                assert!(std_score(wrong).abs() > 10.0, "{layer} has the spread of either layout");
                told_apart += 1;
            }
        }
        Family::of_scores(format!("spread of {law}"), scores).accept();
        // All but those with two dimensions, whose fans only change places.
        assert_eq!(told_apart, 13);
    }
}
