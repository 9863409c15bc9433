// Fills a range of a tensor. Mirrored by src/cpu/elements.rs. Element i of the whole row-major tensor
// is word i mod 4 of the Philox block with counter (i / 4, stream) under the key, so any range,
// slice or shard of a tensor has the bits that it has in the whole.

// 64-bit numbers are pairs: low word, high word.
struct Params {
    keys: array<vec4<u32>, 5>,  // of the seed: see lib/philox.wgsl
    stream: vec2<u32>,
    first: vec2<u32>,
    begin: u32,
    count: u32,
    scale: f32,
    shift: f32,
    one: f32,   // 1.0 and 0, see lib/guard.wgsl
    zero: u32,
    low: f32,
    high: f32,
    slice: Slice,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> out_words: array<u32>;

const NORMAL: u32 = 0u;
const UNIFORM: u32 = 1u;
const CONSTANT: u32 = 2u;
const TRUNCATED: u32 = 3u;
const SHIFTED_NORMAL: u32 = 4u;  // with a mean other than 0
override DISTRIBUTION: u32 = NORMAL;

override WORKGROUP_SIZE: u32 = 256u;

// Elements of a tensor to write, and what their values depend on beside the seed.
struct Part {
    stream: vec2<u32>,  // counter words 2 and 3
    first: vec2<u32>,   // index of the first element, in the whole tensor
    begin: u32,         // where it goes: index in the output array
    entries: u32,       // entries of 16 bytes to write
    count: u32,         // elements to write
    scale: f32,         // see Scaling
    shift: f32,         // the constant, or the mean; unused by NORMAL, whose mean is 0
    low: f32,           // bounds of a truncated distribution
    high: f32,
    table: u32,         // index of the first cubic of its quantile table
}

// What the uniform asks for, in 16-byte entries or element by element. Entry points load all of it
// before they branch: there a driver that runs lanes in a CPU's vectors may load a value once for
// all lanes, and later it has to ask for which.
fn part_of(params: Params) -> Part {
    return Part(
        params.stream, params.first,
        params.begin, params.count / select(8u, 4u, DTYPE == F32), params.count,
        params.scale, params.shift, params.low, params.high, 0u,
    );
}

// Index of the block that holds an element.
fn block_of(element: vec2<u32>) -> vec2<u32> {
    return vec2<u32>((element.x >> 2u) | (element.y << 30u), element.y >> 2u);
}

// The four values of a block's words.
fn values_of(part: Part, words: vec4<u32>) -> vec4<f32> {
    let scaling = Scaling(part.scale, part.shift);
    if DISTRIBUTION == CONSTANT {
        return vec4<f32>(part.shift);
    }
    if DISTRIBUTION == UNIFORM {
        return uniform4(scaling, words);
    }
    if DISTRIBUTION == TRUNCATED {
        return truncated4(part.table, part.low, part.high, words);
    }
    let normals = normal4(part.scale, words);
    if DISTRIBUTION == SHIFTED_NORMAL {
        return shifted4(scaling, normals);
    }
    return normals;
}

// The four values of a block.
fn values(keys: array<vec4<u32>, 5>, part: Part, block: vec2<u32>) -> vec4<f32> {
    return values_of(part, philox4x32(vec4<u32>(block, part.stream), keys));
}

// The four values of the block `n` after another one, whose product of Philox's first round is
// given: for one more it is PHILOX_M0 more. All blocks of the part have the same high word in their
// index: what Philox computes from it alone is computed once for several blocks.
fn values_after(
    keys: array<vec4<u32>, 5>,
    part: Part,
    product: vec2<u32>,
    n: u32,
) -> vec4<f32> {
    let counter = vec4<u32>(0u, block_of(part.first).y, part.stream);
    let p0 = add64(product, mul_wide(PHILOX_M0, n));
    return values_of(part, philox4x32_by(p0, counter, keys));
}

// 16 bytes of elements, from the start of the block `n` after that of this product.
fn entry(keys: array<vec4<u32>, 5>, part: Part, product: vec2<u32>, n: u32) -> vec4<u32> {
    let a = values_after(keys, part, product, n);
    if DTYPE == F32 {
        return bitcast<vec4<u32>>(a);
    }
    let b = values_after(keys, part, product, n + 1u);
    return vec4<u32>(pack(a.x, a.y), pack(a.z, a.w), pack(b.x, b.y), pack(b.z, b.w));
}

// The entries of an invocation: four blocks, which are two entries of a half-width type.
struct Entries {
    a: vec4<u32>,
    b: vec4<u32>,
    c: vec4<u32>,
    d: vec4<u32>,
}

// Entries i, i + stride... Independent work runs side by side, and common work is done once. Since
// neighbours compute neighbouring entries, their stores are of whole cache lines.
fn entries(keys: array<vec4<u32>, 5>, part: Part, i: u32, stride: u32) -> Entries {
    let blocks = select(2u, 1u, DTYPE == F32);  // of an entry
    let step = blocks * stride;
    let product = mul_wide(PHILOX_M0, block_of(part.first).x + blocks * i);
    let a = entry(keys, part, product, 0u);
    let b = entry(keys, part, product, step);
    if DTYPE != F32 {
        return Entries(a, b, vec4<u32>(), vec4<u32>());
    }
    let c = entry(keys, part, product, 2u * step);
    let d = entry(keys, part, product, 3u * step);
    return Entries(a, b, c, d);
}

// Stores entry i, if the part has it.
fn store_entry(part: Part, i: u32, value: vec4<u32>) {
    if i < part.entries {
        out[part.begin + i] = value;
    }
}

fn store_entries(part: Part, i: u32, stride: u32, made: Entries) {
    store_entry(part, i, made.a);
    store_entry(part, i + stride, made.b);
    if DTYPE == F32 {
        store_entry(part, i + 2u * stride, made.c);
        store_entry(part, i + 3u * stride, made.d);
    }
}

// Whole 16-byte entries from the start of a block, of blocks with the same high word in their
// index: `first` is a multiple of 4, `count` of an entry's elements. Four blocks for each
// invocation.
@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let p = params;
    guard = Guard(p.one, p.zero);
    let part = part_of(p);
    let i = select(2u, 4u, DTYPE == F32) * WORKGROUP_SIZE * group_index(group, groups) + local;
    // i is below 2^31.
    high_bits |= i >> 31u;
    if i < part.entries {
        store_entries(part, i, WORKGROUP_SIZE, entries(p.keys, part, i, WORKGROUP_SIZE));
    }
}

