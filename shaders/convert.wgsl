// Writes F64 and 8-bit elements from their F32 values, and words as they are. Every invocation
// writes a word. Expects f64_words, f8_e4m3_bits and f8_e5m2_bits.

struct Params {
    words: u32,  // words to write
    last: u32,   // mask of the bits to write in the last one
    begin: u32,  // the first one's offset
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;

fn f8_of(value: u32) -> u32 {
    if DTYPE == F8_E4M3 {
        return f8_e4m3_bits(value);
    }
    return f8_e5m2_bits(value);
}

// Word `n` of the converted elements.
fn converted(n: u32) -> u32 {
    if DTYPE == F64 {
        let words = f64_words(source[n / 2u]);
        return select(words.x, words.y, (n & 1u) == 1u);
    }
    if DTYPE == F8_E4M3 || DTYPE == F8_E5M2 {
        let i = 4u * n;
        return f8_of(source[i]) | (f8_of(source[i + 1u]) << 8u)
            | (f8_of(source[i + 2u]) << 16u) | (f8_of(source[i + 3u]) << 24u);
    }
    return source[n];
}

@compute @workgroup_size(256)
fn convert(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let p = params;
    let n = group_index(group, groups) * 256u + local;
    if n >= p.words {
        return;
    }
    let word = converted(n);
    // No other invocation writes the bytes beside the last element.
    let mask = select(0xffffffffu, p.last, n == p.words - 1u);
    if mask == 0xffffffffu {
        out[p.begin + n] = word;
    } else {
        out[p.begin + n] = (out[p.begin + n] & ~mask) | (word & mask);
    }
}
