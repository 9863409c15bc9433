//! Initializers as data: text and serde both ways, options checked, fans and scales by the peers'
//! rules.
#![cfg(feature = "serde")]

mod common;

use common::schemes;
use gpu_init::{
    Cpu, DType, Distribution, ErrorKind, FanMode, Initializer, Layout, Nonlinearity, Shape,
    TensorSpec, VarianceDistribution, calculate_gain,
};

fn read(text: &str) -> Initializer {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Initializers with every option changed.
fn changed() -> Vec<Initializer> {
    let (mode, nonlinearity) = (FanMode::FanGeoAvg, Nonlinearity::ConvTranspose2d);
    vec![
        Initializer::variance_scaling(0.1, mode, VarianceDistribution::Uniform),
        Initializer::xavier_normal().gain(5.0 / 3.0).unwrap().mean(-1e-3).unwrap(),
        Initializer::xavier_uniform().gain(1e10).unwrap().mean(0.25).unwrap(),
        Initializer::kaiming_normal()
            .a(0.2)
            .unwrap()
            .mode(mode)
            .unwrap()
            .nonlinearity(nonlinearity)
            .unwrap(),
        Initializer::kaiming_uniform()
            .a(-3.0)
            .unwrap()
            .mode(FanMode::FanOut)
            .unwrap()
            .nonlinearity(Nonlinearity::Selu)
            .unwrap(),
        Initializer::normal(1.0 / 3.0, 0.02),
        Initializer::uniform(-3.5, -0.1),
        Initializer::constant(-0.1),
        Initializer::eye().gain(-1.5).unwrap(),
        Initializer::dirac().groups(8).unwrap(),
        Initializer::orthogonal().gain(2f64.sqrt()).unwrap(),
        Initializer::delta_orthogonal().gain(-0.1).unwrap(),
        Initializer::sparse(0.9).std(0.3).unwrap(),
    ]
}

#[test]
fn text_round_trips() {
    for initializer in
        schemes::every().chain(changed()).chain([Initializer::zeros(), Initializer::ones()])
    {
        let text = initializer.to_string();
        assert_eq!(read(&text), initializer, "{text}");
        assert_eq!(
            read(&format!(
                " {} ",
                text.to_uppercase().replace('_', "-").to_lowercase().replace('=', " = ")
            )),
            initializer
        );
        let json = serde_json::to_string(&initializer).unwrap();
        assert_eq!(json, format!("{text:?}"));
        assert_eq!(serde_json::from_str::<Initializer>(&json).unwrap(), initializer);
    }
    for (scheme, complete) in Initializer::ALL.into_iter().zip(schemes::every()) {
        // An option without a default must be given; otherwise the name alone suffices.
        let default = scheme.name().parse::<Initializer>();
        let option = complete.to_string().replace(scheme.name(), "");
        match default {
            Ok(default) => assert_eq!((default, &*option), (complete, "")),
            Err(error) => assert!(
                error.to_string().contains(option[1..].split('=').next().unwrap()),
                "{error}"
            ),
        }
    }
    assert_eq!(read("zeros()"), Initializer::zeros());
    assert_eq!(Initializer::zeros().to_string(), "zeros");
    assert_eq!(Initializer::xavier_normal().to_string(), "xavier_normal");
}

#[test]
fn malformed_text_is_refused_with_a_reason() {
    for (text, expected) in [
        ("", "xavier_normal, "),
        ("glorot", "glorot_normal"),
        ("normal(", "parenthesis"),
        ("normal(std)", "option=value"),
        ("normal(std=x)", "not a number"),
        ("normal(std=1,std=2)", "twice"),
        ("normal(std=-1)", "not below 0"),
        ("normal(std=nan)", "not below 0"),
        ("normal(std=inf)", "std"),
        ("normal(low=1)", "it has mean, std"),
        ("glorot_normal(gain=2)", "it has none"),
        ("uniform(a=2)", "not below a"),
        ("constant", "constant has no default for val; specify it, as in constant(val=0.5)"),
        ("constant(val=nan)", "val = NaN is out of range"),
        ("sparse", "sparse has no default for sparsity; specify it, as in sparse(sparsity=0.5)"),
        ("sparse(std=0.1)", "as in sparse(sparsity=0.5)"),
        ("sparse(sparsity=nan)", "sparsity = NaN is out of range"),
        ("sparse(sparsity=1.1)", "from 0 to 1"),
        ("sparse(sparsity=0.1, std=-1)", "std"),
        ("dirac(groups=0)", "at least 1"),
        ("dirac(groups=1.5)", "not a whole number"),
        ("dirac(groups=-1)", "not a whole number"),
        ("eye(gain=inf)", "finite"),
        ("orthogonal(gain=nan)", "magnitude"),
        ("delta_orthogonal(gain=1e31)", "magnitude"),
        ("xavier_normal(gain=-1)", "gain"),
        ("variance_scaling(scale=0)", "above 0"),
        ("kaiming_normal(mode=fan)", "fan_in, fan_out"),
        ("kaiming_normal(nonlinearity=gelu)", "leaky_relu"),
        ("variance_scaling(distribution=cauchy)", "truncated_normal"),
    ] {
        let error = text.parse::<Initializer>().unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{text}: {error}");
        assert!(serde_json::from_str::<Initializer>(&format!("{text:?}")).is_err());
    }
}

/// The peers' defaults have the peers' distributions.
#[test]
fn presets_are_the_peers_defaults() {
    let distribution = |text: &str, shape: &[usize], layout| {
        read(text).distribution(&shape.into(), &layout, DType::F32).unwrap()
    };
    let (pytorch, keras) = (Layout::OutInKernel, Layout::KernelInOut);
    // torch.nn.Linear(768, 3072) and Conv2d(64, 128, 3): U(+-1/sqrt(fan_in)).
    assert_eq!(
        distribution("pytorch_linear", &[3072, 768], pytorch.clone()).bounds().1 as f32,
        (1.0 / 768f64.sqrt()) as f32
    );
    assert_eq!(
        distribution("pytorch-conv", &[128, 64, 3, 3], pytorch).bounds().1 as f32,
        (1.0 / 576f64.sqrt()) as f32
    );
    assert_eq!(Initializer::pytorch_bias(576), Initializer::uniform(-1.0 / 24.0, 1.0 / 24.0));
    // keras.layers.Dense: U(+-sqrt(6 / (fan_in + fan_out))).
    assert_eq!(
        distribution("keras_dense", &[30, 20], keras.clone()).bounds().1 as f32,
        (6.0f64 / 50.0).sqrt() as f32
    );
    assert_eq!(distribution("keras_embedding", &[30, 20], keras.clone()).bounds().1 as f32, 0.05);
    // flax.linen.Embed(1000, 64): N(0, 1/64).
    assert_eq!(distribution("flax_embed", &[1000, 64], keras).std(), 0.125);
}

/// The std by hand for every mode, for a convolution in both orders of axes.
#[test]
fn scales_follow_the_peers_formulas() {
    let (fan_in, fan_out) = (3.0 * 49.0, 64.0 * 49.0);
    let std = |text: &str| {
        let stds = [
            (&[64, 3, 7, 7], Layout::OutInKernel),
            (&[7, 7, 3, 64], Layout::KernelInOut),
            (&[3, 64, 7, 7], Layout::InOutKernel),
        ]
        .map(|(shape, layout)| {
            read(text).distribution(&Shape::from(*shape), &layout, DType::F32).unwrap().std()
        });
        assert_eq!(stds, [stds[0]; 3], "{text}");
        stds[0]
    };
    for (text, expected) in [
        ("xavier_normal", (2.0f64 / (fan_in + fan_out)).sqrt()),
        ("xavier_uniform(gain=2)", 2.0 * (2.0f64 / (fan_in + fan_out)).sqrt()),
        ("kaiming_normal", (2.0f64 / fan_in).sqrt()),
        ("kaiming_normal(mode=fan_out, nonlinearity=relu)", (2.0f64 / fan_out).sqrt()),
        ("kaiming_uniform(a=0.5)", (2.0f64 / 1.25 / fan_in).sqrt()),
        ("kaiming_uniform(a=0.5, nonlinearity=relu)", (2.0f64 / fan_in).sqrt()),
        ("kaiming_normal(nonlinearity=tanh)", 5.0 / 3.0 / fan_in.sqrt()),
        ("kaiming_normal(mode=fan_avg, nonlinearity=linear)", (2.0f64 / (fan_in + fan_out)).sqrt()),
        ("he_uniform", (2.0f64 / fan_in).sqrt()),
        ("lecun_uniform", (1.0f64 / fan_in).sqrt()),
        ("glorot_uniform", (2.0f64 / (fan_in + fan_out)).sqrt()),
        ("he_normal", (2.0f64 / fan_in).sqrt()),
        ("lecun_normal", (1.0f64 / fan_in).sqrt()),
        ("glorot_normal", (2.0f64 / (fan_in + fan_out)).sqrt()),
        (
            "variance_scaling(scale=3, mode=fan_geo_avg, distribution=normal)",
            (3.0 / (fan_in * fan_out).sqrt()).sqrt(),
        ),
        (
            "variance_scaling(scale=3, mode=fan_out, distribution=uniform)",
            (3.0f64 / fan_out).sqrt(),
        ),
        ("variance_scaling", (1.0f64 / fan_in).sqrt()),
    ] {
        assert!(
            (std(text) / expected - 1.0).abs() < 1e-6,
            "{text}: {} is not {expected}",
            std(text)
        );
    }
}

/// Keras' and JAX's normals end at two standard deviations of the untruncated normal; PyTorch's do
/// not.
#[test]
fn truncation_follows_the_peers() {
    let reach = |text: &str| {
        let distribution =
            read(text).distribution(&[300, 100].into(), &Layout::OutInKernel, DType::F32).unwrap();
        distribution.bounds().1 / distribution.std()
    };
    for text in ["glorot_normal", "he_normal", "lecun_normal", "variance_scaling"] {
        assert!(
            (reach(text) / (2.0 / 0.879_625_661) - 1.0).abs() < 1e-5,
            "{text}: {}",
            reach(text)
        );
    }
    for text in ["xavier_normal", "kaiming_normal", "normal"] {
        assert!(reach(text) > 6.66, "{text}");
    }
}

#[test]
fn gains_are_pytorchs() {
    use Nonlinearity::*;
    let unit = [
        Linear,
        Conv1d,
        Conv2d,
        Conv3d,
        ConvTranspose1d,
        ConvTranspose2d,
        ConvTranspose3d,
        Sigmoid,
    ];
    assert!(unit.into_iter().all(|nonlinearity| calculate_gain(nonlinearity, None) == 1.0));
    assert_eq!(calculate_gain(Tanh, None), 5.0 / 3.0);
    assert_eq!(calculate_gain(Relu, Some(3.0)), 2f64.sqrt());
    assert_eq!(calculate_gain(LeakyRelu, None), (2.0f64 / (1.0 + 1e-4)).sqrt());
    assert_eq!(calculate_gain(Selu, None), 0.75);
}

#[test]
fn unsuitable_layouts_are_errors() {
    let fill = |shape: &[usize], layout: Layout| {
        TensorSpec::new(shape, Initializer::xavier_normal()).layout(layout).resolve(0, 0)
    };
    let axes = |input: &[isize], output: &[isize]| Layout::Axes {
        input: input.into(),
        output: output.into(),
        batch: vec![],
    };
    let twice = Layout::Axes { input: vec![1], output: vec![2], batch: vec![0, -3] };
    for layout in [
        Layout::Grouped { groups: 0 },
        Layout::Grouped { groups: 5 },
        axes(&[3], &[0]),
        axes(&[0], &[-4]),
        axes(&[1], &[-2]),
        twice,
    ] {
        let error = fill(&[4, 6, 3], layout).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Layout { .. }), "{error:?}");
        assert!(error.to_string().contains("[4, 6, 3]"), "{error}");
    }
    let error = fill(&[4], axes(&[0], &[0])).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooFewDims { .. }));
    let same = fill(&[4, 6, 3], axes(&[1], &[0])).unwrap();
    assert_eq!(same, fill(&[4, 6, 3], Layout::OutInKernel).unwrap());
    assert!(matches!(same.distribution, Distribution::Normal { .. }));
}

