//! Fills leak no memory: neither this library nor a driver keeps anything after a tensor is
//! dropped.
#![cfg(all(target_os = "linux", feature = "gpu"))]

#[path = "common/gpu.rs"]
mod gpu;

use gpu_init::{DType, Device, TensorSpec};

/// Bytes that a call may leave without a leak.
const MOST_LEFT: i64 = 20_000;

/// The resident bytes of this process.
fn resident() -> i64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    4096 * pages.split(' ').nth(1).unwrap().parse::<i64>().unwrap()
}

/// The bytes that each call leaves behind: the least of several rounds. A leak grows in every
/// round; allocators and drivers that now and then take a few megabytes at once do so in one.
fn left_by(mut call: impl FnMut()) -> i64 {
    const CALLS: i64 = 60;
    const ROUNDS: usize = 6;
    (0..40).for_each(|_| call());
    let mut least = i64::MAX;
    for _ in 0..ROUNDS {
        let before = resident();
        (0..CALLS).for_each(|_| call());
        least = least.min((resident() - before) / CALLS);
        if least < MOST_LEFT {
            break;
        }
    }
    least
}

/// Mesa 22.3's llvmpipe kept about 220 KB for each sparse fill: it compiled the kernel again for
/// every value of the uniforms.
#[test]
fn fills_leave_no_memory_behind() {
    let Some(device) = gpu::device() else { return };
    let matrix = |init: &str| TensorSpec::new([70, 30], init.parse().unwrap());
    let kernel = |init: &str| TensorSpec::new([8, 8, 5], init.parse().unwrap());
    let fill = |spec: &TensorSpec| {
        device.fill(spec).unwrap();
        device.wait().unwrap();
    };
    for dtype in DType::SAMPLED {
        for spec in [
            matrix("xavier_normal"),
            matrix("xavier_normal").elements(1..2000),
            matrix("xavier_normal").slice(1, 3..9),
            matrix("xavier_normal").zero_rows(2..3),
            matrix("glorot_normal"),
            matrix("uniform(a=1, b=2)"),
            matrix("ones"),
            matrix("eye"),
            matrix("sparse(sparsity=0.5)"),
            matrix("sparse(sparsity=0.5)").slice(1, 3..9),
            matrix("orthogonal"),
            kernel("dirac"),
            kernel("delta_orthogonal"),
        ] {
            let spec = spec.dtype(dtype);
            let left = left_by(|| fill(&spec));
            assert!(left < MOST_LEFT, "{left} bytes are left by each {spec:?}");
        }
    }
    fingerprints_and_statistics(&device);
}

fn fingerprints_and_statistics(device: &Device) {
    let whole = TensorSpec::new([70, 30], "xavier_normal".parse().unwrap());
    for tensor in [&whole, &whole.clone().slice(1, 3..9)].map(|spec| device.fill(spec).unwrap()) {
        let left = left_by(|| _ = (tensor.fingerprint().unwrap(), tensor.stats().unwrap()));
        assert!(left < MOST_LEFT, "{left} bytes are left by each examination of {tensor:?}");
    }
    let many = vec![whole; 40];
    let left = left_by(|| {
        device.fill_all(&many).unwrap();
        device.wait().unwrap();
    });
    assert!(left < MOST_LEFT, "{left} bytes are left by many small tensors");
}
