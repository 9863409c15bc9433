//! The transforms against f64: how far from exact, and the stated extremes.

use rayon::prelude::*;

use crate::stream::sample::*;

/// The scale of standard deviation 1.
fn unit() -> f32 {
    Scaling::normal(0.0, 1.0).scale
}

fn radius(word: u32) -> f32 {
    root(neg_log2(word)) * unit()
}

/// The accuracy that the specification promises, relative.
const BOUND: f64 = 5.1e-7;

/// The word whose u is (n + 1) 2^-32.
fn word_of(n: u32) -> u32 {
    n.rotate_left(23)
}

fn exact_radius(word: u32) -> f64 {
    let n = word.rotate_right(23);
    assert_eq!(word_of(n), word);
    // 1 - u = (2^32 - 1 - n) 2^-32 is exact in f64, and ln_1p keeps it where u is near 1.
    (-2.0 * (-f64::from(!n) / 4294967296.0).ln_1p()).sqrt()
}

/// (cosine, sine) of the angle that a word stands for.
fn exact_circle(word: u32) -> [f64; 2] {
    let steps = (word << 2) as i32 >> 2; // The 30 low bits as a signed number.
    let t = (f64::from(steps) + 0.5) / f64::from(1 << 30);
    let (sine, cosine) = (std::f64::consts::FRAC_PI_2 * t).sin_cos();
    let cosine = if word >> 31 == 1 { -cosine } else { cosine };
    if word >> 30 & 1 == 1 { [sine, cosine] } else { [cosine, sine] }
}

/// Relative; beside an exact zero, absolute.
fn error(actual: f32, exact: f64) -> f64 {
    if exact == 0.0 { actual.abs().into() } else { (f64::from(actual) / exact - 1.0).abs() }
}

fn radius_error(word: u32) -> f64 {
    error(radius(word), exact_radius(word))
}

fn circle_error(word: u32) -> f64 {
    let ([x, y], [exact_x, exact_y]) = (circle(word), exact_circle(word));
    error(x, exact_x).max(error(y, exact_y))
}

/// The largest error over the words and where it is.
fn worst(words: impl ParallelIterator<Item = u32>, error: fn(u32) -> f64) -> (f64, u32) {
    words.map(|word| (error(word), word)).reduce(|| (0.0, 0), |a, b| if b.0 > a.0 { b } else { a })
}

/// The product of a radius and a coordinate is rounded once more.
fn worst_normal(radius: f64, circle: f64) -> f64 {
    (1.0 + radius) * (1.0 + circle) * (1.0 + f64::from(f32::EPSILON) / 2.0) - 1.0
}

/// A sample of each: all short words, the ends of every octave, and words spread evenly.
#[test]
fn normal_is_within_the_bound_of_box_muller_on_a_dense_sample() {
    let ends_of_octaves = (0..32u32).flat_map(|bit| {
        (0..4096u32).flat_map(move |i| [(1 << bit) + i, (1u32 << bit).wrapping_sub(i)])
    });
    let ends = (0..100_000).flat_map(|i| [i, u32::MAX - i]);
    let sample: Vec<u32> =
        ends_of_octaves.chain(ends).map(word_of).chain((0..u32::MAX).step_by(997)).collect();
    let (radius, _) = worst(sample.par_iter().copied(), radius_error);
    let (circle, _) = worst(sample.par_iter().copied(), circle_error);
    assert!(radius > 1e-7 && circle > 1e-7, "too small to be measured: {radius:e} {circle:e}");
    assert!(worst_normal(radius, circle) < BOUND, "{radius:e} {circle:e}");
    // The product itself, as it is computed.
    let product = sample.par_windows(2).map(|words| {
        let (radius, point) = (exact_radius(words[0]), exact_circle(words[1]));
        let [x, y] = normal_pair(unit(), words[0], words[1]);
        error(x, radius * point[0]).max(error(y, radius * point[1]))
    });
    let product = product.reduce(|| 0.0, f64::max);
    assert!(product < BOUND, "{product:e}");
}

