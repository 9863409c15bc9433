//! Element types: the same values, rounded once.

use gpu_init::half::{bf16, f16};
use gpu_init::{Cpu, DType, Element, Initializer, TensorSpec};

use crate::{fill, sized};

/// Counts of rounded values.
#[derive(Debug, Default)]
struct Seen {
    values: usize,
    subnormals: usize,
    ties: usize,
    away_from_zero: usize,
}

/// Compares the values of T with `round` of the f32 values. `dropped` is the number of low bits of
/// an f32's significand that a normal value of T loses.
fn compare<T: Element>(
    specs: &[TensorSpec],
    dropped: u32,
    least: f32,
    round: fn(f32) -> T,
) -> Seen {
    let mut seen = Seen::default();
    for spec in specs {
        let spec = spec.clone().name("rounding");
        let (halves, floats) = (fill::<T>(&spec), fill::<f32>(&spec));
        assert_eq!(halves.len(), floats.len());
        for (half, float) in halves.into_iter().zip(floats) {
            let expected = round(float);
            assert_eq!(half.bits(), expected.bits(), "{float:e} became {half:?} in {spec:?}");
            let tie = float.abs() >= least && float.to_bits() << (32 - dropped) == 0x8000_0000;
            seen.values += 1;
            seen.subnormals += usize::from(half.widen() != 0.0 && half.widen().abs() < least);
            seen.ties += usize::from(tie);
            seen.away_from_zero += usize::from(half.widen().abs() > float.abs());
        }
    }
    seen
}

/// Specs of 4.2e6 values: normals by mean and std, uniforms by their ends, and both Xaviers.
fn specs(normals: &[(f64, f64)], uniforms: &[(f64, f64)]) -> Vec<TensorSpec> {
    let n = sized(22);
    let normals = normals.iter().map(|&(mean, std)| Initializer::normal(mean, std));
    let uniforms = uniforms.iter().map(|&(a, b)| Initializer::uniform(a, b));
    let xavier = [Initializer::xavier_normal(), Initializer::xavier_uniform()];
    let all = normals.chain(uniforms).chain(xavier);
    all.map(|initializer| TensorSpec::new([1 << 8, n >> 8], initializer)).collect()
}

/// f16 and bf16 values are, to the bit, the f32 values of the same spec rounded by `half` to
/// nearest even: 4.2e6 values of each of 9 distributions for f16, from its smallest spread, where
/// most values are subnormal, to its largest, and of 10 for bf16. Ties are among them.
#[test]
fn halves_are_floats_rounded_to_nearest_even() {
    let least = 2f64.powi(-14);
    let normals = [(0.0, least), (least, 2.0 * least), (0.0, 0.001), (0.0, 9800.0), (0.02, 0.02)];
    let in_f16 = specs(&normals, &[(-least, least), (-65504.0, 65504.0)]);
    let seen = compare(&in_f16, 13, f16::MIN_POSITIVE.to_f32(), f16::from_f32);
    println!("f16: {seen:?}");
    assert!(seen.subnormals > seen.values / 10 && seen.ties > seen.values / 100_000);
    // Truncation would differ in half of the values.
    assert!(seen.away_from_zero > seen.values / 3);

    let normals =
        [(0.0, 2f64.powi(-78)), (0.0, 1e-20), (0.0, 0.02), (0.02, 0.02), (1e3, 1e-3), (0.0, 1e37)];
    let in_bf16 = specs(&normals, &[(0.0, 1.0), (-3e38, 3e38)]);
    let seen = compare(&in_bf16, 16, f32::MIN_POSITIVE, bf16::from_f32);
    println!("bf16: {seen:?}");
    assert!(seen.ties > seen.values / 1_000_000 && seen.away_from_zero > seen.values / 3);
}

/// The element type changes neither the stream of a call nor the next call's.
#[test]
fn element_types_share_the_stream() {
    let spec = TensorSpec::new([129, 65], Initializer::xavier_normal());
    for types in [[DType::F32, DType::F16, DType::BF16], [DType::BF16, DType::F32, DType::F16]] {
        let cpu = Cpu::with_seed(42);
        for (stream, dtype) in types.into_iter().enumerate() {
            let tensor = cpu.fill(&spec.clone().dtype(dtype)).unwrap();
            let rounded = fill::<f32>(&spec.clone().stream(stream as u64)).into_iter().map(
                |value| match dtype {
                    DType::F32 => value,
                    DType::F16 => f16::from_f32(value).to_f32(),
                    DType::BF16 => bf16::from_f32(value).to_f32(),
                    other => panic!("{other}"),
                },
            );
            assert!(tensor.to_f32().into_iter().eq(rounded), "{dtype} on stream {stream}");
        }
    }
}
