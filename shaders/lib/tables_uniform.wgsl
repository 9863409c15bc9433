// One table, as in tables.wgsl, in a uniform buffer: where a CPU's vectors run the lanes, drivers load
// from it without a branch for each lane. A GPU serves lanes that read different cubics one by one.
@group(0) @binding(2) var<uniform> tables: array<vec4<f32>, 2u * SIDE>;
