// The elements of a slice: runs of consecutive elements of the whole tensor, at two levels of
// strides. Mirrored by `Runs` in src/spec/slice.rs. Expects mul_wide and add64.

// 64-bit numbers are pairs: low word, high word. In a uniform, a struct's size is a multiple of 16.
struct Slice {
    origin: vec2<u32>,        // index of the first element of the outer step that element 0 is in
    inner_stride: vec2<u32>,  // elements between the runs of an outer step
    outer_stride: vec2<u32>,  // elements between outer steps
    inner_count: u32,         // runs of an outer step
    inner_first: u32,         // the run, of those, that element 0 is in
    run: u32,                 // elements of a run; 0 where elements are consecutive: no slice
    @size(12) skip: u32,      // elements before element 0 in its run
}

fn mul64(a: vec2<u32>, b: u32) -> vec2<u32> {
    let low = mul_wide(a.x, b);
    return vec2<u32>(low.x, low.y + a.y * b);
}

// Index in the whole tensor of element `n` of a slice.
fn slice_index(slice: Slice, n: u32) -> vec2<u32> {
    let offset = slice.skip + n;
    let step = slice.inner_first + offset / slice.run;
    let start = add64(slice.origin, vec2<u32>(offset % slice.run, 0u));
    let inner = mul64(slice.inner_stride, step % slice.inner_count);
    return add64(start, add64(inner, mul64(slice.outer_stride, step / slice.inner_count)));
}
