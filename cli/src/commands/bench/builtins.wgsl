// Four normals by WGSL's built-in functions: Box-Muller with the same words, instead of
// sample.wgsl's.
fn built_in_pair(scale: f32, radius_word: u32, angle_word: u32) -> vec2<f32> {
    let r = sqrt(-log2(f32(radius_word) * 0x1p-32f + 0x1p-33f)) * scale;
    // In [-pi, pi), where WGSL specifies how exact sin and cos are.
    let angle = f32(i32(angle_word)) * 0x1.921fb6p-30f;
    return vec2<f32>(r * cos(angle), r * sin(angle));
}

fn normal4(scale: f32, words: vec4<u32>) -> vec4<f32> {
    let a = built_in_pair(scale, words.x, words.y);
    return vec4<f32>(a, built_in_pair(scale, words.z, words.w));
}
