//! Numbers to bytes.

#[derive(Debug, Clone, Copy)]
pub(super) struct Packing {
    /// The highest bits of each number that are kept: whole bytes.
    pub(super) bits: u32,
    pub(super) reversed: bool,
}

impl Packing {
    /// Appends each number's highest bits, as an integer in little-endian order.
    pub(super) fn pack(self, numbers: &[u32], out: &mut Vec<u8>) {
        let size = (self.bits / 8) as usize;
        out.reserve(numbers.len() * size);
        for &number in numbers {
            // Reversed, the highest bits are the lowest.
            let kept =
                if self.reversed { number.reverse_bits() } else { number >> (32 - self.bits) };
            out.extend_from_slice(&kept.to_le_bytes()[..size]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Packing;

    #[test]
    fn the_highest_bits_are_kept_in_either_order() {
        for (bits, reversed, expected) in [
            (32, false, &[0x04, 0x03, 0x02, 0x81][..]),
            (24, false, &[0x03, 0x02, 0x81]),
            (16, false, &[0x02, 0x81]),
            (8, false, &[0x81]),
            (32, true, &[0x81, 0x40, 0xc0, 0x20]),
            (24, true, &[0x81, 0x40, 0xc0]),
            (8, true, &[0x81]),
        ] {
            let mut bytes = Vec::new();
            Packing { bits, reversed }.pack(&[0x8102_0304], &mut bytes);
            assert_eq!(bytes, expected, "{bits} {reversed}");
        }
    }
}
