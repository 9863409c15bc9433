//! One seed and one name give the same bits on every backend, and parameters stay what they were
//! otherwise.

use burn::module::{Module, Param, ParamId};
use burn::nn::transformer::TransformerEncoderConfig;
use burn::nn::{self, EmbeddingConfig, LinearConfig, LstmConfig};
use burn::tensor::{DType, Device, Distribution, Tensor};
use gpu_init::{Cpu, Initializer, Plan, Rules, TensorSpec};

use crate::common::{Network, Residual, devices, expected, lazy, values, wgpu, xavier};

/// Initializes the module that `make` returns on every device and compares the fingerprints with
/// that of the CPU path.
fn assert_same<M: Module>(make: impl Fn(&Device) -> M) {
    let rules = xavier();
    for device in devices() {
        let plan = gpu_init_burn::plan(&make(&device), &rules.clone().with_seed(9)).unwrap();
        let module = gpu_init_burn::init(make(&device), &rules, 9).unwrap();
        let fingerprint = gpu_init_burn::fingerprint(&module).unwrap();
        assert_eq!(fingerprint, expected(&plan), "{device:?}");
        assert_eq!(lazy(&module).len(), plan.kept().len());
    }
}

#[test]
fn a_transformer_block() {
    assert_same(|device| TransformerEncoderConfig::new(32, 64, 4, 1).init(device));
}

#[test]
fn a_resnet_block() {
    assert_same(|device| -> Residual { Network::new(device).block });
}

#[test]
fn an_lstm() {
    assert_same(|device| LstmConfig::new(24, 40, true).init(device));
}

#[test]
fn an_embedding() {
    assert_same(|device| EmbeddingConfig::new(1003, 37).init(device));
}

/// With weights large enough for the shaders beside those that are uploaded.
#[test]
fn a_network() {
    assert_same(Network::new);
    assert_same(|device| LinearConfig::new(1000, 301).with_bias(false).init(device));
}

/// The weights that the specification gives, element by element.
#[test]
fn values_are_those_of_the_name() {
    for device in devices() {
        let layers: Vec<_> = (0..2).map(|_| LinearConfig::new(300, 200).init(&device)).collect();
        let layers = gpu_init_burn::init_with(layers, Initializer::xavier_normal(), 5).unwrap();
        let spec = TensorSpec::new([300, 200], Initializer::xavier_normal()).name("1.weight");
        let cpu = Cpu::with_seed(5).fill(&spec).unwrap().to_f32();
        assert_eq!(values(layers[1].weight.val()), cpu);
    }
}

/// What the page for users of burn promises that its program prints.
#[test]
fn the_documented_fingerprint() {
    #[derive(Module, Debug)]
    struct Network {
        hidden: nn::Linear,
        norm: nn::LayerNorm,
        output: nn::Linear,
    }
    let (_, after) = include_str!("../../README.md").split_once("It prints `").unwrap();
    for device in devices() {
        let network = Network {
            hidden: LinearConfig::new(784, 256).init(&device),
            norm: nn::LayerNormConfig::new(256).init(&device),
            output: LinearConfig::new(256, 10).init(&device),
        };
        let network = gpu_init_burn::init(network, &xavier(), 42).unwrap();
        let fingerprint = gpu_init_burn::fingerprint(&network).unwrap().to_string();
        assert!(after.starts_with(&fingerprint), "{fingerprint}");
    }
}

/// Neither burn's random numbers are drawn, nor a lazy parameter's own initializer run.
#[test]
fn burns_own_initializers_never_run() {
    for device in devices() {
        let poison = |device: &Device, _| -> Tensor<2> { panic!("initialized on {device:?}") };
        let param =
            Param::uninitialized(ParamId::new(), poison, device.clone(), true, [64, 48].into());
        let param = gpu_init_burn::init_with(param, Initializer::ones(), 0).unwrap();
        assert_eq!(values(param.val()), vec![1.0; 64 * 48]);
        let plan = gpu_init_burn::plan(&Network::new(&device), &xavier());
        assert!(plan.unwrap().elements() > 100_000);
    }
}

