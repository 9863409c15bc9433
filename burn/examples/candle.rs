//! gpu-init for candle: a `VarBuilder` backend that gives each layer the distribution that candle-nn
//! asks for, drawn by name and seed. The same bits on CPU, CUDA and Metal, in any order.

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use candle_nn::init::{FanInOut, NormalOrUniform};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, Module, Optimizer, VarBuilder, VarMap};
use gpu_init::{Cpu, FanMode, Initializer, TensorSpec, VarianceDistribution};

/// Makes a variable of a spec, on a device.
type MakeVar = dyn Fn(&TensorSpec, Shape, DType, &Device) -> Result<Var> + Send + Sync;

/// Makes variables on their first use and keeps them in a map, by name.
pub struct GpuInit {
    vars: VarMap,
    seed: u64,
    make: Box<MakeVar>,
}

impl GpuInit {
    pub fn new(vars: &VarMap, seed: u64) -> Self {
        let copied = |spec: &_, shape, dtype, device: &_| {
            Var::from_tensor(&tensor(spec, shape, dtype, device)?)
        };
        GpuInit::with(vars, seed, Box::new(copied))
    }

    /// With another way to a device than `tensor`'s copy.
    pub fn with(vars: &VarMap, seed: u64, make: Box<MakeVar>) -> Self {
        GpuInit { vars: vars.clone(), seed, make }
    }

    pub fn var_builder(self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self), dtype, device.clone())
    }
}

/// The distribution of candle's hint.
fn initializer(hint: Init) -> Initializer {
    match hint {
        Init::Const(value) => Initializer::constant(value),
        Init::Randn { mean, stdev } => Initializer::normal(mean, stdev),
        Init::Uniform { lo, up } => Initializer::uniform(lo, up),
        Init::Kaiming { dist, fan, non_linearity } => {
            let distribution = match dist {
                NormalOrUniform::Normal => VarianceDistribution::Normal,
                NormalOrUniform::Uniform => VarianceDistribution::Uniform,
            };
            let mode = match fan {
                FanInOut::FanIn => FanMode::FanIn,
                FanInOut::FanOut => FanMode::FanOut,
            };
            Initializer::variance_scaling(non_linearity.gain().powi(2), mode, distribution)
        }
    }
}

/// A tensor from gpu-init's CPU path, copied to the device.
pub fn tensor(spec: &TensorSpec, shape: Shape, dtype: DType, device: &Device) -> Result<Tensor> {
    let ours: gpu_init::DType = dtype.as_str().parse().map_err(candle_core::Error::wrap)?;
    let values = Cpu::new().fill(&spec.clone().dtype(ours)).map_err(candle_core::Error::wrap)?;
    Tensor::from_raw_buffer(values.as_bytes(), dtype, shape.dims(), device)
}

impl SimpleBackend for GpuInit {
    fn get(&self, s: Shape, name: &str, h: Init, dtype: DType, dev: &Device) -> Result<Tensor> {
        let mut vars = self.vars.data().lock().unwrap();
        if let Some(var) = vars.get(name) {
            if var.shape() != &s {
                candle_core::bail!("{name:?} is {:?} already, not {s:?}", var.shape());
            }
            return Ok(var.as_tensor().clone());
        }
        let fans = [FanInOut::FanIn, FanInOut::FanOut].map(|fan| fan.for_shape(&s) as u64);
        let spec = TensorSpec::new(s.dims(), initializer(h)).fans(fans[0], fans[1]);
        let var = (self.make)(&spec.name(name).seed(self.seed), s, dtype, dev)?;
        let tensor = var.as_tensor().clone();
        vars.insert(name.to_owned(), var);
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        candle_core::bail!("{name:?} has no shape to be initialized with: call get")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true // Whatever a layer asks for is made.
    }
}

fn main() -> Result<()> {
    // On a GPU the same: Device::new_cuda(0)?, Device::new_metal(0)?. The package candle-cuda copies
    // to CUDA devices through pinned memory.
    let device = Device::Cpu;
    let mut losses = Vec::new();
    for _ in 0..2 {
        let vars = VarMap::new();
        let build = GpuInit::new(&vars, 42).var_builder(DType::F32, &device);
        let hidden = candle_nn::linear(784, 32, build.pp("hidden"))?;
        let output = candle_nn::linear(32, 10, build.pp("output"))?;
        let network = candle_nn::seq().add(hidden).add(candle_nn::Activation::Relu).add(output);

        let pixels = TensorSpec::new([64, 784], Initializer::uniform(0.0, 1.0)).name("images");
        let images = tensor(&pixels, (64, 784).into(), DType::F32, &device)?;
        let labels = Tensor::from_iter((0..64u32).map(|i| i % 10), &device)?;
        let mut sgd = candle_nn::SGD::new(vars.all_vars(), 0.05)?;
        let mut loss = Vec::new();
        for _ in 0..5 {
            let step = candle_nn::loss::cross_entropy(&network.forward(&images)?, &labels)?;
            loss.push(step.to_scalar::<f32>()?);
            sgd.backward_step(&step)?;
        }
        println!("loss {loss:?}");
        losses.push(loss);
    }
    assert_eq!(losses[0], losses[1], "the same weights give the same training");
    Ok(())
}
