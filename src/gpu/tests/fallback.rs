//! Threads that fill while a kernel proves wrong on another one: no kernel runs that was not verified.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::gpu::device::Device;
use crate::gpu::engine::pipelines::Sources;
use crate::gpu::options::FillOptions;
use crate::gpu::tests::{assert_wrong, device, known, open_sources};
use crate::gpu::wgsl::{FpGuard, Variant, WideMul};
use crate::{Cpu, DType, Initializer, TensorSpec};

/// A wrong sign in slices alone.
const SLICES: (&str, &str) =
    ("return (*block).values[index.x & 3u];", "return -(*block).values[index.x & 3u];");
/// The same in all normals.
const NORMALS: (&str, &str) =
    ("vec2<f32>(r * point.x, r * point.y)", "vec2<f32>(-r * point.x, -r * point.y)");

/// A device whose slices are wrong until its shaders are guarded, with these patches of the guarded
/// ones; `None` where there is no adapter, or the strictest guard is in force from the start.
fn open(guarded_patches: &[(&str, &str)]) -> Option<Device> {
    let fp_guard = device()?.fp_guard();
    if fp_guard == FpGuard::NoReassociation {
        return None;
    }
    let guards = [fp_guard, FpGuard::NoReassociation];
    let [first, guarded] = guards.map(|guard| Variant::portable(WideMul::Limbs, guard));
    let mut sources = Sources::new(first);
    sources.patches = known(first, &[SLICES]);
    sources.guarded_patches = known(guarded, guarded_patches);
    Some(open_sources(sources, true)?.unwrap())
}

fn normal(name: &str) -> TensorSpec {
    TensorSpec::new([600, 512], Initializer::xavier_normal()).name(name)
}

/// Amid a fill another one makes the device fall back, to shaders whose normals are wrong: the fill
/// goes on with the kernel that was verified for it, and later ones find the wrong one.
#[test]
fn a_fill_goes_on_with_the_kernels_that_were_verified_for_it() {
    let Some(mut device) = open(&[NORMALS]) else { return };
    // Many submissions, though the tensor is small.
    let limits = &mut Arc::get_mut(&mut device.inner).unwrap().engine.limits;
    (limits.binding, limits.step) = (1 << 16, 1 << 8);
    let (guard, spec) = (device.fp_guard(), normal("w"));
    let mut calls = 0;
    let mut progress = |done, total| {
        if calls == 0 {
            assert!(done < total / 2, "{done} of {total}");
            assert_eq!(device.fp_guard(), guard);
            assert_wrong(device.fill(&spec.clone().slice(1, 3..60)), "normal F32");
            assert_eq!(device.fp_guard(), FpGuard::NoReassociation);
        }
        calls += 1;
        ControlFlow::Continue(())
    };
    let filled = device.fill_with(&spec, FillOptions::new().progress(&mut progress)).unwrap();
    assert!(calls > 1);
    assert!(filled.read().unwrap() == Cpu::new().fill(&spec).unwrap(), "other bits");
    assert_wrong(device.fill(&spec), "normal F32");
}

/// Threads fill, reduce and read while one of them makes the device fall back, at a time that
/// differs from run to run: all get the CPU's bits.
#[test]
fn threads_fill_while_a_device_falls_back() {
    for _ in 0..2 {
        let Some(device) = open(&[]) else { return };
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let device = &device;
                scope.spawn(move || {
                    for (dtype, i) in [DType::F32, DType::BF16, DType::F16].into_iter().zip(0..) {
                        let mut spec = normal(&format!("{thread}.{i}")).dtype(dtype);
                        if i == thread {
                            spec = spec.slice(1, 3..60);
                        }
                        let expected = Cpu::new().fill(&spec).unwrap();
                        let tensor = device.fill(&spec).unwrap();
                        assert!(tensor.read().unwrap() == expected, "{spec:?}");
                        assert_eq!(tensor.summary().unwrap(), expected.summary(), "{spec:?}");
                    }
                });
            }
        });
        assert_eq!(device.fp_guard(), FpGuard::NoReassociation);
    }
}