/// Gradients are there on a device with autodiff, ids are kept, and frozen parameters stay frozen.
#[test]
fn parameters_keep_their_state() {
    for device in devices() {
        let layer = LinearConfig::new(16, 8).init(&device);
        let layer =
            nn::Linear { bias: layer.bias.map(|bias| bias.set_require_grad(false)), ..layer };
        let ids = (layer.weight.id, layer.bias.as_ref().unwrap().id);
        let mut layer = gpu_init_burn::init_with(layer, Initializer::normal(0.0, 0.1), 0).unwrap();
        for _ in 0..2 {
            assert_eq!(ids, (layer.weight.id, layer.bias.as_ref().unwrap().id));
            assert!(!layer.bias.as_ref().unwrap().val().is_require_grad());
            assert_eq!(layer.weight.val().is_require_grad(), device.is_autodiff());
            if device.is_autodiff() {
                let input = Tensor::<2>::ones([3, 16], &device);
                let gradients = layer.forward(input).sum().backward();
                assert!(layer.weight.val().grad(&gradients).is_some());
            }
            // The same once more, with what is initialized now.
            layer = gpu_init_burn::init_with(layer, Initializer::normal(0.0, 0.1), 0).unwrap();
        }
        assert!(layer.no_grad().train().weight.val().is_autodiff());
    }
}

/// A part by `keep`, or by a plan of a part, leaves the rest as it is.
#[test]
fn what_is_kept_stays_lazy() {
    let rules: Rules = "
        rules = [{ match = 'weight', init = 'ones' }, { match = '*', init = 'keep' }]"
        .parse()
        .unwrap();
    for device in devices() {
        let layer = gpu_init_burn::init(LinearConfig::new(6, 4).init(&device), &rules, 0).unwrap();
        assert_eq!(lazy(&layer), ["bias"]);
        let part = Plan::new([("bias", [4], None)], &"default = 'ones'".parse().unwrap()).unwrap();
        let layer = gpu_init_burn::init_by_plan(layer, &part).unwrap();
        assert!(lazy(&layer).is_empty());
        assert_eq!(values(layer.bias.unwrap().val()), [1.0; 4]);
    }
}

/// PReLU's alpha is what its configuration says, gamma one, beta zero.
#[test]
fn constants_of_layers() {
    for device in devices() {
        let module =
            gpu_init_burn::init_with(Network::new(&device), Initializer::normal(5.0, 0.1), 0);
        let module = module.unwrap();
        assert_eq!(lazy(&module), ["block.activation.alpha"]);
        assert_eq!(values(module.block.activation.alpha.val()), [0.125]);
        assert_eq!(values(module.block.bn1.gamma.val()), [1.0; 12]);
        assert_eq!(values(module.block.bn1.beta.val()), [0.0; 12]);
        assert_eq!(values(module.block.bn1.running_mean.value()), [0.0; 12]);
        assert_eq!(values(module.block.bn1.running_var.value()), [1.0; 12]);
        assert!(values(module.token.val()).iter().all(|v| (v - 5.0).abs() < 1.0));
    }
}

/// `LinearLayout::Col` stores (out, in): lazy, initialized and after another tensor took its place
/// the stored values are those of the name.
#[test]
fn linear_layers_by_columns() {
    let spec = TensorSpec::new([230, 310], Initializer::xavier_normal()).name("weight");
    let expected = |seed: u64| Cpu::with_seed(seed).fill(&spec).unwrap().to_f32();
    for device in devices() {
        let config = LinearConfig::new(310, 230).with_layout(nn::LinearLayout::Col);
        let init = |layer: nn::Linear, seed| {
            let layer =
                gpu_init_burn::init_with(layer, Initializer::xavier_normal(), seed).unwrap();
            assert_eq!(layer.weight.dims(), [310, 230]);
            assert_eq!(values(layer.weight.val().transpose()), expected(seed), "{device:?}");
            layer
        };
        let layer = init(config.init(&device), 1);
        let layer = init(layer, 2);
        let weight = layer.weight.map(|weight| weight.mul_scalar(2.0).detach());
        init(nn::Linear { weight, ..layer }, 3);
    }
}

/// Clones of a parameter in one module are one tensor, with the first one's name.
#[test]
fn tied_parameters_share_a_tensor() {
    #[derive(Module, Debug)]
    struct Tied {
        embedding: nn::Embedding,
        head: Param<Tensor<2>>,
        other: nn::Linear,
    }
    for device in devices() {
        let embedding = EmbeddingConfig::new(50, 16).init(&device);
        let head = embedding.weight.clone();
        let mut tied = Tied { embedding, head, other: LinearConfig::new(16, 16).init(&device) };
        for seed in [3, 4] {
            tied = gpu_init_burn::init_with(tied, Initializer::normal(0.0, 0.02), seed).unwrap();
            let spec = TensorSpec::new([50, 16], Initializer::normal(0.0, 0.02));
            let cpu = Cpu::with_seed(seed).fill(&spec.name("embedding.weight")).unwrap().to_f32();
            assert_eq!(values(tied.embedding.weight.val()), cpu);
            assert_eq!(values(tied.head.val()), cpu);
        }
        let plan = gpu_init_burn::plan(&tied, &xavier()).unwrap();
        assert_eq!(plan.entries()[0].aliases, ["head"]);
    }
}

