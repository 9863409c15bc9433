// The numbers behind which mul_add.wgsl and opaque.wgsl hide arithmetic from compilers.

struct Guard {
    one: f32,   // 1.0
    zero: u32,  // 0
}

// Each entry point sets it from its uniform before it branches, so no compiler knows the numbers.
// The only state that functions share: as an argument, all functions of sample.wgsl would have to
// pass it.
var<private> guard: Guard;
