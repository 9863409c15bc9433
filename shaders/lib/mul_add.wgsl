// Sums of products that every compiler must round as written. Twins: `mul_add` and what follows it
// in src/sample.rs. Expects params.one = 1.0, read from a buffer, so that no compiler can know it.

// product + c for what is a product, rounded by itself whether or not the device fuses fma: the fma
// only adds.
fn add_product(product: f32, c: f32) -> f32 {
    return fma(product, params.one, c);
}

// a * b + c, rounded twice.
fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    return add_product(a * b, c);
}

// a * b + c where a * b is a float: fused or not, only the sum is rounded.
fn exact_mul_add(a: f32, b: f32, c: f32) -> f32 {
    return fma(a, b, c);
}
