//! The truncated normal: its distribution by 10^7 values for each pair of bounds, and its bounds in
//! every element type.

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
    let part = move |x: f64| {
        let [z, low, high] = [x, a, b].map(|x| (x - mean) / std);
        if (b - a) / std < 1e-6 {
            (x - a) / (b - a)
        } else if low > 0.0 {
            (normal_tail(low) - normal_tail(z)) / (normal_tail(low) - normal_tail(high))
        } else {
            (normal_cdf(z) - normal_cdf(low)) / (normal_cdf(high) - normal_cdf(low))
        }
    };
    move |x| part(x.clamp(a, b))
}

/// Mean, std, a, b. Where f32 has few values within the bounds, the mean is moved so that they are
/// near 0.
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
        let parameter = TensorSpec::new([N], initializer).name(&initializer.to_string());
        let mut values = vec![0f32; N];
        Cpu::with_seed(42).fill_into(&parameter, &mut values).unwrap();
        let ks = statistics::kolmogorov_smirnov(&mut values, cdf(mean, std, a, b));
        println!("{initializer}: D = {:.3e}, p = {:.3}", ks.d, ks.p);
        family.kolmogorov_smirnov(initializer.to_string(), ks);
        assert!(f64::from(values[0]) >= a && f64::from(values[N - 1]) <= b, "{initializer}");
    }
    family.accept();

    // A bound 0.5% of the width off, and the distribution that is not truncated at all, must be
    // rejected.
    let [mean, std, a, b] = DISTRIBUTIONS[0];
    let mut values = vec![0f32; N];
    let parameter = TensorSpec::new([N], truncated(mean, std, a, b)).name("wrong");
    Cpu::with_seed(42).fill_into(&parameter, &mut values).unwrap();
    for wrong in [[mean, std, a, b + 2e-2], [mean, std, f64::NEG_INFINITY, f64::INFINITY]] {
        let mut family = Family::new(format!("{wrong:?}"));
        let [mean, std, a, b] = wrong;
        family.kolmogorov_smirnov(
            "KS",
            statistics::kolmogorov_smirnov(&mut values, cdf(mean, std, a, b)),
        );
        family.reject();
    }
}

/// Least and largest element, and how many of each there are.
fn ends<T: Element>(parameter: &TensorSpec, n: usize) -> ([f64; 2], [usize; 2]) {
    let mut values = vec![T::zeroed(); n];
    Cpu::with_seed(42).fill_into(parameter, &mut values).unwrap();
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
    }
}

fn neighbour(value: f64, up: bool, widen: fn(u16) -> f64, bits: u16) -> f64 {
    if value == 0.0 {
        return if up { widen(1) } else { widen(0x8001) };
    }
    widen(if up == (value > 0.0) { bits + 1 } else { bits - 1 })
}

/// No value is outside, and no more are at the last value than are rounded to it.
fn judge_ends<T: Element>(distribution: [f64; 4]) {
    let [mean, std, a, b] = distribution;
    let n = 4_000_000;
    let initializer = truncated(mean, std, a, b);
    let parameter = TensorSpec::new([n], initializer).dtype(T::DTYPE).name("ends");
    let ([least, largest], counts) = ends::<T>(&parameter, n);
    assert!(a <= least && largest <= b, "{initializer} {}: {least} {largest}", T::DTYPE);
    let cdf = cdf(mean, std, a, b);
    // What is nearer to the last value than to the one beside it, and all beyond.
    let below = cdf(0.5 * (least + beside::<T>(least, true)));
    let above = 1.0 - cdf(0.5 * (largest + beside::<T>(largest, false)));
    for (count, p) in counts.into_iter().zip([below, above]) {
        let (count, expected) = (count as f64, n as f64 * p);
        // An extreme that happens to be far out is there once, whatever its probability.
        assert!(
            count <= 3.0 || count <= expected + 6.0 * expected.sqrt(),
            "{initializer} {}: {count} values at an end, expected {expected}",
            T::DTYPE
        );
    }
}

#[test]
fn no_value_is_outside_and_none_pile_up() {
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
        // A mean that F16 cannot hold is an error there.
        if distribution[0].abs() < 65504.0 {
            judge_ends::<f16>(distribution);
        }
        judge_ends::<bf16>(distribution);
    }
}