/// All 2^32 words of the radius and of the angle. Some minutes in a release build: `cargo test
/// --release -- --ignored --nocapture normal_is_within_the_bound_of_box_muller_everywhere`
#[test]
#[ignore = "takes minutes"]
fn normal_is_within_the_bound_of_box_muller_everywhere() {
    let show = |what: &str, error: f64, at: u32| {
        println!("{what}: worst relative error {error:.4e} = 2^{:.3}, {at:#010x}", error.log2());
    };
    let (radius, at) = worst((0..=u32::MAX).into_par_iter(), radius_error);
    show("radius", radius, at);
    let (circle, at) = worst((0..=u32::MAX).into_par_iter(), circle_error);
    show("circle", circle, at);
    let normal = worst_normal(radius, circle);
    println!("normal: relative error at most {normal:.4e}, allowed {BOUND:e}");
    assert!(normal < BOUND);
}

#[test]
fn radius_takes_its_stated_extremes() {
    assert!((6.6604..6.66044).contains(&radius(0)), "sqrt(2 ln 2^32), the largest");
    assert_eq!(radius(u32::MAX), 0.0, "u is 1");
    let at = |n: u32| radius(word_of(n));
    assert!((2.15e-5..2.16e-5).contains(&at(u32::MAX - 1)), "sqrt(2^-31), the smallest but zero");
    assert!((0..256).all(|n| at(n) != at(n + 1)), "every bit counts in the tail");
    assert!((0..256).all(|i| at(u32::MAX - i) < at(u32::MAX - i - 1)), "and near zero");
}

#[test]
fn uniform_takes_its_stated_extremes() {
    let step = 2f32.powi(-24);
    let signed = Scaling::uniform(0.0, 1.0);
    let uniform_signed = |word: u32| uniform1(signed, word);
    assert_eq!(uniform_signed(0), step - 1.0, "open at -1");
    assert_eq!(uniform_signed(u32::MAX), 1.0 - step, "open at 1");
    assert_eq!([uniform_signed(0x7fffffff), uniform_signed(0x80000000)], [-step, step], "no zero");
    assert_eq!(uniform_signed(0x80000100) - uniform_signed(0x80000000), 2.0 * step, "spacing");
    assert_eq!(uniform_signed(0x80000000), uniform_signed(0x800000ff), "bits 0 to 7 are not used");
    let symmetric = |word: u32| uniform_signed(!word) == -uniform_signed(word);
    assert!((0..u32::MAX).step_by(99991).all(symmetric));
}

#[test]
fn circle_has_every_sign_and_order() {
    let word = 0x01234567;
    let [x, y] = circle(word);
    assert!(x > y && y > 0.0);
    assert_eq!(circle(word ^ 0x3fffffff), [x, -y], "mirrored at angle 0");
    assert_eq!(circle(word | 1 << 31), [-x, y]);
    assert_eq!(circle(word | 1 << 30), [y, x]);
    assert_eq!(circle(word | 3 << 30), [y, -x]);
    assert!(
        (0..24).all(|bit| circle(0x100000)[1] != circle(0x100000 ^ 1 << bit)[1]),
        "all bits count"
    );
}

#[test]
fn circle_takes_its_stated_extremes() {
    let [least, largest] = [0x20000000, 0x1fffffff].map(|word| circle(word)[1]);
    assert_eq!(least, -largest, "symmetric");
    let corner = std::f32::consts::FRAC_1_SQRT_2;
    assert!((corner - 1e-7..=corner + 1e-7).contains(&largest), "{largest}");
    let [below, above] = [0x3fffffff, 0].map(|word| circle(word)[1]);
    assert_eq!(below, -above);
    assert!((7.31e-10..7.32e-10).contains(&above), "pi 2^-32, the smallest: none is zero");
}
