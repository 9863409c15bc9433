// Floats for compilers that round as written: they fuse no multiplication with an addition and reorder nothing.
// mul_add.wgsl is for the others.

fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    return a * b + c;
}

fn keep(v: f32) -> f32 {
    return v;
}
