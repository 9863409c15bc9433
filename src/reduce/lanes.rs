//! The order of the sums. Mirrored by `shaders/reduce/lanes.wgsl`.

/// Lanes of a workgroup; lane l takes elements l, l + LANES, l + 2 LANES... of a chunk.
pub(crate) const LANES: usize = 256;
/// Elements that a workgroup reduces.
pub(crate) const CHUNK: usize = 16384;
/// Chunks that one core reduces at a time, as many elements as it fills at a time: fewer are not
/// worth waking another.
pub(crate) const TOGETHER: usize = 4;

/// Adds lanes pairwise, the upper half onto the lower, as the shaders do.
pub(crate) fn reduce_lanes<T: Copy>(mut lanes: [T; LANES], add: impl Fn(T, T) -> T) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = add(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}
