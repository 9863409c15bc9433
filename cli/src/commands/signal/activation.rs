//! Activation functions and their derivatives.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use gpu_init::{Nonlinearity, calculate_gain};

/// What follows each matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Activation {
    Linear,
    Tanh,
    Relu,
    Sigmoid,
    /// x times the probability that N(0, 1) is below x, exactly: PyTorch's `approximate="none"`.
    Gelu,
}

impl Activation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Tanh => "tanh",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Gelu => "gelu",
        }
    }

    /// PyTorch's recommended gain. It has none for GELU, which is near ReLU for large inputs.
    pub(super) fn gain(self) -> f64 {
        let nonlinearity = match self {
            Activation::Linear => Nonlinearity::Linear,
            Activation::Tanh => Nonlinearity::Tanh,
            Activation::Relu | Activation::Gelu => Nonlinearity::Relu,
            Activation::Sigmoid => Nonlinearity::Sigmoid,
        };
        calculate_gain(nonlinearity, None)
    }

    pub(super) fn value(self, x: f64) -> f64 {
        match self {
            Activation::Linear => x,
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.max(0.0),
            Activation::Sigmoid => sigmoid(x),
            Activation::Gelu => x * normal_cdf(x),
        }
    }

    pub(super) fn derivative(self, x: f64) -> f64 {
        match self {
            Activation::Linear => 1.0,
            Activation::Tanh => 1.0 - x.tanh().powi(2),
            Activation::Relu => f64::from(x > 0.0),
            Activation::Sigmoid => sigmoid(x) * (1.0 - sigmoid(x)),
            Activation::Gelu => normal_cdf(x) + x * (-x * x / 2.0).exp() / (2.0 * PI).sqrt(),
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The probability that N(0, 1) is below `x`.
fn normal_cdf(x: f64) -> f64 {
    libm::erfc(-x * FRAC_1_SQRT_2) / 2.0
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::Activation;

    #[test]
    fn values_are_those_of_the_literature() {
        // torch.nn.functional of 1.0 and -2.0.
        for (activation, at_1, at_minus_2) in [
            (Activation::Linear, 1.0, -2.0),
            (Activation::Tanh, 0.7615942, -0.9640276),
            (Activation::Relu, 1.0, 0.0),
            (Activation::Sigmoid, 0.7310586, 0.1192029),
            (Activation::Gelu, 0.8413447, -0.0455003),
        ] {
            assert!((activation.value(1.0) - at_1).abs() < 1e-6, "{activation:?}");
            assert!((activation.value(-2.0) - at_minus_2).abs() < 1e-6, "{activation:?}");
        }
    }

    #[test]
    fn derivatives_are_those_of_the_values() {
        for &activation in Activation::value_variants() {
            for x in [-3.1, -1.0, -0.2, 0.3, 1.7, 4.0] {
                let slope = (activation.value(x + 1e-3) - activation.value(x - 1e-3)) / 2e-3;
                let derivative = activation.derivative(x);
                assert!((slope - derivative).abs() < 1e-3, "{activation:?} {x}: {derivative}");
            }
        }
    }
}
