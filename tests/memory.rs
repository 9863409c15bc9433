//! A program that fills for ever needs no more memory than one that fills once: neither this
//! library nor a driver keeps anything of a fill whose tensor is gone.
#![cfg(target_os = "linux")]

#[path = "common/gpu.rs"]
mod gpu;

use gpu_init::{DType, Device, TensorSpec};

/// Bytes that may stay of a call and not be a leak.
const MOST_LEFT: i64 = 20_000;

/// Bytes of this process in memory.
fn resident() -> i64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    4096 * pages.split(' ').nth(1).unwrap().parse::<i64>().unwrap()
}

/// Bytes that each call leaves behind. What is kept of every call grows in every round; an
/// allocator or a driver that takes another few megabytes at once, as they do now and then, does so
/// in one.
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

/// Mesa 22.3's llvmpipe kept about 220 KB of each sparse fill: its kernel, compiled anew with the
/// values of the uniforms.
#[test]
fn nothing_is_left_of_a_fill() {
    let Some(device) = gpu::device() else { return };
    let matrix = |init: &str| TensorSpec::new([70, 30], init.parse().unwrap());
    let kernel = |init: &str| TensorSpec::new([8, 8, 5], init.parse().unwrap());
    let fill = |parameter: &TensorSpec| {
        device.fill(parameter).unwrap();
        device.wait().unwrap();
    };
    for dtype in DType::ALL {
        for parameter in [
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
            let parameter = parameter.dtype(dtype);
            let left = left_by(|| fill(&parameter));
            assert!(left < MOST_LEFT, "{left} bytes stay of each {parameter:?}");
        }
    }
    fingerprints_and_statistics(&device);
}

fn fingerprints_and_statistics(device: &Device) {
    let whole = TensorSpec::new([70, 30], "xavier_normal".parse().unwrap());
    for tensor in
        [&whole, &whole.clone().slice(1, 3..9)].map(|parameter| device.fill(parameter).unwrap())
    {
        let left = left_by(|| _ = (tensor.fingerprint().unwrap(), tensor.stats().unwrap()));
        assert!(left < MOST_LEFT, "{left} bytes stay of each examination of {tensor:?}");
    }
    let many = vec![whole; 40];
    let left = left_by(|| {
        device.fill_all(&many).unwrap();
        device.wait().unwrap();
    });
    assert!(left < MOST_LEFT, "{left} bytes stay of many small tensors");
}
