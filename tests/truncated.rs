//! The truncated normal: its distribution, with 10^7 values for each pair of bounds, and its bounds
//! in every element type.

mod common;

use common::statistics::{self, Family, normal_cdf, normal_tail};
use gpu_init::half::{bf16, f16};
use gpu_init::{Cpu, DType, Distribution, Element, ErrorKind, Initializer, Layout, TensorSpec};

const N: usize = 10_000_000;

fn truncated(mean: f64, std: f64, a: f64, b: f64) -> Initializer {
    Initializer::truncated_normal(mean, std, a, b)
}

/// The exact distribution function, from the tail where the bounds are. Between bounds less than
/// 10^-6 std apart the density is flat to less than that.
fn cdf(mean: f64, std: f64, a: f64, b: f64) -> impl Fn(f64) -> f64 {
    let within = move |x: f64| {
        let [z, low, high] = [x, a, b].map(|x| (x - mean) / std);
        if (b - a) / std < 1e-6 {
            (x - a) / (b - a)
        } else if low > 0.0 {
            (normal_tail(low) - normal_tail(z)) / (normal_tail(low) - normal_tail(high))
        } else {
            (normal_cdf(z) - normal_cdf(low)) / (normal_cdf(high) - normal_cdf(low))
        }
    };
    move |x| within(x.clamp(a, b))
}

/// Mean, std, a, b. Where f32 would have few values within the bounds, the mean is shifted so that
/// the bounds are near 0.
const DISTRIBUTIONS: [[f64; 4]; 18] = [
    [0.0, 1.0, -2.0, 2.0],
    [0.0, 1.0, -3.0, 3.0],
    [0.0, 1.0, -1e-3, 1e-3],
    [0.0, 1.0, 0.0, f64::INFINITY],
    [0.0, 1.0, f64::NEG_INFINITY, 1.0],
    [0.0, 1.0, f64::NEG_INFINITY, f64::INFINITY],
    [0.0, 1.0, 5.0, 6.0],
    [0.0, 1.0, -6.0, -5.0],
    [-10.0, 1.0, 0.0, 0.5],
    [-30.0, 1.0, 0.0, 1.0],
    [31.0, 1.0, 0.0, 1.0],
    // (0.5, 0.5000001) in std
    [-5e6, 1e7, 0.0, 1.0],
    [0.0, 1.0, -8.0, 8.0],
    [0.0, 1.0, -0.1, 7.0],
    // PyTorch's issues 145498 and 155588: values at the far bounds, and nowhere near them.
    [0.0, 0.02, -2.0, 2.0],
    [0.0, 0.01, -2.0, 2.0],
    [0.0, 0.001, -2.0, 2.0],
    [0.5, 0.002, 0.499, 0.51],
];

#[test]
fn values_follow_their_distribution() {
    let mut family = Family::new("KS of truncated normals");
    for [mean, std, a, b] in DISTRIBUTIONS {
        let initializer = truncated(mean, std, a, b);
        let spec = TensorSpec::new([N], initializer).name(&initializer.to_string());
        let mut values = vec![0f32; N];
        Cpu::with_seed(42).fill_into(&spec, &mut values).unwrap();
        let ks = statistics::kolmogorov_smirnov(&mut values, cdf(mean, std, a, b));
        println!("{initializer}: D = {:.3e}, p = {:.3}", ks.d, ks.p);
        family.kolmogorov_smirnov(initializer.to_string(), ks);
        assert!(f64::from(values[0]) >= a && f64::from(values[N - 1]) <= b, "{initializer}");
    }
    family.accept();

    // The test must reject a bound 0.5% of the width off, and a distribution without truncation.
    let [mean, std, a, b] = DISTRIBUTIONS[0];
    let mut values = vec![0f32; N];
    let spec = TensorSpec::new([N], truncated(mean, std, a, b)).name("wrong");
    Cpu::with_seed(42).fill_into(&spec, &mut values).unwrap();
    for wrong in [[mean, std, a, b + 2e-2], [mean, std, f64::NEG_INFINITY, f64::INFINITY]] {
        let [mean, std, a, b] = wrong;
        let ks = statistics::kolmogorov_smirnov(&mut values, cdf(mean, std, a, b));
        Family::of_fit(format!("{wrong:?}"), ks).reject();
    }
}

