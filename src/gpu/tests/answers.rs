//! Known answers of the generators, and streams.

use crate::gpu::engine::context::Context;
use crate::gpu::engine::readback;
use crate::gpu::tests::{context, dispatch, wide_muls};
use crate::gpu::wgsl::{self, FpGuard};
use crate::spec::streams::Streams;
use crate::stream::philox::round_keys;
use crate::stream::philox::tests::known_answers;
use crate::{Initializer, TensorSpec};

/// The generator, by both multiplications, on the device, from the table that the CPU's test reads.
#[test]
fn known_answers_on_the_device() {
    let Some(context) = context() else { return };
    const MAIN: &str = "
        struct Row { counter: vec4<u32>, keys: array<vec4<u32>, 5>, words: vec4<u32> }
        @group(0) @binding(0) var<storage, read_write> rows: array<Row>;
        @compute @workgroup_size(1)
        fn main(@builtin(workgroup_id) id: vec3<u32>) {
            let r = rows[id.x];
            rows[id.x].words = philox4x32(r.counter, r.keys);
        }";
    #[repr(C)]
    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    struct Row {
        counter: [u32; 4],
        keys: [[u32; 4]; 5],
        words: [u32; 4],
    }
    let answers = known_answers("philox4x32");
    let row = |row: &Vec<u32>| Row {
        counter: row[..4].try_into().unwrap(),
        keys: round_keys(u64::from(row[5]) << 32 | u64::from(row[4])),
        words: [0; 4],
    };
    for wide_mul in wide_muls(&context.device) {
        let fill = wgsl::fill(wide_mul, FpGuard::NoReassociation);
        let source = fill.split("const F32").next().unwrap().to_owned() + MAIN;
        let mut rows: Vec<Row> = answers.iter().map(row).collect();
        run(&context, source, &mut rows);
        for (answer, row) in answers.iter().zip(rows) {
            assert_eq!(answer[6..], row.words, "by {wide_mul:?}");
        }
    }
}

/// The same of the fingerprint's hash.
#[test]
fn known_hashes_on_the_device() {
    let Some(context) = context() else { return };
    const MAIN: &str = "
        struct Row { bits: u32, low: u32, high: u32, hash_low: u32, hash_high: u32 }
        @group(0) @binding(0) var<storage, read_write> rows: array<Row>;
        @compute @workgroup_size(1)
        fn main(@builtin(workgroup_id) id: vec3<u32>) {
            let r = rows[id.x];
            let hash = element_hash(r.bits, vec2<u32>(r.low, r.high));
            rows[id.x].hash_low = hash.x;
            rows[id.x].hash_high = hash.y;
        }";
    let answers = known_answers("element_hash");
    let mut rows: Vec<[u32; 5]> =
        answers.iter().map(|row| [row[0], row[1], row[2], 0, 0]).collect();
    // The function alone, without the bindings about it.
    let module = wgsl::reduce(FpGuard::NoReassociation);
    let hash = module.split("const HASH_BITS").nth(1).unwrap();
    let hash = hash.split("// The hash of element `i`").next().unwrap();
    run(&context, format!("const HASH_BITS{hash}{MAIN}"), &mut rows);
    for (answer, row) in answers.iter().zip(rows) {
        assert_eq!(answer[..], row);
    }
}

/// Runs a kernel on each row of a buffer.
fn run<T: bytemuck::Pod>(context: &Context, source: String, rows: &mut [T]) {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let buffer = context.buffer_with(bytemuck::cast_slice(rows), usage);
    let buffer = pollster::block_on(buffer).unwrap();
    dispatch(context, source, &[], &[&buffer], [rows.len() as u32, 1]);
    let bytes = pollster::block_on(readback::read_all(context, &buffer)).unwrap();
    rows.copy_from_slice(bytemuck::cast_slice(&bytes));
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
