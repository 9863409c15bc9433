//! Devices, modules and what is expected of them.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig};
use burn::tensor::{Device, Tensor};
use gpu_init::{Cpu, Fingerprint, Plan, Rules, stream_of};

/// Burn's wgpu device, in place; `None` without the feature, or without an adapter if
/// `GPU_INIT_SKIP_GPU_TESTS=1` allows the skip.
#[cfg(not(feature = "wgpu"))]
pub fn wgpu() -> Option<Device> {
    None
}

#[cfg(feature = "wgpu")]
pub fn wgpu() -> Option<Device> {
    static DEVICE: std::sync::OnceLock<Option<Device>> = std::sync::OnceLock::new();
    let open = || match gpu_init_burn::open_wgpu(Device::wgpu_options()) {
        Ok(device) => Some(device),
        Err(_) if std::env::var_os("GPU_INIT_SKIP_GPU_TESTS").is_some_and(|v| v == "1") => None,
        Err(error) => panic!("{error}; GPU_INIT_SKIP_GPU_TESTS=1 skips these tests"),
    };
    DEVICE.get_or_init(open).clone()
}

/// Every device that tests run on, with and without autodiff.
pub fn devices() -> Vec<Device> {
    #[allow(deprecated, reason = "burn still has it")]
    let plain = [Some(Device::flex()), Some(Device::ndarray()), wgpu()];
    let plain = plain.into_iter().flatten();
    plain.flat_map(|device| [device.clone(), device.autodiff()]).collect()
}

pub fn xavier() -> Rules {
    gpu_init_burn::rules(gpu_init::Recipe::XAVIER)
}

/// A ResNet block: two convolutions with batch norms, and a grouped one on the shortcut.
#[derive(Module, Debug)]
pub struct Residual {
    pub conv1: Conv2d,
    pub bn1: nn::BatchNorm,
    pub conv2: Conv2d,
    pub bn2: nn::BatchNorm,
    pub shortcut: Option<Conv2d>,
    pub activation: nn::PRelu,
}

/// What a program may have: an LSTM, embeddings, attention, a list, another layout, a parameter of
/// its own.
#[derive(Module, Debug)]
pub struct Network {
    pub embedding: nn::Embedding,
    pub encoder: TransformerEncoder,
    pub block: Residual,
    pub lstm: nn::Lstm,
    pub stack: Vec<nn::Linear>,
    pub col: nn::Linear,
    pub token: Param<Tensor<3>>,
    pub dropout: nn::Dropout,
}

impl Network {
    pub fn new(device: &Device) -> Self {
        let conv = |channels, groups| {
            Conv2dConfig::new(channels, [3, 3]).with_groups(groups).with_bias(groups > 1)
        };
        let block = Residual {
            conv1: conv([8, 12], 1).init(device),
            bn1: nn::BatchNormConfig::new(12).init(device),
            conv2: conv([12, 12], 4).init(device),
            bn2: nn::BatchNormConfig::new(12).init(device),
            shortcut: Some(conv([8, 12], 1).init(device)),
            activation: nn::PReluConfig::new().with_alpha(0.125).init(device),
        };
        let col = nn::LinearConfig::new(40, 24).with_layout(nn::LinearLayout::Col);
        Network {
            embedding: nn::EmbeddingConfig::new(101, 24).init(device),
            encoder: TransformerEncoderConfig::new(24, 48, 4, 2).init(device),
            block,
            lstm: nn::LstmConfig::new(24, 17, true).init(device),
            stack: (0..3).map(|_| nn::LinearConfig::new(200, 201).init(device)).collect(),
            col: col.init(device),
            token: nn::Initializer::Zeros.init([1, 1, 24], device),
            dropout: nn::DropoutConfig::new(0.1).init(),
        }
    }
}

/// The fingerprint of a plan's tensors by the CPU path alone.
pub fn expected(plan: &Plan) -> Fingerprint {
    let of = |entry: &gpu_init::PlanEntry| {
        let tensor = Cpu::new().fill(&entry.spec).unwrap();
        tensor.fingerprint().in_model(stream_of(&entry.name))
    };
    plan.entries().iter().map(of).sum()
}

/// The names of the parameters that are not initialized.
pub fn lazy<M: Module>(module: &M) -> Vec<String> {
    struct Lazy(Vec<String>, Vec<String>);
    impl ModuleVisitor for Lazy {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !param.is_initialized() {
                self.1.push(self.0.join("."));
            }
        }
    }
    let mut lazy = Lazy(Vec::new(), Vec::new());
    module.visit(&mut lazy);
    lazy.1
}

/// A tensor's values.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_cast_as::<f32>().unwrap().as_slice().unwrap().to_vec()
}
