// Which elements of the whole tensor some elements are: runs of consecutive ones, at two levels of
// steps. Twin: src/slice.rs. Expects mul_wide, and of params:
//     origin: vec2<u32>        index of the first element of the outer step that element 0 is in: low, high
//     inner_stride: vec2<u32>  elements between the runs of an outer step
//     outer_stride: vec2<u32>  elements between outer steps
//     inner_count: u32         runs of an outer step
//     inner_first: u32         which of them element 0 is in
//     run: u32                 elements of a run
//     skip: u32                those before element 0 in its run

fn add64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + u32(low < a.x));
}

fn mul64(a: vec2<u32>, b: u32) -> vec2<u32> {
    let low = mul_wide(a.x, b);
    return vec2<u32>(low.x, low.y + a.y * b);
}

// Index in the whole tensor of element `n`: 64 bits, low and high.
fn slice_index(n: u32) -> vec2<u32> {
    let offset = params.skip + n;
    let step = params.inner_first + offset / params.run;
    let start = add64(params.origin, vec2<u32>(offset % params.run, 0u));
    let inner = mul64(params.inner_stride, step % params.inner_count);
    return add64(start, add64(inner, mul64(params.outer_stride, step / params.inner_count)));
}
