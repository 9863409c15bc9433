//! Element types: one rounding of the same values.

use gpu_init::half::{bf16, f16};
use gpu_init::{Cpu, DType, Element, Initializer, TensorSpec};

use crate::{fill, sized};

/// f16 and bf16 values are, to the bit, the f32 values of the same parameter rounded by `half` to
/// nearest even: 4.2e6 values of each of 9 distributions for f16, from its smallest spread, where
/// most values are subnormal, to its largest, and of 10 for bf16. Ties are among them.
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
    fn compare<T: Element>(
        distributions: &[TensorSpec],
        dropped: u32,
        least: f32,
        round: fn(f32) -> T,
    ) -> Seen {
        let mut seen = Seen::default();
        for parameter in distributions {
            let parameter = parameter.clone().name("rounding");
            let (halves, floats) = (fill::<T>(&parameter), fill::<f32>(&parameter));
            assert_eq!(halves.len(), floats.len());
            for (half, float) in halves.into_iter().zip(floats) {
                let expected = round(float);
                assert_eq!(
                    half.bits(),
                    expected.bits(),
                    "{float:e} became {half:?} in {parameter:?}"
                );
                seen.values += 1;
                seen.subnormals += usize::from(half.widen() != 0.0 && half.widen().abs() < least);
                seen.ties += usize::from(
                    float.abs() >= least && float.to_bits() << (32 - dropped) == 0x8000_0000,
                );
                seen.away_from_zero += usize::from(half.widen().abs() > float.abs());
            }
        }
        seen
    }
    let n = sized(22);
    let shape = [1 << 8, n >> 8];
    let distribution = |initializer| TensorSpec::new(shape, initializer);
    let normal = |mean, std| distribution(Initializer::normal(mean, std));
    let uniform = |a, b| distribution(Initializer::uniform(a, b));
    let xavier = || {
        [distribution(Initializer::xavier_normal()), distribution(Initializer::xavier_uniform())]
    };
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
    let seen =
        compare(&[&in_f16[..], &xavier()].concat(), 13, f16::MIN_POSITIVE.to_f32(), f16::from_f32);
    let Seen { values, subnormals, ties, away_from_zero } = seen;
    println!(
        "f16: {values} values, {subnormals} subnormal, {ties} ties, {away_from_zero} away from zero"
    );
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
    let parameter = TensorSpec::new([129, 65], Initializer::xavier_normal());
    for types in [[DType::F32, DType::F16, DType::BF16], [DType::BF16, DType::F32, DType::F16]] {
        let cpu = Cpu::with_seed(42);
        for (stream, dtype) in types.into_iter().enumerate() {
            let tensor = cpu.fill(&parameter.clone().dtype(dtype)).unwrap();
            let floats = fill::<f32>(&parameter.clone().stream(stream as u64));
            let rounded: Vec<f32> = match dtype {
                DType::F32 => floats,
                DType::F16 => {
                    floats.into_iter().map(|value| f16::from_f32(value).to_f32()).collect()
                }
                DType::BF16 => {
                    floats.into_iter().map(|value| bf16::from_f32(value).to_f32()).collect()
                }
            };
            assert!(tensor.to_f32() == rounded, "{dtype} on stream {stream}");
        }
    }
}
