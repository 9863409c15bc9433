// The sum mod 2^64 of a hash of every element's bits and index. Mirrored by
// src/reduce/fingerprint.rs. A sum of integers does not depend on order, so parts add up to the
// whole.

@group(0) @binding(2) var<storage, read_write> sums: array<vec2<u32>>;

var<workgroup> lane_hashes: array<vec2<u32>, LANES>;

const HASH_BITS: u32 = 0x243f6a88u;
const HASH_INDEX: u32 = 0x9e3779b9u;
const HASH_M0: u32 = 0x9e3779b1u;
const HASH_M1: u32 = 0x85ebca77u;
const HASH_M2: u32 = 0xc2b2ae3du;
const HASH_M3: u32 = 0x27d4eb2fu;
const HASH_M4: u32 = 0xd2511f53u;
const HASH_M5: u32 = 0xcd9e8d57u;

fn mixed(word: u32, shift: u32) -> u32 {
    return word ^ (word >> shift);
}

// The hash of an element of these bits: its low and its high word. Each step can be undone, so no
// two pairs of bits and `index.x` have one hash.
fn element_hash(bits: u32, index: vec2<u32>) -> vec2<u32> {
    var a = bits + HASH_BITS;
    var b = index.x + index.y * HASH_INDEX;
    b = mixed(b + a * HASH_M0, 15u);
    a = mixed(a + b * HASH_M1, 16u);
    b = mixed(b + a * HASH_M2, 15u);
    a = mixed((a ^ index.y) + b * HASH_M3, 16u);
    b = mixed(b + a * HASH_M4, 15u);
    a = mixed(a + b * HASH_M5, 16u);
    return vec2<u32>(a, b);
}

// The hash of element `i` of those from `begin` on; of two words the sum of theirs.
fn hash_at(begin: u32, i: u32, index: vec2<u32>) -> vec2<u32> {
    if DTYPE == F64 {
        let word = add64(index, index);
        let low = element_hash(input[begin + 2u * i], word);
        return add64(low, element_hash(input[begin + 2u * i + 1u], word + vec2<u32>(1u, 0u)));
    }
    return element_hash(element_bits(begin, i), index);
}

// Sums the hashes of `len` elements from `start` on, in entry 0 of lane_hashes.
fn hash_up(p: Params, start: u32, len: u32, is_slice: bool, lane: u32) {
    var sum = vec2<u32>(0u, 0u);
    for (var i = lane; i < len; i += LANES) {
        var index = add64(p.first, vec2<u32>(start + i, 0u));
        if is_slice {
            index = slice_index(p.slice, start + i);
        }
        sum = add64(sum, hash_at(p.begin, start + i, index));
    }
    lane_hashes[lane] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lane_hashes[lane] = add64(lane_hashes[lane], lane_hashes[lane + half]);
        }
    }
}

@compute @workgroup_size(LANES)
fn fingerprint(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = params;
    let chunk = group_index(group, groups);
    let is_slice = nonuniform(p.slice.run, group) > 0u;
    hash_up(p, CHUNK * chunk, chunk_len(p.count, chunk), is_slice, lane);
    if lane == 0u && has_chunk(p.count, chunk) {
        sums[chunk] = lane_hashes[0];
    }
}
