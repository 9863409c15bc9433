//! The spread that Xavier prescribes, by fans written by hand.

use gpu_init::{Distribution, Initializer, Layout, TensorSpec};

use crate::common::statistics::Family;
use crate::{assert_close, fill, sized};

/// Mean and deviation of both Xavier initializers on 4.2e6 values of each shape against sqrt(2 /
/// (fan_in + fan_out)), the fans written by hand from `torch.nn.init._calculate_fan_in_and_fan_out`
/// (size 1 and size 0 times all further ones) and `keras.initializers.compute_fans` (the last but
/// one and the last times all before). The other layout's deviation must be rejected where it
/// differs.
#[test]
fn xavier_has_the_spread_of_the_fans() {
    #[derive(Clone, Copy)]
    enum Rule {
        Torch,
        Keras,
    }
    use Rule::{Keras, Torch};
    let layout = |rule| match rule {
        Torch => Layout::OutInKernel,
        Keras => Layout::KernelInOut,
    };
    let table: [(&str, &[usize], Rule, u64, u64); 18] = [
        ("Linear(300, 100)", &[100, 300], Torch, 300, 100),
        ("Linear(768, 50257)", &[50257, 768], Torch, 768, 50257),
        ("Linear(1, 1000)", &[1000, 1], Torch, 1, 1000),
        ("Conv1d(128, 256, 3)", &[256, 128, 3], Torch, 384, 768),
        ("Conv2d(3, 64, 7)", &[64, 3, 7, 7], Torch, 147, 3136),
        ("Conv2d(256, 512, 1)", &[512, 256, 1, 1], Torch, 256, 512),
        ("Conv2d(96, 96, 7, groups=96)", &[96, 1, 7, 7], Torch, 49, 4704),
        ("ConvTranspose2d(64, 32, 4)", &[64, 32, 4, 4], Torch, 512, 1024),
        ("Conv3d(8, 16, (3, 5, 7))", &[16, 8, 3, 5, 7], Torch, 840, 1680),
        ("Dense(100)", &[300, 100], Keras, 300, 100),
        ("GPT-2 Conv1D(2304, 768)", &[768, 2304], Keras, 768, 2304),
        ("Conv1D(256, 3)", &[3, 128, 256], Keras, 384, 768),
        ("Conv2D(64, 7)", &[7, 7, 3, 64], Keras, 147, 3136),
        ("Conv2D(512, 1)", &[1, 1, 256, 512], Keras, 256, 512),
        ("Conv2DTranspose(32, 4)", &[4, 4, 32, 64], Keras, 512, 1024),
        ("DepthwiseConv2D(3)", &[3, 3, 96, 1], Keras, 864, 9),
        ("Conv3D(16, (3, 5, 7))", &[3, 5, 7, 8, 16], Keras, 840, 1680),
        ("MultiHeadAttention(8, 64)", &[512, 8, 64], Keras, 4096, 32768),
    ];
    for (distribution, initializer, kurtosis) in [
        ("xavier normal", Initializer::xavier_normal(), 3.0),
        ("xavier uniform", Initializer::xavier_uniform(), 1.8),
    ] {
        let mut scores = Vec::new();
        let mut told_apart = 0;
        for (layer, shape, rule, fan_in, fan_out) in table {
            let parameter = TensorSpec::new(shape, initializer).layout(layout(rule));
            assert_eq!(layout(rule).fans(parameter.shape()), Some((fan_in, fan_out)), "{layer}");
            let expected = (2.0 / (fan_in + fan_out) as f64).sqrt();
            // The number that the values are multiplied by, rounded once to f32.
            match parameter.resolve(42, 0).unwrap().distribution {
                Distribution::Normal { mean, std, .. } => {
                    assert_eq!((mean, std), (0.0, expected as f32), "{layer}")
                }
                Distribution::Uniform { mean, bound, .. } => {
                    assert_eq!(mean, 0.0, "{layer}");
                    assert_close(bound.into(), (6.0 / (fan_in + fan_out) as f64).sqrt(), 6.1e-8);
                }
                _ => panic!("{layer} is constant"),
            }

            // As many tensors of it as make a good estimate.
            let size: usize = shape.iter().product();
            let tensors = sized(22).div_ceil(size);
            let (mut sum, mut squares) = (0.0, 0.0);
            for i in 0..tensors {
                let values: Vec<f32> =
                    fill(&parameter.clone().name(&format!("{distribution} {layer} {i}")));
                assert_eq!(values.len(), size);
                sum += values.iter().map(|&x| f64::from(x)).sum::<f64>();
                squares += values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
            }
            let n = (tensors * size) as f64;
            let std_score = |std: f64| {
                ((squares / n).sqrt() / std - 1.0) / ((kurtosis - 1.0) / (4.0 * n)).sqrt()
            };
            scores.push((format!("mean of {layer}"), sum / n / (expected / n.sqrt())));
            scores.push((format!("std of {layer}"), std_score(expected)));

            let other = match rule {
                Torch => Keras,
                Keras => Torch,
            };
            let (fan_in, fan_out) = layout(other).fans(parameter.shape()).unwrap();
            let wrong = (2.0 / (fan_in + fan_out) as f64).sqrt();
            if wrong != expected {
                assert!(std_score(wrong).abs() > 10.0, "{layer} has the spread of either layout");
                told_apart += 1;
            }
        }
        Family::of_scores(format!("spread of {distribution}"), scores).accept();
        // All but those with two dimensions, whose fans only change places.
        assert_eq!(told_apart, 13);
    }
}
