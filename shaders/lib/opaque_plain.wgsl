// opaque.wgsl for compilers that never reorder float operations.

fn opaque(v: f32) -> f32 {
    return v;
}
