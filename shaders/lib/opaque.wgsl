// Floats for compilers that take float operations for associative. Twin: `opaque` in src/sample.rs.
// Expects params.zero = 0, read from a buffer.

// v, behind an integer that such a compiler cannot see through.
fn opaque(v: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(v) ^ params.zero);
}
