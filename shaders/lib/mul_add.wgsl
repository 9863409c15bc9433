// Sums of products that every compiler has to round as written. Mirrored by the functions of the
// same names in src/stream/guards.rs.

// product + c, where `product` is rounded by itself even on a device that fuses multiplication and
// addition: what it can fuse is a multiplication by 1.
fn add_product(product: f32, c: f32) -> f32 {
    return fma(product, guard.one, c);
}

// a * b + c, rounded twice.
fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    return add_product(a * b, c);
}

// a * b + c where a * b is exact: fused or not, only the sum is rounded.
fn exact_mul_add(a: f32, b: f32, c: f32) -> f32 {
    return fma(a, b, c);
}