/// Keras gives vectors and scalars fans; PyTorch and JAX do not.
#[test]
fn vectors_have_fans_in_keras_alone() {
    let vector = |layout: Layout| {
        TensorSpec::new([100], Initializer::glorot_uniform()).layout(layout).resolve(0, 0)
    };
    // Both fans are 100: the variance is 2 / 200.
    let distribution = vector(Layout::Keras).unwrap().distribution;
    assert!((distribution.std() / 0.1 - 1.0).abs() < 1e-7, "{}", distribution.std());
    let scalar =
        TensorSpec::new([], Initializer::he_normal()).layout(Layout::Keras).resolve(0, 0).unwrap();
    assert!((scalar.distribution.std() / 2f64.sqrt() - 1.0).abs() < 1e-6);
    for layout in [
        Layout::KernelInOut,
        Layout::OutInKernel,
        Layout::InOutKernel,
        Layout::Grouped { groups: 1 },
    ] {
        let error = vector(layout.clone()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooFewDims { .. }), "{layout:?}: {error:?}");
    }
    // With two dimensions or more Keras and JAX have the same order.
    for shape in [&[30, 20][..], &[3, 3, 16, 32]] {
        assert_eq!(Layout::Keras.fans(&shape.into()), Layout::KernelInOut.fans(&shape.into()));
    }
}

