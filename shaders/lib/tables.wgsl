// The tables, one after the other. Coefficients in rising powers; the cubics of a table go from the
// lower end of the distribution to its median, then from the upper end.
@group(0) @binding(2) var<storage, read> tables: array<vec4<f32>>;
