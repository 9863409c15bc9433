//! The spread that Xavier prescribes, with fans written by hand.

use gpu_init::Layout::{self, KernelInOut, OutInKernel};
use gpu_init::{Distribution, Initializer, TensorSpec};

use crate::common::statistics::Family;
use crate::{assert_close, fill, sized};

/// A layer's weight with its fan_in and fan_out, in PyTorch's order of axes or in Keras'.
type Layer = (&'static str, &'static [usize], Layout, u64, u64);

/// Fans by `torch.nn.init._calculate_fan_in_and_fan_out` (size 1 and size 0, times all further
/// ones) and `keras.initializers.compute_fans` (the last but one and the last, times all before).
const LAYERS: [Layer; 18] = [
    ("Linear(300, 100)", &[100, 300], OutInKernel, 300, 100),
    ("Linear(768, 50257)", &[50257, 768], OutInKernel, 768, 50257),
    ("Linear(1, 1000)", &[1000, 1], OutInKernel, 1, 1000),
    ("Conv1d(128, 256, 3)", &[256, 128, 3], OutInKernel, 384, 768),
    ("Conv2d(3, 64, 7)", &[64, 3, 7, 7], OutInKernel, 147, 3136),
    ("Conv2d(256, 512, 1)", &[512, 256, 1, 1], OutInKernel, 256, 512),
    ("Conv2d(96, 96, 7, groups=96)", &[96, 1, 7, 7], OutInKernel, 49, 4704),
    ("ConvTranspose2d(64, 32, 4)", &[64, 32, 4, 4], OutInKernel, 512, 1024),
    ("Conv3d(8, 16, (3, 5, 7))", &[16, 8, 3, 5, 7], OutInKernel, 840, 1680),
    ("Dense(100)", &[300, 100], KernelInOut, 300, 100),
    ("GPT-2 Conv1D(2304, 768)", &[768, 2304], KernelInOut, 768, 2304),
    ("Conv1D(256, 3)", &[3, 128, 256], KernelInOut, 384, 768),
    ("Conv2D(64, 7)", &[7, 7, 3, 64], KernelInOut, 147, 3136),
    ("Conv2D(512, 1)", &[1, 1, 256, 512], KernelInOut, 256, 512),
    ("Conv2DTranspose(32, 4)", &[4, 4, 32, 64], KernelInOut, 512, 1024),
    ("DepthwiseConv2D(3)", &[3, 3, 96, 1], KernelInOut, 864, 9),
    ("Conv3D(16, (3, 5, 7))", &[3, 5, 7, 8, 16], KernelInOut, 840, 1680),
    ("MultiHeadAttention(8, 64)", &[512, 8, 64], KernelInOut, 4096, 32768),
];

/// The standard deviation by the fans.
fn xavier(fan_in: u64, fan_out: u64) -> f64 {
    (2.0 / (fan_in + fan_out) as f64).sqrt()
}

/// The number that the values are multiplied by is rounded once to f32.
fn check_distribution(spec: &TensorSpec, layer: &str, std: f64) {
    match spec.resolve(42, 0).unwrap().distribution {
        Distribution::Normal { mean, std: actual, .. } => {
            assert_eq!((mean, actual), (0.0, std as f32), "{layer}")
        }
        Distribution::Uniform { mean, bound, .. } => {
            assert_eq!(mean, 0.0, "{layer}");
            assert_close(bound.into(), 3f64.sqrt() * std, 6.1e-8);
        }
        _ => panic!("{layer} is constant"),
    }
}

/// The number, the sum and the sum of squares of 4.2e6 values or more, from several tensors if one
/// has fewer.
fn sums(spec: &TensorSpec, name: &str) -> (f64, f64, f64) {
    let size = spec.shape().dims().iter().product();
    let tensors = sized(22).div_ceil(size);
    let (mut sum, mut squares) = (0.0, 0.0);
    for i in 0..tensors {
        let values: Vec<f32> = fill(&spec.clone().name(&format!("{name} {i}")));
        assert_eq!(values.len(), size);
        sum += values.iter().map(|&x| f64::from(x)).sum::<f64>();
        squares += values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    }
    ((tensors * size) as f64, sum, squares)
}

/// Mean and standard deviation of both Xavier initializers for each layer, against sqrt(2 /
/// (fan_in + fan_out)). The other layout's standard deviation must be rejected where it differs.
#[test]
fn xavier_has_the_spread_of_the_fans() {
    for (scheme, initializer, kurtosis) in [
        ("xavier normal", Initializer::xavier_normal(), 3.0),
        ("xavier uniform", Initializer::xavier_uniform(), 1.8),
    ] {
        let mut scores = Vec::new();
        let mut distinguished = 0;
        for (layer, shape, layout, fan_in, fan_out) in LAYERS {
            let spec = TensorSpec::new(shape, initializer).layout(layout.clone());
            assert_eq!(layout.fans(spec.shape()), Some((fan_in, fan_out)), "{layer}");
            let expected = xavier(fan_in, fan_out);
            check_distribution(&spec, layer, expected);

            let (n, sum, squares) = sums(&spec, &format!("{scheme} {layer}"));
            let std_score = |std: f64| {
                ((squares / n).sqrt() / std - 1.0) / ((kurtosis - 1.0) / (4.0 * n)).sqrt()
            };
            scores.push((format!("mean of {layer}"), sum / n / (expected / n.sqrt())));
            scores.push((format!("std of {layer}"), std_score(expected)));

            let other = if layout == OutInKernel { KernelInOut } else { OutInKernel };
            let (fan_in, fan_out) = other.fans(spec.shape()).unwrap();
            let wrong = xavier(fan_in, fan_out);
            if wrong != expected {
                assert!(std_score(wrong).abs() > 10.0, "{layer} has the spread of either layout");
                distinguished += 1;
            }
        }
        Family::of_scores(format!("spread of {scheme}"), scores).accept();
        // All but those with two dimensions, whose fans are only exchanged.
        assert_eq!(distinguished, 13);
    }
}