/// Every scheme gives the statistics of its distribution, in every type.
#[test]
fn every_scheme_has_its_distribution() {
    for initializer in schemes::every().chain(changed()) {
        let shape = schemes::shape_for(initializer, &[256, 144], &[256, 16, 3, 3]);
        for dtype in DType::SAMPLED {
            let initializer = match initializer {
                Initializer::XavierUniform { gain, .. } if gain > 1e9 => {
                    initializer.gain(100.0).unwrap()
                }
                _ => initializer,
            };
            let spec = TensorSpec::new(shape, initializer).dtype(dtype).name("distribution");
            let stats = Cpu::new().fill(&spec).unwrap().stats();
            assert_eq!(
                stats.disagreement(&spec.resolve(0, 0).unwrap()),
                None,
                "{initializer} {dtype}"
            );
        }
    }
}

/// Values too small for any type are an error, never a tensor of zeros; an option that enlarges
/// them again makes them valid.
#[test]
fn nothing_underflows_to_zeros() {
    let of = |initializer: &str| TensorSpec::new([64, 64], initializer.parse().unwrap());
    for initializer in [
        "kaiming_normal(a=1e155)",
        "kaiming_normal(a=-1e200)",
        "kaiming_uniform(a=1e300)",
        "xavier_normal(gain=5e-324)",
        "xavier_uniform(gain=5e-324)",
        "uniform(a=0, b=5e-324)",
        "variance_scaling(scale=5e-324)",
    ] {
        for dtype in DType::SAMPLED {
            let error = of(initializer).dtype(dtype).resolve(0, 0).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Subnormal { .. }),
                "{initializer} {dtype}: {error:?}"
            );
        }
    }
    for initializer in
        ["normal(std=0.1)", "constant(val=0.1)", "uniform", "eye", "orthogonal", "xavier_normal"]
    {
        let error = of(initializer).scale(1e-320).scale(1e-320).resolve(0, 0).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Subnormal { .. } | ErrorKind::InvalidOption { .. }),
            "{initializer}: {error:?}"
        );
        let error = of(initializer).scale(5e-324).resolve(0, 0).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Subnormal { .. }), "{initializer}: {error:?}");
    }
    // sqrt(2 / (1 + a^2)) / sqrt(64) = sqrt(2) / 8 * 1e-155, at which a^2 overflows; 1e10 is beside
    // 1e9 where it does not.
    for (a, scale) in [(1e155, 1e155), (-1e155, 1e155), (1e10, 1e10), (1e200, 1e200)] {
        let initializer = Initializer::kaiming_normal()
            .a(a)
            .unwrap()
            .mode(FanMode::FanIn)
            .unwrap()
            .nonlinearity(Nonlinearity::LeakyRelu)
            .unwrap();
        let std = TensorSpec::new([64, 64], initializer)
            .scale(scale)
            .resolve(0, 0)
            .unwrap()
            .distribution
            .std();
        assert!((std / (2f64.sqrt() / 8.0) - 1.0).abs() < 1e-7, "{a}: {std}");
    }
    // Zero is zero.
    for initializer in
        ["xavier_normal(gain=0)", "normal(std=0)", "constant(val=0)", "uniform(a=0, b=0)"]
    {
        assert!(of(initializer).scale(1e-300).resolve(0, 0).is_ok(), "{initializer}");
    }
}
