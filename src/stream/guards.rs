//! Float operations that a shader must neither fuse nor reorder. Mirrored by
//! `shaders/lib/mul_add.wgsl` and `shaders/lib/opaque.wgsl`, which guard them.
//!
//! Rust never fuses or reorders float operations, so `a * b + c` rounds twice here by itself.

#[inline(always)]
pub(crate) fn add_product(product: f32, c: f32) -> f32 {
    product + c
}

#[inline(always)]
pub(crate) fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    a * b + c
}

#[inline(always)]
pub(crate) fn exact_mul_add(a: f32, b: f32, c: f32) -> f32 {
    a * b + c
}

#[inline(always)]
pub(crate) fn opaque(v: f32) -> f32 {
    v
}
