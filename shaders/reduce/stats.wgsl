// Counts, range and centred moments of each chunk of a tensor. Mirrored by src/reduce/stats.rs. A
// chunk is read twice: first for its range, then for sums of (x - centre) scaled into [-1, 1], so
// that neither a large mean nor a huge or tiny spread costs precision. The host merges the chunks
// in f64.

struct Chunk {
    finite: u32,  // number of finite values, NaNs and infinities
    nan: u32,
    infinite: u32,
    min: u32,     // ordered keys of the smallest and the largest finite value
    max: u32,
    sum: f32,     // of d = (x - centre) * scale
    square: f32,  // of d * d
}

var<workgroup> lane_counts: array<vec3<u32>, LANES>;  // finite, nan, infinite
var<workgroup> lane_ranges: array<vec2<u32>, LANES>;  // min, max
var<workgroup> lane_sums: array<vec2<f32>, LANES>;    // sum, square

// The f32 bits of an element of these bits, exactly.
fn widened(bits: u32) -> u32 {
    if DTYPE == F32 || DTYPE == F64 {
        return bits;
    }
    if DTYPE == BF16 {
        return bits << 16u;
    }
    if DTYPE == F8_E4M3 {
        return widened_e4m3((bits & 0x80u) << 24u, bits & 0x7fu);
    }
    // E5M2 is the upper byte of an F16.
    let half = select(bits, bits << 8u, DTYPE == F8_E5M2);
    let sign = (half & 0x8000u) << 16u;
    let magnitude = half & 0x7fffu;
    if magnitude >= 0x7c00u {
        return sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13u);
    }
    if magnitude < 0x400u {
        // A subnormal is an integer below 2^10 times 2^-24.
        return sign | bitcast<u32>(f32(magnitude) * 0x1p-24f);
    }
    return sign | ((magnitude << 13u) + 0x38000000u);
}

fn widened_e4m3(sign: u32, magnitude: u32) -> u32 {
    if magnitude == 0x7fu {
        return sign | 0x7fc00000u;
    }
    if magnitude < 8u {
        // A subnormal is an integer below 8 times 2^-9.
        return sign | bitcast<u32>(f32(magnitude) * 0x1p-9f);
    }
    return sign | ((magnitude << 20u) + 0x3c000000u);
}

// An unsigned integer for each float, in the same order, -0 before +0.
fn ordered_key(bits: u32) -> u32 {
    return bits ^ select(0x80000000u, 0xffffffffu, (bits & 0x80000000u) != 0u);
}

fn from_ordered_key(key: u32) -> f32 {
    return bitcast<f32>(key ^ select(0xffffffffu, 0x80000000u, (key & 0x80000000u) != 0u));
}

// x / 2 by its exponent, so that no compiler turns a / 2 + b / 2 into (a + b) / 2, which may
// overflow.
fn halved(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    return select(x * 0.5f, bitcast<f32>(bits - 0x00800000u), (bits & 0x7f800000u) > 0x00800000u);
}

// 2^-e for a half range in [2^e, 2^(e + 1)), clamped to normal numbers.
fn scale_for(half_range: f32) -> f32 {
    let exponent = clamp(bitcast<u32>(half_range) >> 23u, 1u, 253u);
    return bitcast<f32>((254u - exponent) << 23u);
}

// Counts `len` elements from `start` on of those at `begin` and finds their range, in entry 0 of
// lane_counts and lane_ranges.
fn count(begin: u32, start: u32, len: u32, lane: u32) {
    var counts = vec3<u32>(0u);
    var low = 0xffffffffu;
    var high = 0u;
    for (var i = lane; i < len; i += LANES) {
        let bits = widened(element_bits(begin, start + i));
        let magnitude = bits & 0x7fffffffu;
        if magnitude < 0x7f800000u {
            counts.x += 1u;
            low = min(low, ordered_key(bits));
            high = max(high, ordered_key(bits));
        } else if magnitude == 0x7f800000u {
            counts.z += 1u;
        } else {
            counts.y += 1u;
        }
    }
    lane_counts[lane] = counts;
    lane_ranges[lane] = vec2<u32>(low, high);
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lane_counts[lane] += lane_counts[lane + half];
            let a = lane_ranges[lane];
            let b = lane_ranges[lane + half];
            lane_ranges[lane] = vec2<u32>(min(a.x, b.x), max(a.y, b.y));
        }
    }
    workgroupBarrier();
}

// Sums d = (x - centre) * scale and d * d over the same elements, in entry 0 of lane_sums.
fn sum_up(begin: u32, start: u32, len: u32, lane: u32, centre: f32, scale: f32) {
    var sum = 0.0f;
    var square = 0.0f;
    for (var i = lane; i < len; i += LANES) {
        let bits = widened(element_bits(begin, start + i));
        if (bits & 0x7fffffffu) < 0x7f800000u {
            let d = (bitcast<f32>(bits) - centre) * scale;
            sum = opaque(sum + d);
            square = opaque(mul_add(d, d, square));
        }
    }
    lane_sums[lane] = vec2<f32>(sum, square);
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            lane_sums[lane] += lane_sums[lane + half];
        }
    }
}

// The statistics of a chunk, for its first lane alone.
fn chunk_stats(begin: u32, start: u32, len: u32, lane: u32) -> Chunk {
    count(begin, start, len, lane);
    let range = lane_ranges[0];
    let minimum = from_ordered_key(range.x);
    let maximum = from_ordered_key(range.y);
    let centre = halved(maximum) + halved(minimum);
    sum_up(begin, start, len, lane, centre, scale_for(halved(maximum) - halved(minimum)));
    return Chunk(
        lane_counts[0].x, lane_counts[0].y, lane_counts[0].z,
        range.x, range.y, lane_sums[0].x, lane_sums[0].y,
    );
}
