// Writes single elements. Two half-width elements share a word, whose other half another invocation
// may write. Expects `out: array<atomic<u32>>`.

// Sets the bits of element `i`, which is zero.
fn put_bits(i: u32, bits: u32) {
    if DTYPE == F32 {
        atomicOr(&out[i], bits);
    } else {
        atomicOr(&out[i / 2u], bits << (16u * (i & 1u)));
    }
}

// Zeroes element `i`.
fn zero_bits(i: u32) {
    if DTYPE == F32 {
        atomicStore(&out[i], 0u);
    } else {
        atomicAnd(&out[i / 2u], 0xffff0000u >> (16u * (i & 1u)));
    }
}