/// Bounds between two values of the type, where rounding by itself would leave them.
#[test]
fn narrow_types_keep_to_bounds_that_they_cannot_hold() {
    for dtype in DType::ALL {
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

/// F16 and BF16 values are the F32 values, rounded and then kept within the bounds.
#[test]
fn narrow_types_are_rounded_from_f32() {
    for [mean, std, a, b] in
        [[0.0, 1.0, -2.0, 2.0], [0.0, 0.02, -0.0313, 0.05], [0.3, 0.3, 0.1, 0.7]]
    {
        let parameter = TensorSpec::new([1 << 20], truncated(mean, std, a, b)).name("rounded");
        let exact = Cpu::new().fill(&parameter).unwrap().to_f32();
        for dtype in [DType::F16, DType::BF16] {
            let fill = parameter.clone().dtype(dtype).resolve(0, 0).unwrap();
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
            let values = Cpu::new().fill(&parameter.clone().dtype(dtype)).unwrap().to_f32();
            assert!(
                exact.iter().zip(values).all(|(&x, y)| round(x).clamp(least, largest) == y),
                "{dtype}"
            );
        }
    }
}

/// A range is that part of the whole, wherever in a block it starts.
#[test]
fn slices_agree() {
    for dtype in DType::ALL {
        let whole = TensorSpec::new([40, 50], truncated(0.0, 0.02, -0.03, 0.05))
            .dtype(dtype)
            .name("slices");
        let all = Cpu::new().fill(&whole).unwrap();
        for start in 0..9 {
            for len in [1, 2, 3, 4, 5, 63, 64, 65, 1000] {
                let part = Cpu::new().fill(&whole.clone().elements(start..start + len)).unwrap();
                assert_eq!(part, all.slice(start..start + len).unwrap());
            }
        }
    }
}

/// Statistics agree with the distribution's own moments, in each type.
#[test]
fn statistics_agree_with_the_distribution() {
    for [mean, std, a, b] in DISTRIBUTIONS {
        let initializer = truncated(mean, std, a, b);
        for dtype in DType::ALL {
            let parameter = TensorSpec::new([1 << 20], initializer).dtype(dtype).name("stats");
            let Ok(fill) = parameter.resolve(0, 0) else { continue };
            let stats = Cpu::new().fill(&parameter).unwrap().stats();
            assert_eq!(stats.disagreement(&fill), None, "{initializer} {dtype}");
        }
    }
    // It would see a distribution that is not truncated.
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

/// The bounds that a fill keeps to are the type's own values.
#[test]
fn bounds_in_each_type() {
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

#[test]
fn errors() {
    let refusal = |mean, std, a, b, dtype| {
        let parameter = TensorSpec::new([5], truncated(mean, std, a, b)).dtype(dtype);
        Cpu::new().fill(&parameter).unwrap_err()
    };
    let f32 = DType::F32;
    for mean in [f64::NAN, f64::INFINITY] {
        assert!(matches!(
            refusal(mean, 1.0, -2.0, 2.0, f32).kind(),
            ErrorKind::InvalidOption { option: "mean", .. }
        ));
    }
    for std in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            refusal(0.0, std, -2.0, 2.0, f32).kind(),
            ErrorKind::InvalidOption { option: "std", .. }
        ));
    }
    assert!(matches!(
        refusal(0.0, 1.0, f64::NAN, 2.0, f32).kind(),
        ErrorKind::InvalidOption { option: "a", .. }
    ));
    for (a, b) in [(0.0, f64::NAN), (1.0, 1.0), (1.0, -1.0), (f64::INFINITY, f64::INFINITY)] {
        assert!(matches!(
            refusal(0.0, 1.0, a, b, f32).kind(),
            ErrorKind::InvalidOption { option: "b", .. }
        ));
    }
    for (dtype, text) in [
        (
            DType::F32,
            "truncated_normal: F32 has no value between the bounds 1.0 and 1.00000001; move them apart",
        ),
        (
            DType::F16,
            "F16 has no value between the bounds 1.0 and 1.00000001; move them apart or use a dtype with more digits",
        ),
        (
            DType::BF16,
            "BF16 has no value between the bounds 1.0 and 1.00000001; move them apart or use a dtype with more digits",
        ),
    ] {
        let error = refusal(0.0, 1.0, 1.0, 1.00000001, dtype);
        assert!(
            matches!(error.kind(), ErrorKind::NoValueBetween { .. })
                && error.to_string().ends_with(text),
            "{error}"
        );
    }
    assert!(matches!(
        refusal(0.0, 1.0, 1.0, 1.004, DType::BF16).kind(),
        ErrorKind::NoValueBetween { .. }
    ));
    assert!(matches!(
        refusal(0.0, 1e-20, -1.0, 1.0, f32).kind(),
        ErrorKind::Subnormal { option: "std", .. }
    ));
    // In a tail the values are nearer to each other than the deviation tells.
    let error = refusal(-100.0, 1e-10, 0.0, 1.0, f32);
    assert!(
        matches!(error.kind(), ErrorKind::Subnormal { option: "std within the bounds", .. }),
        "{error}"
    );
    assert!(matches!(
        refusal(0.0, 5e-5, -1.0, 1.0, DType::F16).kind(),
        ErrorKind::Subnormal { .. }
    ));
    assert!(matches!(
        refusal(0.0, 1e38, f64::NEG_INFINITY, 0.0, f32).kind(),
        ErrorKind::Overflow { .. }
    ));
    assert!(matches!(refusal(0.0, 1.0, 1e39, 1e40, f32).kind(), ErrorKind::Overflow { .. }));
    assert!(matches!(refusal(1e5, 1.0, 0.0, 1.0, DType::F16).kind(), ErrorKind::Overflow { .. }));
}

#[test]
fn the_text_form() {
    let parsed: Initializer = "truncated-normal(std=0.02, b=inf)".parse().unwrap();
    assert_eq!(parsed, truncated(0.0, 0.02, -2.0, f64::INFINITY));
    assert_eq!(parsed.to_string(), "truncated_normal(std=0.02, b=inf)");
    assert_eq!("truncated_normal".parse(), Ok(truncated(0.0, 1.0, -2.0, 2.0)));
    let error = "truncated_normal(low=1)".parse::<Initializer>().unwrap_err();
    assert!(error.to_string().contains("it has mean, std, a, b"), "{error}");
}
