// Single elements in memory that others are in too: the halves of a word belong to two. Expects
// `out: array<atomic<u32>>`.

// Gives an element that is zero its bits.
fn put_bits(at: u32, bits: u32) {
    if DTYPE == F32 {
        atomicOr(&out[at], bits);
    } else {
        atomicOr(&out[at / 2u], bits << (16u * (at & 1u)));
    }
}

// Makes an element zero.
fn zero_bits(at: u32) {
    if DTYPE == F32 {
        atomicStore(&out[at], 0u);
    } else {
        atomicAnd(&out[at / 2u], 0xffff0000u >> (16u * (at & 1u)));
    }
}
