// Floats that every compiler must round as written. Twins: `mul_add` and `keep` in src/sample.rs.
// Expects params.one = 1.0 and params.zero = 0, read from a buffer, so that no compiler can know them.

// a * b + c with the product rounded by itself, whether or not the device fuses fma: the fma only adds.
fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    return fma(a * b, params.one, c);
}

// v, behind an integer: a compiler that takes float operations for associative cannot see through it.
fn keep(v: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(v) ^ params.zero);
}
