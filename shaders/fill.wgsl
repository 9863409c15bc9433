// Fills a range of a tensor. Twin: src/cpu/fill.rs. Element i of the whole row-major tensor is word
// i mod 4 of the Philox block with counter (i / 4, stream) under the key, so any range, window or
// shard of a tensor has the bits that it has in the whole.

struct Params {
    keys: array<vec4<u32>, 5>,  // of the seed: see philox.wgsl
    stream: vec2<u32>,  // counter words 2 and 3
    first: vec2<u32>,   // index of the first element to write, in the whole tensor: low, high
    begin: u32,         // where it goes: entry of the output array
    count: u32,         // elements to write
    scale: f32,         // of normals sqrt(2 ln 2) times the standard deviation, of uniforms 2^-24 times the bound
    shift: f32,         // the constant, or the mean; not of NORMAL, which has none
    one: f32,           // 1.0 and 0, see mul_add.wgsl and opaque.wgsl
    zero: u32,
    low: f32,           // no value of a truncated distribution is below
    high: f32,          // or above
    origin: vec2<u32>,  // of a slice, see slice.wgsl
    inner_stride: vec2<u32>,
    outer_stride: vec2<u32>,
    inner_count: u32,
    inner_first: u32,
    run: u32,
    skip: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Params;
// A copy that each entry point makes before it branches: there a driver that runs lanes of a CPU's
// vectors may load a value once for all of them, and later it must ask for which lanes.
var<private> params: Params;

@group(0) @binding(1) var<storage, read_write> out: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> out_words: array<u32>;

const NORMAL: u32 = 0u;
const UNIFORM: u32 = 1u;
const CONSTANT: u32 = 2u;
const TRUNCATED: u32 = 3u;
const SHIFTED_NORMAL: u32 = 4u;  // with a mean that is not 0
override DISTRIBUTION: u32 = NORMAL;

override WORKGROUP_SIZE: u32 = 256u;

// Invocations are counted through x, then y: one dimension alone ends at 65,535 workgroups.
fn invocation(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (group.y * groups.x + group.x) * WORKGROUP_SIZE + local;
}

// Index of the block that holds element `first`: 64 bits, low and high.
fn first_block() -> vec2<u32> {
    return vec2<u32>((params.first.x >> 2u) | (params.first.y << 30u), params.first.y >> 2u);
}

// The four values of a block.
fn values(block: vec2<u32>) -> vec4<f32> {
    if DISTRIBUTION == CONSTANT {
        return vec4<f32>(params.shift);
    }
    let words = philox4x32(vec4<u32>(block, params.stream), params.keys);
    if DISTRIBUTION == UNIFORM {
        return uniform4(words);
    }
    if DISTRIBUTION == TRUNCATED {
        return truncated4(words);
    }
    let normals = normal4(words);
    if DISTRIBUTION == SHIFTED_NORMAL {
        return shifted4(normals);
    }
    return normals;
}

// The four values of block n of those from the first one on, all of which have the same high half
// of their index: what Philox makes of it alone is computed once for many of them.
fn values_near(n: u32) -> vec4<f32> {
    let first = first_block();
    return values(vec2<u32>(first.x + n, first.y));
}

// Entry i: 16 bytes of elements, from the start of a block.
fn entry(i: u32) -> vec4<u32> {
    if DTYPE == F32 {
        return bitcast<vec4<u32>>(values_near(i));
    }
    let a = values_near(2u * i);
    let b = values_near(2u * i + 1u);
    return vec4<u32>(pack(a.x, a.y), pack(a.z, a.w), pack(b.x, b.y), pack(b.z, b.w));
}

// Entry i, if it is one of `count` to write.
fn store_entry(i: u32, count: u32, value: vec4<u32>) {
    if i < count {
        out[params.begin + i] = value;
    }
}

// Whole 16-byte entries that start at a block, of blocks with the same high half of their index:
// `first` is a multiple of 4, `count` of an entry's elements. Four blocks for each invocation: what
// does not depend on one another runs side by side, and what they share is done once. The entries
// of neighbours are neighbours, so that their stores are of whole lines of memory.
@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    params = uniforms;
    let i = select(2u, 4u, DTYPE == F32) * invocation(group, groups, 0u) + local;
    let count = params.count / select(8u, 4u, DTYPE == F32);
    if i >= count {
        return;
    }
    let a = entry(i);
    let b = entry(i + WORKGROUP_SIZE);
    var c: vec4<u32>;
    var d: vec4<u32>;
    if DTYPE == F32 {
        c = entry(i + 2u * WORKGROUP_SIZE);
        d = entry(i + 3u * WORKGROUP_SIZE);
    }
    store_entry(i, count, a);
    store_entry(i + WORKGROUP_SIZE, count, b);
    if DTYPE == F32 {
        store_entry(i + 2u * WORKGROUP_SIZE, count, c);
        store_entry(i + 3u * WORKGROUP_SIZE, count, d);
    }
}

