// mul_add.wgsl for compilers that never fuse a multiplication with an addition.

fn add_product(product: f32, c: f32) -> f32 {
    return product + c;
}

fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    return a * b + c;
}

fn exact_mul_add(a: f32, b: f32, c: f32) -> f32 {
    return a * b + c;
}
