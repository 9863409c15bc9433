// Floats for compilers that reorder nothing; keep.wgsl is for the others.

fn keep(v: f32) -> f32 {
    return v;
}
