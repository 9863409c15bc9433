//! Burn's own initializers, given to us, give burn's distributions in every layer of burn-nn.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::Initializer::{
    self, KaimingNormal, KaimingUniform, Normal, Uniform, XavierNormal, XavierUniform,
};
use burn::nn::attention::{CrossAttentionConfig, MultiHeadAttentionConfig};
use burn::nn::conv::{
    Conv1dConfig, Conv2dConfig, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig,
    ConvTranspose3dConfig, DeformConv2dConfig,
};
use burn::nn::transformer::{
    PositionWiseFeedForwardConfig, TransformerDecoderConfig, TransformerEncoderConfig,
};
use burn::nn::{self, LinearConfig, LinearLayout};
use burn::tensor::{Device, Tensor};

use crate::common::values;

/// A parameter's name, number of elements, mean, standard deviation and largest magnitude.
type Moments = (String, f64, f64, f64, f64);

fn moments<M: Module>(module: &M) -> Vec<Moments> {
    struct List(Vec<String>, Vec<Moments>);
    impl ModuleVisitor for List {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values: Vec<_> = values(param.val()).into_iter().map(f64::from).collect();
            let len = values.len() as f64;
            let mean = values.iter().sum::<f64>() / len;
            let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / len;
            let most = values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
            self.1.push((self.0.join("."), len, mean, variance.sqrt(), most));
        }
    }
    let mut list = List(Vec::new(), Vec::new());
    module.visit(&mut list);
    list.1
}

/// Compares each parameter's moments: burn's own beside ours, within six standard errors of their
/// difference, as far as its number of elements goes.
#[track_caller]
fn assert_alike<M: Module>(what: &str, initializer: &Initializer, make: impl Fn() -> M) {
    let burns = moments(&make());
    let ours = gpu_init_burn::init_with(make(), initializer, 3).unwrap();
    for (burn, ours) in burns.into_iter().zip(moments(&ours)) {
        let (name, len, mean, std, most) = ours;
        assert_eq!((&burn.0, burn.1), (&name, len));
        let shown =
            format!("{what} {initializer:?} {name}: burn's {burn:?}, ours {mean} {std} {most}");
        // Two samples, each with a standard error of std / sqrt(n) of its mean and no more than
        // std / sqrt(2n) of its standard deviation.
        assert!((mean - burn.2).abs() <= 6.0 * burn.3 * (2.0 / len).sqrt(), "{shown}");
        assert!((std - burn.3).abs() <= 6.0 * burn.3 / len.sqrt(), "{shown}");
        let is_uniform =
            matches!(initializer, Uniform { .. } | KaimingUniform { .. } | XavierUniform { .. });
        if is_uniform && len > 2000.0 {
            assert!((most - burn.4).abs() <= 0.02 * burn.4, "{shown}");
        }
    }
}

fn kaiming(fan_out_only: bool) -> [Initializer; 2] {
    let gain = 1.5;
    [KaimingNormal { gain, fan_out_only }, KaimingUniform { gain, fan_out_only }]
}

fn xavier() -> [Initializer; 2] {
    [XavierNormal { gain: 0.5 }, XavierUniform { gain: 2.0 }]
}

/// Those that need no fans.
fn plain() -> [Initializer; 4] {
    [
        Normal { mean: 0.5, std: 0.02 },
        Uniform { min: -0.5, max: 1.0 },
        Initializer::Constant { value: 0.25 },
        Initializer::Ones,
    ]
}

/// All of them where a layer gives its initializers both fans.
fn all() -> Vec<Initializer> {
    kaiming(false).into_iter().chain(kaiming(true)).chain(xavier()).chain(plain()).collect()
}

/// Burn draws with this device's generator.
#[allow(deprecated, reason = "burn still has it")]
fn device() -> Device {
    Device::ndarray()
}

#[test]
fn linear_layers() {
    for initializer in all() {
        for layout in [LinearLayout::Row, LinearLayout::Col] {
            let config = LinearConfig::new(40, 250).with_layout(layout);
            let config = config.with_initializer(initializer.clone());
            assert_alike("Linear", &initializer, || config.init(&device()));
            let config = LinearConfig::new(2000, 3000).with_layout(layout).with_bias(false);
            let config = config.with_initializer(initializer.clone());
            if matches!(initializer, KaimingNormal { .. }) {
                assert_alike("large Linear", &initializer, || config.init(&device()));
            }
        }
    }
}

#[test]
fn convolutions() {
    for initializer in all() {
        for groups in [1, 4] {
            let is_xavier = matches!(initializer, XavierNormal { .. } | XavierUniform { .. });
            let is_fan_out = kaiming(true).contains(&initializer);
            // Burn gives the bias of a Conv1d one fan only, and panics at others.
            let conv = Conv1dConfig::new(24, 64, 5)
                .with_groups(groups)
                .with_bias(!is_xavier && !is_fan_out)
                .with_initializer(initializer.clone());
            assert_alike("Conv1d", &initializer, || conv.init(&device()));
            let conv = Conv2dConfig::new([24, 64], [3, 5])
                .with_groups(groups)
                .with_initializer(initializer.clone());
            assert_alike("Conv2d", &initializer, || conv.init(&device()));
            let conv = Conv3dConfig::new([8, 32], [3, 2, 3])
                .with_groups(groups)
                .with_initializer(initializer.clone());
            assert_alike("Conv3d", &initializer, || conv.init(&device()));
            let conv = DeformConv2dConfig::new([24, 64], [3, 3])
                .with_weight_groups(groups)
                .with_offset_groups(2)
                .with_initializer(initializer.clone());
            assert_alike("DeformConv2d", &initializer, || conv.init(&device()));
        }
    }
}

