//! Trains a small network on made data of MNIST's size, twice on each backend: the same weights
//! every time, and the same losses as far as the backends' arithmetic agrees.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Int, Tensor, activation::relu};
use gpu_init::{Initializer, Recipe, TensorSpec};

#[derive(Module, Debug)]
struct Network {
    conv: Conv2d,
    norm: BatchNorm,
    hidden: Linear,
    output: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        Network {
            conv: Conv2dConfig::new([1, 8], [5, 5]).with_stride([2, 2]).init(device),
            norm: BatchNormConfig::new(8).init(device),
            hidden: LinearConfig::new(8 * 12 * 12, 32).init(device),
            output: LinearConfig::new(32, 10).init(device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = relu(self.norm.forward(self.conv.forward(images)));
        self.output.forward(relu(self.hidden.forward(x.flatten::<2>(1, 3))))
    }
}

/// The loss of each step, and the fingerprint of the weights before the first.
fn train(device: &Device) -> Result<(gpu_init::Fingerprint, Vec<f32>), Box<dyn std::error::Error>> {
    // The two lines: a network as burn makes it, and its weights by name and seed.
    let rules = gpu_init_burn::rules(Recipe::XAVIER);
    let mut network = gpu_init_burn::init(Network::new(device), &rules, 42)?;

    let fingerprint = gpu_init_burn::fingerprint(&network)?;
    let pixels = TensorSpec::new([32, 1, 28, 28], Initializer::uniform(0.0, 1.0)).name("images");
    let images: Tensor<4> = gpu_init_burn::tensor(&pixels, device)?;
    let labels = Tensor::<1, Int>::arange(0..32, device).remainder_scalar(10);
    let loss_of = CrossEntropyLossConfig::new().init(device);
    let mut sgd = SgdConfig::new().init();
    let mut losses = Vec::new();
    for _ in 0..5 {
        let loss = loss_of.forward(network.forward(images.clone()), labels.clone());
        losses.push(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = sgd.step(0.05, network, gradients);
    }
    Ok((fingerprint, losses))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut devices = vec![("flex", Device::flex().autodiff())];
    match gpu_init_burn::open_wgpu(Device::wgpu_options()) {
        Ok(device) => devices.push(("wgpu", device.autodiff())),
        Err(error) => eprintln!("without wgpu: {error}"),
    }
    let mut first: Option<(gpu_init::Fingerprint, Vec<f32>)> = None;
    for (name, device) in devices {
        let runs = [train(&device)?, train(&device)?];
        println!("{name}: weights {}, losses {:?}", runs[0].0, runs[0].1);
        println!("{name}: weights {}, losses {:?}", runs[1].0, runs[1].1);
        let first = first.get_or_insert_with(|| runs[0].clone());
        for (weights, losses) in &runs {
            assert_eq!(*weights, first.0, "one seed, the same weights on every backend");
            let close = losses.iter().zip(&first.1).all(|(a, b)| (a - b).abs() < 1e-3 * b);
            assert!(close, "{losses:?} and {:?}", first.1);
        }
    }
    Ok(())
}