// Stores the element `offset` after the first one, if the part has it, in a word of its own.
fn store_word(part: Part, offset: u32, value: f32) {
    if offset < part.count {
        out_words[part.begin + offset] = bitcast<u32>(value);
    }
}

// Stores the elements `offset` and `offset` + 1 after the first one, as far as the part has them:
// beyond them memory stays as it is.
fn store_halves(part: Part, offset: u32, a: f32, b: f32) {
    if offset < part.count {
        let word = pack(a, b);
        let at = part.begin + offset / 2u;
        if offset + 1u < part.count {
            out_words[at] = word;
        } else {
            out_words[at] = (out_words[at] & 0xffff0000u) | (word & 0xffffu);
        }
    }
}

// Index of block n after the first one.
fn block_after_first(part: Part, n: u32) -> vec2<u32> {
    let first = block_of(part.first);
    let low = first.x + n;
    return vec2<u32>(low, first.y + u32(low < n));
}

// Any range at any word: ends of a tensor, and ranges that start inside a block. `begin` counts
// words.
@compute @workgroup_size(WORKGROUP_SIZE)
fn fill_words(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let p = params;
    guard = Guard(p.one, p.zero);
    let part = part_of(p);
    let i = WORKGROUP_SIZE * group_index(group, groups) + local;
    let phase = nonuniform(part.first.x & 3u, group);
    // Offset of the block's first element from `first`: elements before `first` wrap to offsets
    // above `count`.
    let offset = 4u * i - phase;
    if 4u * i >= part.count + phase {
        return;
    }
    let a = values(p.keys, part, block_after_first(part, i));
    if DTYPE == F32 {
        store_word(part, offset, a.x);
        store_word(part, offset + 1u, a.y);
        store_word(part, offset + 2u, a.z);
        store_word(part, offset + 3u, a.w);
    } else if (phase & 1u) == 0u {
        store_halves(part, offset, a.x, a.y);
        store_halves(part, offset + 2u, a.z, a.w);
    } else {
        // Words start at odd elements: the last one of a block ends in the next block.
        let next = values(p.keys, part, block_after_first(part, i + 1u));
        store_halves(part, offset + 1u, a.y, a.z);
        store_halves(part, offset + 3u, a.w, next.x);
    }
}

// A block and its values.
struct Block {
    index: vec2<u32>,
    values: vec4<f32>,
}

// The value of the element `index`. `block` is the block of the element before, and becomes its
// own.
fn slice_value(
    keys: array<vec4<u32>, 5>,
    part: Part,
    index: vec2<u32>,
    block: ptr<function, Block>,
) -> f32 {
    let own = block_of(index);
    if any(own != (*block).index) {
        *block = Block(own, values(keys, part, own));
    }
    return (*block).values[index.x & 3u];
}

// A slice, of elements that are not consecutive in the whole tensor: four for each invocation.
// `begin` counts words.
@compute @workgroup_size(WORKGROUP_SIZE)
fn fill_slice(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let p = params;
    guard = Guard(p.one, p.zero);
    let part = part_of(p);
    let n = 4u * (WORKGROUP_SIZE * group_index(group, groups) + local);
    if n >= part.count {
        return;
    }
    // No block has this index.
    var block = Block(vec2<u32>(0xffffffffu, 0xffffffffu), vec4<f32>());
    let a = slice_value(p.keys, part, slice_index(p.slice, n), &block);
    let b = slice_value(p.keys, part, slice_index(p.slice, n + 1u), &block);
    let c = slice_value(p.keys, part, slice_index(p.slice, n + 2u), &block);
    let d = slice_value(p.keys, part, slice_index(p.slice, n + 3u), &block);
    if DTYPE == F32 {
        store_word(part, n, a);
        store_word(part, n + 1u, b);
        store_word(part, n + 2u, c);
        store_word(part, n + 3u, d);
    } else {
        store_halves(part, n, a, b);
        store_halves(part, n + 2u, c, d);
    }
}
