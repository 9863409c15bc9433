// Common to the reductions over a tensor: the elements that a dispatch reads. Mirrored by
// src/reduce/lanes.rs.

struct Params {
    slice: Slice,
    first: vec2<u32>,  // index of the first element to read in the whole tensor: low, high word
    begin: u32,        // where it is: index in the input array
    count: u32,        // elements to read
    one: f32,          // 1.0 and 0, see lib/guard.wgsl
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;

// A workgroup reduces CHUNK elements; lane l reads elements l, l + LANES, l + 2 LANES... of them.
const LANES: u32 = 256u;
const CHUNK: u32 = 16384u;

// The number of elements of a chunk: 0 past the last one, where there is nothing to read.
fn chunk_len(count: u32, chunk: u32) -> u32 {
    return select(0u, min(CHUNK, count - CHUNK * chunk), has_chunk(count, chunk));
}

fn has_chunk(count: u32, chunk: u32) -> bool {
    return chunk <= (count - 1u) / CHUNK;
}

// The bits of element `i` of those from `begin` on, zero-extended; of an F64 those of its F32.
// Expects f32_bits.
fn element_bits(begin: u32, i: u32) -> u32 {
    if DTYPE == F32 {
        return input[begin + i];
    }
    if DTYPE == F64 {
        return f32_bits(vec2<u32>(input[begin + 2u * i], input[begin + 2u * i + 1u]));
    }
    if DTYPE == F8_E4M3 || DTYPE == F8_E5M2 {
        return byte_of_word(input[begin + i / 4u], i);
    }
    return half_of_word(input[begin + i / 2u], i);
}
