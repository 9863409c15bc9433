//! Textbook Philox4x32-10 and Box-Muller with std's functions: the cost of a counter-based
//! generator without optimization.

use std::f32::consts::TAU;

const M: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const W: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

fn block(mut c: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let products = [u64::from(M[0]) * u64::from(c[0]), u64::from(M[1]) * u64::from(c[2])];
        let ([low0, low1], [high0, high1]) =
            (products.map(|p| p as u32), products.map(|p| (p >> 32) as u32));
        c = [high1 ^ c[1] ^ key[0], low1, high0 ^ c[3] ^ key[1], low0];
        key = [key[0].wrapping_add(W[0]), key[1].wrapping_add(W[1])];
    }
    c
}

fn pair(radius: u32, angle: u32) -> [f32; 2] {
    let u = radius as f32 * 2f32.powi(-32) + 2f32.powi(-33);
    let r = (-2.0 * u.ln()).sqrt();
    let (sine, cosine) = (angle as f32 * (TAU * 2f32.powi(-32))).sin_cos();
    [r * cosine, r * sine]
}

/// Normals with seed 0.
pub(super) fn fill(mean: f32, std: f32, out: &mut [f32]) {
    for (i, four) in (0u64..).zip(out.chunks_mut(4)) {
        let [a, b, c, d] = block([i as u32, (i >> 32) as u32, 0, 0], [0; 2]);
        for (element, z) in four.iter_mut().zip([pair(a, b), pair(c, d)].as_flattened()) {
            *element = z * std + mean;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answer() {
        assert_eq!(block([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            block([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
    }

    #[test]
    fn normals_have_mean_and_deviation() {
        let mut values = vec![0f32; 1 << 16];
        fill(1.0, 2.0, &mut values);
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        assert!((mean - 1.0).abs() < 0.04 && (variance - 4.0).abs() < 0.12, "{mean} {variance}");
    }
}
