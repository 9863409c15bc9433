//! The rounding from F32 to an element type.

use gpu_init::DType;
use gpu_init::half::{bf16, f16};

/// No bounds.
pub const EVERYWHERE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// Rounds to nearest even; a result beyond a bound becomes the type's next value within.
pub fn nearest_within(exact: f32, (low, high): (f64, f64), dtype: DType) -> f32 {
    let (nearest, widen): (u16, fn(u16) -> f32) = match dtype {
        DType::F32 => return exact,
        DType::F16 => (f16::from_f32(exact).to_bits(), |bits| f16::from_bits(bits).to_f32()),
        DType::BF16 => (bf16::from_f32(exact).to_bits(), |bits| bf16::from_bits(bits).to_f32()),
        other => panic!("{other}"),
    };
    let value = f64::from(widen(nearest));
    // Bits grow with the magnitude.
    let (smaller, larger) = (nearest.wrapping_sub(1), nearest + 1);
    widen(match (value < low, value > high) {
        (false, false) => nearest,
        (below, _) if below == (value < 0.0) => smaller,
        _ => larger,
    })
}

#[test]
fn rounding_by_hand() {
    let round =
        |exact, within| [DType::F16, DType::BF16].map(|dtype| nearest_within(exact, within, dtype));
    // Steps near 1 are 2^-10 and 2^-7.
    assert_eq!(round(1.0 + 0.75 / 1024.0, EVERYWHERE), [1.0 + 1.0 / 1024.0, 1.0]);
    assert_eq!(round(1.0 + 0.75 / 128.0, EVERYWHERE), [1.0 + 6.0 / 1024.0, 1.0 + 1.0 / 128.0]);
    assert_eq!(round(1.0 + 0.75 / 1024.0, (0.0, 1.0 + 0.8 / 1024.0)), [1.0, 1.0]);
    assert_eq!(round(-1.0 - 0.75 / 128.0, (-1.0 - 0.8 / 128.0, 0.0)), [-1.0 - 6.0 / 1024.0, -1.0]);
    assert_eq!(
        round(1.0 + 0.25 / 1024.0, (1.0 + 0.2 / 1024.0, 2.0)),
        [1.0 + 1.0 / 1024.0, 1.0 + 1.0 / 128.0]
    );
}