// The element `offset` after `first`, if it is one to write, as a word of its own.
fn store_word(offset: u32, value: f32) {
    if offset < params.count {
        out_words[params.begin + offset] = bitcast<u32>(value);
    }
}

// The elements `offset` and `offset` + 1 after `first`. Beyond `count` memory keeps what it holds.
fn store_halves(offset: u32, a: f32, b: f32) {
    if offset < params.count {
        let word = pack(a, b);
        let entry = params.begin + offset / 2u;
        if offset + 1u < params.count {
            out_words[entry] = word;
        } else {
            out_words[entry] = (out_words[entry] & 0xffff0000u) | (word & 0xffffu);
        }
    }
}

// The index of block n of those from the first one on.
fn block_after_first(n: u32) -> vec2<u32> {
    let first = first_block();
    let low = first.x + n;
    return vec2<u32>(low, first.y + u32(low < n));
}

// Any range at any word: ends of a tensor and slices that start inside a block. `begin` counts
// words.
@compute @workgroup_size(WORKGROUP_SIZE)
fn fill_words(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    params = uniforms;
    let i = invocation(group, groups, local);
    let phase = (params.first.x & 3u) + group.z; // `group.z` is 0: see sparse.wgsl.
    // Offset from `first` of the block's own first element; what lies before `first` wraps above
    // `count`.
    let offset = 4u * i - phase;
    if 4u * i >= params.count + phase {
        return;
    }
    let a = values(block_after_first(i));
    if DTYPE == F32 {
        store_word(offset, a.x);
        store_word(offset + 1u, a.y);
        store_word(offset + 2u, a.z);
        store_word(offset + 3u, a.w);
    } else if (phase & 1u) == 0u {
        store_halves(offset, a.x, a.y);
        store_halves(offset + 2u, a.z, a.w);
    } else {
        // A word starts at every odd element: the last one also needs the next block.
        let next = values(block_after_first(i + 1u));
        store_halves(offset + 1u, a.y, a.z);
        store_halves(offset + 3u, a.w, next.x);
    }
}

// Element `n` of a slice is one of the four values of its block; `block` and `four` are those of
// the element before.
fn slice_value(n: u32, block: ptr<function, vec2<u32>>, four: ptr<function, vec4<f32>>) -> f32 {
    let index = slice_index(n);
    let own = vec2<u32>((index.x >> 2u) | (index.y << 30u), index.y >> 2u);
    if any(own != *block) {
        *block = own;
        *four = values(own);
    }
    return (*four)[index.x & 3u];
}

// A slice: elements that do not follow one another in the whole tensor, four for each invocation.
// `begin` counts words.
@compute @workgroup_size(WORKGROUP_SIZE)
fn fill_slice(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    params = uniforms;
    let n = 4u * invocation(group, groups, local);
    if n >= params.count {
        return;
    }
    // No block has this index.
    var block = vec2<u32>(0xffffffffu, 0xffffffffu);
    var four = vec4<f32>(0.0f, 0.0f, 0.0f, 0.0f);
    let a = slice_value(n, &block, &four);
    let b = slice_value(n + 1u, &block, &four);
    let c = slice_value(n + 2u, &block, &four);
    let d = slice_value(n + 3u, &block, &four);
    if DTYPE == F32 {
        store_word(n, a);
        store_word(n + 1u, b);
        store_word(n + 2u, c);
        store_word(n + 3u, d);
    } else {
        store_halves(n, a, b);
        store_halves(n + 2u, c, d);
    }
}