/// The least and the largest element, and the number of elements that equal each.
fn ends<T: Element>(spec: &TensorSpec, n: usize) -> ([f64; 2], [usize; 2]) {
    let mut values = vec![T::zeroed(); n];
    Cpu::with_seed(42).fill_into(spec, &mut values).unwrap();
    let values: Vec<f32> = values.into_iter().map(T::widen).collect();
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let count = |end: f32| values.iter().filter(|&&value| value == end).count();
    ([least.into(), largest.into()], [count(least), count(largest)])
}

/// The neighbour of a value on one side, in the element type.
fn beside<T: Element>(value: f64, up: bool) -> f64 {
    match T::DTYPE {
        DType::F32 => {
            f64::from(if up { (value as f32).next_up() } else { (value as f32).next_down() })
        }
        DType::F16 => neighbour(
            value,
            up,
            |bits| f16::from_bits(bits).to_f64(),
            f16::from_f64(value).to_bits(),
        ),
        DType::BF16 => neighbour(
            value,
            up,
            |bits| bf16::from_bits(bits).to_f64(),
            bf16::from_f64(value).to_bits(),
        ),
        other => panic!("{other}"),
    }
}

fn neighbour(value: f64, up: bool, widen: fn(u16) -> f64, bits: u16) -> f64 {
    if value == 0.0 {
        return if up { widen(1) } else { widen(0x8001) };
    }
    widen(if up == (value > 0.0) { bits + 1 } else { bits - 1 })
}

/// No value is outside of the bounds, and no more equal an extreme than rounding brings there.
fn judge_ends<T: Element>(distribution: [f64; 4]) {
    let [mean, std, a, b] = distribution;
    let n = 4_000_000;
    let initializer = truncated(mean, std, a, b);
    let spec = TensorSpec::new([n], initializer).dtype(T::DTYPE).name("ends");
    let ([least, largest], counts) = ends::<T>(&spec, n);
    assert!(a <= least && largest <= b, "{initializer} {}: {least} {largest}", T::DTYPE);
    let cdf = cdf(mean, std, a, b);
    // The probability of values nearer to the extreme than to its neighbour, or beyond it.
    let below = cdf(0.5 * (least + beside::<T>(least, true)));
    let above = 1.0 - cdf(0.5 * (largest + beside::<T>(largest, false)));
    for (count, p) in counts.into_iter().zip([below, above]) {
        let (count, expected) = (count as f64, n as f64 * p);
        // An extreme that happens to be far out occurs once, whatever its probability.
        assert!(
            count <= 3.0 || count <= expected + 6.0 * expected.sqrt(),
            "{initializer} {}: {count} values at an end, expected {expected}",
            T::DTYPE
        );
    }
}

#[test]
fn values_stay_within_bounds_and_do_not_pile_up_there() {
    let others = [
        [100.0, 1e-3, 99.0, 101.0],
        [0.0, 0.02, -0.04, 0.04],
        [0.1, 0.02, 0.06, 0.14],
        [0.3, 0.01, 0.1, 0.3001],
        [1e4, 3e3, 9e3, 6e4],
        [-0.7, 0.3, 0.0, 0.1],
    ];
    for distribution in DISTRIBUTIONS.into_iter().chain(others) {
        judge_ends::<f32>(distribution);
        // A mean that F16 cannot represent is an error there.
        if distribution[0].abs() < 65504.0 {
            judge_ends::<f16>(distribution);
        }
        judge_ends::<bf16>(distribution);
    }
}

/// Bounds between two values of the type, which rounding alone would exceed.
#[test]
fn half_types_respect_bounds_that_they_cannot_represent() {
    for dtype in DType::SAMPLED {
        for (a, b) in [(0.1, 0.9), (-0.3, 0.7), (1.0 + 1e-6, 1.1), (-1.003, -1e-4), (-1e-9, 1.0)] {
            let tensor = Cpu::new()
                .fill(&TensorSpec::new([1 << 20], truncated(0.0, 1.0, a, b)).dtype(dtype))
                .unwrap();
            let outside =
                tensor.to_f32().into_iter().filter(|&x| !(a..=b).contains(&f64::from(x))).count();
            assert_eq!(outside, 0, "{a} {b} {dtype}");
            assert!(tensor.stats().min < a + 0.02 && tensor.stats().max > b - 0.02);
        }
    }
}

