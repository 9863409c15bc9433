// a * b + c with the product rounded by itself, whether or not the device fuses fma: params.one is 1.0
// read from a buffer, so no compiler can see that the fma around it only adds. Twin: `mul_add` in src/sample.rs.

fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    return fma(a * b, params.one, c);
}
