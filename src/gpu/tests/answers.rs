//! Known answers of the generators, and streams.

use crate::gpu::engine::readback;
use crate::gpu::tests::{context, dispatch, wide_muls};
use crate::gpu::wgsl::{self, FpGuard};
use crate::spec::streams::Streams;
use crate::stream::philox::round_keys;
use crate::stream::philox::tests::known_answers;
use crate::{Initializer, TensorSpec};

/// Both generators, by both multiplications, on the device, from the table that the CPU's test
/// reads.
#[test]
fn known_answers_on_the_device() {
    let Some(context) = context() else { return };
    const MAIN: &str = "
        struct Row { counter: vec4<u32>, keys: array<vec4<u32>, 5>, four: vec4<u32>, two: vec2<u32> }
        @group(0) @binding(0) var<storage, read_write> rows: array<Row>;
        @compute @workgroup_size(1)
        fn main(@builtin(workgroup_id) id: vec3<u32>) {
            let r = rows[id.x];
            rows[id.x].four = philox4x32(r.counter, r.keys);
            rows[id.x].two = philox2x32(r.counter.xy, r.counter.z);
        }";
    /// `Row`: the last two words are padding.
    #[repr(C)]
    #[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
    struct Row {
        counter: [u32; 4],
        keys: [[u32; 4]; 5],
        four: [u32; 4],
        two: [u32; 4],
    }
    for wide_mul in wide_muls(&context.device) {
        let fill = wgsl::fill(wide_mul, FpGuard::NoReassociation);
        let source = fill.split("const F32").next().unwrap().to_owned() + MAIN;
        let (four, two) = (known_answers("philox4x32"), known_answers("philox2x32"));
        let with_key = |row: &Vec<u32>| Row {
            counter: row[..4].try_into().unwrap(),
            keys: round_keys(u64::from(row[5]) << 32 | u64::from(row[4])),
            ..Row::default()
        };
        let without =
            |row: &Vec<u32>| Row { counter: [row[0], row[1], row[2], 0], ..Row::default() };
        let mut rows: Vec<Row> = four.iter().map(with_key).chain(two.iter().map(without)).collect();
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let buffer = context.buffer_with(bytemuck::cast_slice(&rows), usage);
        let buffer = pollster::block_on(buffer).unwrap();
        dispatch(&context, source, &[], &[&buffer], [rows.len() as u32, 1]);
        let bytes = pollster::block_on(readback::read_all(&context, &buffer)).unwrap();
        rows.copy_from_slice(bytemuck::cast_slice(&bytes));
        let (fours, twos) = rows.split_at(four.len());
        for (row, actual) in four.iter().zip(fours) {
            assert_eq!(row[6..], actual.four, "philox4x32 by {wide_mul:?}");
        }
        for (row, actual) in two.iter().zip(twos) {
            assert_eq!(row[3..], actual.two[..2], "philox2x32 by {wide_mul:?}");
        }
    }
}

/// A call that fails takes no stream from the next one.
#[test]
fn a_failed_call_takes_no_stream() {
    let streams = Streams::default();
    let next =
        |spec: TensorSpec| streams.resolve(&spec).ok().map(|fill| streams.take(&spec, fill).stream);
    let weight = |shape: &[usize]| TensorSpec::new(shape, Initializer::xavier_normal());
    let bias = TensorSpec::new([3], Initializer::zeros()).name("b");
    let taken = [weight(&[3]), weight(&[3, 3]), bias, weight(&[3, 3])].map(next);
    assert_eq!(taken, [None, Some(0), Some(crate::stream_of("b")), Some(1)]);
}