/// F16 and BF16 values are the F32 values, rounded and then clamped to the bounds.
#[test]
fn half_types_are_rounded_from_f32() {
    for [mean, std, a, b] in
        [[0.0, 1.0, -2.0, 2.0], [0.0, 0.02, -0.0313, 0.05], [0.3, 0.3, 0.1, 0.7]]
    {
        let spec = TensorSpec::new([1 << 20], truncated(mean, std, a, b)).name("rounded");
        let exact = Cpu::new().fill(&spec).unwrap().to_f32();
        for dtype in [DType::F16, DType::BF16] {
            let fill = spec.clone().dtype(dtype).resolve(0, 0).unwrap();
            let Distribution::Truncated { least, largest, .. } = fill.distribution else {
                panic!("{fill:?}")
            };
            let round = |x: f32| {
                if dtype == DType::F16 {
                    f16::from_f32(x).to_f32()
                } else {
                    bf16::from_f32(x).to_f32()
                }
            };
            let values = Cpu::new().fill(&spec.clone().dtype(dtype)).unwrap().to_f32();
            assert!(
                exact.iter().zip(values).all(|(&x, y)| round(x).clamp(least, largest) == y),
                "{dtype}"
            );
        }
    }
}

/// A range has the elements of the whole tensor, wherever in a block it starts.
#[test]
fn ranges_agree_with_the_whole() {
    for dtype in DType::SAMPLED {
        let whole = TensorSpec::new([40, 50], truncated(0.0, 0.02, -0.03, 0.05))
            .dtype(dtype)
            .name("slices");
        let all = Cpu::new().fill(&whole).unwrap();
        for start in 0..9 {
            for len in [1, 2, 3, 4, 5, 63, 64, 65, 1000] {
                let range = Cpu::new().fill(&whole.clone().elements(start..start + len)).unwrap();
                assert_eq!(range, all.slice(start..start + len).unwrap());
            }
        }
    }
}

/// Statistics agree with the distribution's own moments, in each type.
#[test]
fn statistics_agree_with_the_distribution() {
    for [mean, std, a, b] in DISTRIBUTIONS {
        let initializer = truncated(mean, std, a, b);
        for dtype in DType::SAMPLED {
            let spec = TensorSpec::new([1 << 20], initializer).dtype(dtype).name("stats");
            let Ok(fill) = spec.resolve(0, 0) else { continue };
            let stats = Cpu::new().fill(&spec).unwrap().stats();
            assert_eq!(stats.disagreement(&fill), None, "{initializer} {dtype}");
        }
    }
    // The comparison would notice a distribution that is not truncated.
    let distribution =
        |initializer: Initializer| TensorSpec::new([1 << 20], initializer).resolve(0, 0);
    let stats = Cpu::new()
        .fill(&TensorSpec::new([1 << 20], truncated(0.0, 1.0, -2.0, 2.0)).name("stats"))
        .unwrap();
    assert!(
        stats.stats().disagreement(&distribution(Initializer::normal(0.0, 1.0)).unwrap()).is_some()
    );
    assert!(
        stats
            .stats()
            .disagreement(&distribution(truncated(0.0, 1.0, -2.0, 2.1)).unwrap())
            .is_some()
    );
}

/// The bounds of a resolved fill are values of its type.
#[test]
fn bounds_are_values_of_the_type() {
    let bounds = |a, b, dtype| {
        let distribution = truncated(0.0, 1.0, a, b)
            .distribution(&[1].into(), &Layout::OutInKernel, dtype)
            .unwrap();
        let Distribution::Truncated { least, largest, .. } = distribution else {
            panic!("{distribution:?}")
        };
        (least, largest)
    };
    assert_eq!(bounds(-2.0, 2.0, DType::BF16), (-2.0, 2.0));
    assert_eq!(bounds(-0.1, 0.1, DType::F32), (-0.1f32.next_down(), 0.1f32.next_down()));
    assert_eq!(bounds(-0.1, 0.1, DType::F16), (-1638.0 / 16384.0, 1638.0 / 16384.0));
    assert_eq!(bounds(-0.1, 0.1, DType::BF16), (-204.0 / 2048.0, 204.0 / 2048.0));
    assert_eq!(bounds(1e-7, 1.0, DType::F16).0, 2f32.powi(-23));
    assert_eq!(bounds(1e-40, 1.0, DType::F32).0, f32::MIN_POSITIVE);
    assert_eq!(
        bounds(-1e-40, 1.0, DType::F32).0.to_bits(),
        0,
        "no subnormal number, no negative zero"
    );
    assert_eq!(bounds(f64::NEG_INFINITY, f64::MAX, DType::F16), (-65504.0, 65504.0));
    assert_eq!(bounds(-1e300, f64::INFINITY, DType::F32), (f32::MIN, f32::MAX));
}

