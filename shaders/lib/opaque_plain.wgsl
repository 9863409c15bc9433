// Floats for compilers that reorder nothing; opaque.wgsl is for the others.

fn opaque(v: f32) -> f32 {
    return v;
}
