// A barrier for compilers that treat float operations as associative. Mirrored by `opaque` in
// src/stream/guards.rs.

// v, through an integer operation that such a compiler cannot see through.
fn opaque(v: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(v) ^ guard.zero);
}