fn refusal([mean, std, a, b]: [f64; 4], dtype: DType) -> gpu_init::Error {
    let spec = TensorSpec::new([5], truncated(mean, std, a, b)).dtype(dtype);
    Cpu::new().fill(&spec).unwrap_err()
}

#[test]
fn options_out_of_range_are_refused() {
    let (nan, infinity) = (f64::NAN, f64::INFINITY);
    for (options, refused) in [
        ([nan, 1.0, -2.0, 2.0], "mean"),
        ([infinity, 1.0, -2.0, 2.0], "mean"),
        ([0.0, 0.0, -2.0, 2.0], "std"),
        ([0.0, -1.0, -2.0, 2.0], "std"),
        ([0.0, nan, -2.0, 2.0], "std"),
        ([0.0, infinity, -2.0, 2.0], "std"),
        ([0.0, 1.0, nan, 2.0], "a"),
        ([0.0, 1.0, 0.0, nan], "b"),
        ([0.0, 1.0, 1.0, 1.0], "b"),
        ([0.0, 1.0, 1.0, -1.0], "b"),
        ([0.0, 1.0, infinity, infinity], "b"),
    ] {
        let error = refusal(options, DType::F32);
        let ErrorKind::InvalidOption { option, .. } = error.kind() else { panic!("{error}") };
        assert_eq!(*option, refused, "{options:?}");
    }
}

#[test]
fn bounds_without_a_value_between_them_are_refused() {
    let more_digits = " or use a dtype with more digits";
    for (dtype, remedy) in [(DType::F32, ""), (DType::F16, more_digits), (DType::BF16, more_digits)]
    {
        let error = refusal([0.0, 1.0, 1.0, 1.00000001], dtype);
        assert!(matches!(error.kind(), ErrorKind::NoValueBetween { .. }), "{error}");
        let expected = format!(
            "truncated_normal: {dtype} has no value between the bounds 1.0 and 1.00000001; move them apart{remedy}"
        );
        assert_eq!(error.to_string(), expected);
    }
    let error = refusal([0.0, 1.0, 1.0, 1.004], DType::BF16);
    assert!(matches!(error.kind(), ErrorKind::NoValueBetween { .. }), "{error}");
}

#[test]
fn subnormal_and_infinite_values_are_refused() {
    // In a tail the values are closer together than the standard deviation says.
    for (options, dtype, refused) in [
        ([0.0, 1e-20, -1.0, 1.0], DType::F32, "std"),
        ([-100.0, 1e-10, 0.0, 1.0], DType::F32, "std within the bounds"),
        ([0.0, 5e-5, -1.0, 1.0], DType::F16, "std"),
    ] {
        let error = refusal(options, dtype);
        let ErrorKind::Subnormal { option, .. } = error.kind() else { panic!("{error}") };
        assert_eq!(*option, refused, "{options:?}");
    }
    for (options, dtype) in [
        ([0.0, 1e38, f64::NEG_INFINITY, 0.0], DType::F32),
        ([0.0, 1.0, 1e39, 1e40], DType::F32),
        ([1e5, 1.0, 0.0, 1.0], DType::F16),
    ] {
        let error = refusal(options, dtype);
        assert!(matches!(error.kind(), ErrorKind::Overflow { .. }), "{error}");
    }
}

#[test]
fn text_form_has_options_and_defaults() {
    let parsed: Initializer = "truncated-normal(std=0.02, b=inf)".parse().unwrap();
    assert_eq!(parsed, truncated(0.0, 0.02, -2.0, f64::INFINITY));
    assert_eq!(parsed.to_string(), "truncated_normal(std=0.02, b=inf)");
    assert_eq!("truncated_normal".parse(), Ok(truncated(0.0, 1.0, -2.0, 2.0)));
    let error = "truncated_normal(low=1)".parse::<Initializer>().unwrap_err();
    assert!(error.to_string().contains("it has mean, std, a, b"), "{error}");
}