/// Burn gives these fan_in alone, and panics at initializers that need the other.
#[test]
fn transposed_convolutions() {
    for initializer in kaiming(false).into_iter().chain(plain()) {
        for groups in [1, 4] {
            let conv = ConvTranspose1dConfig::new([24, 64], 5)
                .with_groups(groups)
                .with_initializer(initializer.clone());
            assert_alike("ConvTranspose1d", &initializer, || conv.init(&device()));
            let conv = ConvTranspose2dConfig::new([24, 64], [3, 5])
                .with_groups(groups)
                .with_initializer(initializer.clone());
            assert_alike("ConvTranspose2d", &initializer, || conv.init(&device()));
            let conv = ConvTranspose3dConfig::new([8, 32], [3, 2, 3])
                .with_groups(groups)
                .with_initializer(initializer.clone());
            assert_alike("ConvTranspose3d", &initializer, || conv.init(&device()));
        }
    }
    for initializer in xavier() {
        let conv =
            ConvTranspose2dConfig::new([24, 64], [3, 5]).with_initializer(initializer.clone());
        gpu_init_burn::init_with(conv.init(&device()), initializer, 0).unwrap();
    }
}

#[test]
fn recurrent_layers() {
    for initializer in all() {
        let (x, h, bias) = (30, 70, true);
        let config = nn::RnnConfig::new(x, h, bias).with_initializer(initializer.clone());
        assert_alike("Rnn", &initializer, || config.init(&device()));
        let config = nn::BiRnnConfig::new(x, h, bias).with_initializer(initializer.clone());
        assert_alike("BiRnn", &initializer, || config.init(&device()));
        let config = nn::LstmConfig::new(x, h, bias).with_initializer(initializer.clone());
        assert_alike("Lstm", &initializer, || config.init(&device()));
        let config = nn::BiLstmConfig::new(x, h, bias).with_initializer(initializer.clone());
        assert_alike("BiLstm", &initializer, || config.init(&device()));
        let config = nn::GruConfig::new(x, h, bias).with_initializer(initializer.clone());
        assert_alike("Gru", &initializer, || config.init(&device()));
        let config = nn::BiGruConfig::new(x, h, bias).with_initializer(initializer.clone());
        assert_alike("BiGru", &initializer, || config.init(&device()));
    }
}

#[test]
fn attention_and_transformers() {
    for initializer in all() {
        let config = MultiHeadAttentionConfig::new(48, 4).with_initializer(initializer.clone());
        assert_alike("MultiHeadAttention", &initializer, || config.init(&device()));
        let config =
            PositionWiseFeedForwardConfig::new(48, 96).with_initializer(initializer.clone());
        assert_alike("PositionWiseFeedForward", &initializer, || config.init(&device()));
        for layout in [LinearLayout::Row, LinearLayout::Col] {
            let config = nn::SwiGluConfig::new(48, 96).with_layout(layout).with_bias(true);
            let config = config.with_initializer(initializer.clone());
            assert_alike("SwiGlu", &initializer, || config.init(&device()));
        }
        let config =
            TransformerEncoderConfig::new(48, 96, 4, 1).with_initializer(initializer.clone());
        assert_alike("TransformerEncoder", &initializer, || config.init(&device()));
        let config =
            TransformerDecoderConfig::new(48, 96, 4, 1).with_initializer(initializer.clone());
        assert_alike("TransformerDecoder", &initializer, || config.init(&device()));
    }
    // Its initializer is fixed.
    let initializer = KaimingUniform { gain: 0.25, fan_out_only: false };
    let config = CrossAttentionConfig::new(48, 32, 4, 2, 16);
    assert_alike("CrossAttention", &initializer, || config.init(&device()));
}

#[test]
fn embeddings_and_norms() {
    for initializer in plain() {
        let config = nn::EmbeddingConfig::new(300, 50).with_initializer(initializer.clone());
        assert_alike("Embedding", &initializer, || config.init(&device()));
        assert_alike("BatchNorm", &initializer, || nn::BatchNormConfig::new(32).init(&device()));
        assert_alike("LayerNorm", &initializer, || nn::LayerNormConfig::new(32).init(&device()));
        assert_alike("RmsNorm", &initializer, || nn::RmsNormConfig::new(32).init(&device()));
        assert_alike("GroupNorm", &initializer, || nn::GroupNormConfig::new(4, 32).init(&device()));
        let instance = || nn::InstanceNormConfig::new(32).init(&device());
        assert_alike("InstanceNorm", &initializer, instance);
        let prelu =
            || nn::PReluConfig::new().with_num_parameters(8).with_alpha(0.1).init(&device());
        assert_alike("PRelu", &initializer, prelu);
    }
}

/// Orthogonal weights are so by burn's reading: dimension 0 by all others.
#[test]
fn orthogonal_weights() {
    let initializer = Initializer::Orthogonal { gain: 2.0 };
    let config = LinearConfig::new(20, 30).with_bias(false);
    let linear = gpu_init_burn::init_with(config.init(&device()), &initializer, 0).unwrap();
    let conv = Conv2dConfig::new([3, 8], [3, 3]).with_bias(false).init(&device());
    let conv = gpu_init_burn::init_with(conv, &initializer, 0).unwrap();
    for rows in [linear.weight.val(), conv.weight.val().flatten::<2>(1, 3)] {
        let [n, _] = rows.dims();
        let product = values(rows.clone().matmul(rows.transpose()));
        for (i, value) in product.into_iter().enumerate() {
            let expected = if i / n == i % n { 4.0 } else { 0.0 };
            assert!((value - expected).abs() < 1e-4, "{value} at {i}");
        }
    }
}
