//! A deep network of square matrices, and what passes through it.

use gpu_init::{Cpu, Fingerprint, HostTensor, Initializer, TensorSpec, stream_of};
use ndarray::{Array2, ArrayView2, Zip};

use crate::backend::device::Backend;
use crate::backend::remedies::Remedies;
use crate::commands::signal::activation::Activation;
use crate::terminal::progress::not_interrupted;
use crate::terminal::signals::go_on;

pub(super) const REMEDIES: Remedies = Remedies {
    interrupted: "run it again to have the whole picture",
    counted: false,
    memory: "use a smaller --depth, --width or --batch",
};

#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) depth: u32,
    pub(super) width: u32,
    pub(super) batch: u32,
}

impl Size {
    /// Host memory for the passes: what every layer keeps for the way back, and a matrix as it was
    /// made and in F64.
    pub(super) fn bytes(&self) -> u64 {
        let [depth, width, batch] = [self.depth, self.width, self.batch].map(u64::from);
        (depth + 6) * batch * width * 8 + width * width * 16
    }
}

pub(super) struct Network<'a> {
    size: Size,
    activation: Activation,
    backend: &'a Backend,
    inputs: Array2<f64>,
    /// By the outputs.
    gradients: Array2<f64>,
}

/// Statistics of one layer's activations, or of the gradients by them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    pub(super) mean: f64,
    pub(super) std: f64,
}

/// What passed through a network: an entry for the inputs, and one for each layer's outputs.
#[derive(Debug)]
pub(super) struct Signals {
    pub(super) activations: Vec<Moments>,
    pub(super) gradients: Vec<Moments>,
    /// Of all layers' weights, as `gpu-init model` adds them up.
    pub(super) fingerprint: Fingerprint,
}

impl<'a> Network<'a> {
    pub(super) fn new(
        size: Size,
        activation: Activation,
        seed: u64,
        backend: &'a Backend,
    ) -> gpu_init::Result<Self> {
        let draw = |name: &str| {
            let shape = [size.batch as usize, size.width as usize];
            let spec = TensorSpec::new(shape, Initializer::normal(0.0, 1.0)).name(name);
            Ok(matrix(&Cpu::with_seed(seed).fill(&spec)?, size.width))
        };
        let (inputs, gradients) = (draw("inputs")?, draw("gradients")?);
        Ok(Network { size, activation, backend, inputs, gradients })
    }

    /// Sends the inputs forward and the gradients backward; calls `step` after each layer.
    pub(super) fn pass(
        &self,
        initializer: &Initializer,
        step: &mut dyn FnMut(),
    ) -> anyhow::Result<Signals> {
        let activation = self.activation;
        let mut fingerprint = Fingerprint::default();
        let mut activations = vec![Moments::of(self.inputs.view())];
        // What the activation function was applied to, by layer.
        let mut before: Vec<Array2<f64>> = Vec::new();
        let mut signal = self.inputs.clone();
        for layer in 0..self.size.depth {
            let weights = self.weights(initializer, layer)?;
            fingerprint += weights.fingerprint().in_model(stream_of(&name(layer)));
            let sums = signal.dot(&matrix(&weights, self.size.width).t());
            signal = sums.mapv(|x| activation.value(x));
            activations.push(Moments::of(signal.view()));
            before.push(sums);
            step();
        }

        let mut gradients = vec![Moments::of(self.gradients.view())];
        let mut gradient = self.gradients.clone();
        for (layer, sums) in (0..self.size.depth).zip(&before).rev() {
            // By its name the matrix is made again, so that not all have to be kept.
            let weights = self.weights(initializer, layer)?;
            Zip::from(&mut gradient).and(sums).for_each(|g, &x| *g *= activation.derivative(x));
            gradient = gradient.dot(&matrix(&weights, self.size.width));
            gradients.push(Moments::of(gradient.view()));
            step();
        }
        gradients.reverse();
        Ok(Signals { activations, gradients, fingerprint })
    }

    /// A layer's matrix (out, in).
    fn weights(&self, initializer: &Initializer, layer: u32) -> anyhow::Result<HostTensor> {
        not_interrupted(REMEDIES.interrupted)?;
        let width = self.size.width as usize;
        let spec = TensorSpec::new([width, width], *initializer).name(&name(layer));
        let filled = self.backend.fill(&spec, &mut |_, _| go_on(), &REMEDIES)?;
        Ok(filled.read(0..(width * width) as u64)?)
    }
}

/// The name of a layer's matrix.
fn name(layer: u32) -> String {
    format!("layers.{layer}.weight")
}

fn matrix(tensor: &HostTensor, width: u32) -> Array2<f64> {
    let values = tensor.to_f32();
    let (rows, columns) = (values.len() / width as usize, width as usize);
    Array2::from_shape_fn((rows, columns), |(row, column)| {
        f64::from(values[row * columns + column])
    })
}

impl Moments {
    fn of(values: ArrayView2<'_, f64>) -> Self {
        let mean = values.mean().unwrap_or(f64::NAN);
        // Scaled, since squares under- and overflow sooner than values.
        let largest = values.fold(0.0f64, |largest, x| largest.max((x - mean).abs()));
        let scale = if largest > 0.0 { largest } else { 1.0 };
        let squares: f64 = values.iter().map(|x| ((x - mean) / scale).powi(2)).sum();
        Moments { mean, std: scale * (squares / values.len() as f64).sqrt() }
    }
}