/// The narrow types that a device has, of lazy and of initialized parameters.
#[test]
fn element_types() {
    let mut seen = Vec::new();
    for device in devices() {
        for dtype in [DType::F16, DType::BF16, DType::F64] {
            if !device.supports_dtype(dtype) {
                continue;
            }
            seen.push(dtype);
            let ours = dtype.name().parse().unwrap();
            for (rows, columns) in [(33, 9), (401, 199)] {
                let spec = TensorSpec::new([rows, columns], Initializer::xavier_uniform());
                let spec = spec.dtype(ours).name("weight").seed(6);
                let rules: Rules = "default = 'xavier_uniform'".parse().unwrap();
                let rules = rules.with_dtype(ours);
                let layer = LinearConfig::new(rows, columns).with_bias(false).init(&device);
                let mut layer = gpu_init_burn::init(layer, &rules, 5).unwrap();
                layer = gpu_init_burn::init(layer, &rules, 6).unwrap();
                let tensor: Tensor<2> = gpu_init_burn::tensor(&spec, &device).unwrap();
                let cpu = Cpu::new().fill(&spec).unwrap();
                for tensor in [layer.weight.val(), tensor] {
                    assert_eq!(tensor.dtype(), dtype);
                    assert_eq!(
                        tensor.into_data().as_bytes(),
                        cpu.as_bytes(),
                        "{dtype:?} {device:?}"
                    );
                }
            }
        }
    }
    assert!([DType::F16, DType::BF16].iter().all(|dtype| seen.contains(dtype)), "{seen:?}");
}

#[test]
fn single_tensors() {
    let specs = [
        TensorSpec::new([300, 301], Initializer::orthogonal()).name("recurrent").seed(4),
        TensorSpec::new([7, 3], Initializer::truncated_normal(0.0, 1.0, -2.0, 2.0)).name("small"),
        TensorSpec::new([64, 2000], Initializer::xavier_normal()).name("w").slice(1, 100..1500),
        TensorSpec::new([5, 5], Initializer::normal(0.0, 1.0)),
    ];
    for device in devices() {
        for spec in &specs {
            let tensor: Tensor<2> = gpu_init_burn::tensor(spec, &device).unwrap();
            let cpu = Cpu::new().fill(&spec.clone().stream(spec.resolve(0, 0).unwrap().stream));
            assert_eq!(values(tensor), cpu.unwrap().to_f32(), "{device:?}");
        }
    }
}

/// Parameters on two devices, of which one is filled in place.
#[test]
fn a_module_on_two_devices() {
    let Some(gpu) = wgpu() else { return };
    let layers = [&gpu, &Device::flex()].map(|device| LinearConfig::new(300, 200).init(device));
    let layers =
        gpu_init_burn::init_with(layers.to_vec(), Initializer::xavier_normal(), 1).unwrap();
    let flex: Vec<_> = (0..2).map(|_| LinearConfig::new(300, 200).init(&Device::flex())).collect();
    let flex = gpu_init_burn::init_with(flex, Initializer::xavier_normal(), 1).unwrap();
    let fingerprint = |layers| gpu_init_burn::fingerprint(layers).unwrap();
    assert_eq!(fingerprint(&layers), fingerprint(&flex));
}

/// Burn's generator goes on as if nothing had been initialized in between.
#[test]
fn burns_generator_is_untouched() {
    // A device of its own: other tests draw from the shared ones' generators.
    let device = Device::flex();
    let draw = || values(Tensor::<1>::random([64], Distribution::Default, &device));
    let mut seen = Vec::new();
    for with_init in [false, true] {
        std::thread::scope(|scope| {
            let drawn = scope.spawn(|| {
                device.seed(17);
                if with_init {
                    gpu_init_burn::init(Network::new(&device), &xavier(), 1).unwrap();
                }
                draw()
            });
            seen.push(drawn.join().unwrap());
        });
    }
    assert_eq!(seen[0], seen[1]);
}
