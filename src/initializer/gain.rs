//! Gains: the factors by which nonlinearities change the standard deviation, as in PyTorch's
//! `calculate_gain`.

/// The nonlinearity after a layer, by PyTorch's names.
///
/// ```
/// use gpu_init::Nonlinearity;
///
/// assert_eq!("relu".parse(), Ok(Nonlinearity::Relu));
/// assert_eq!(Nonlinearity::ConvTranspose2d.to_string(), "conv_transpose2d");
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Nonlinearity {
    /// None: gain 1.
    Linear,
    /// A convolution of one dimension and nothing after it: gain 1.
    Conv1d,
    /// The same of two dimensions.
    Conv2d,
    /// The same of three dimensions.
    Conv3d,
    /// A transposed convolution of one dimension and nothing after it: gain 1.
    ConvTranspose1d,
    /// The same of two dimensions.
    ConvTranspose2d,
    /// The same of three dimensions.
    ConvTranspose3d,
    /// Logistic: gain 1.
    Sigmoid,
    /// Gain 5/3.
    Tanh,
    /// Gain sqrt 2.
    Relu,
    /// Gain sqrt(2 / (1 + slope^2)).
    LeakyRelu,
    /// Gain 3/4.
    Selu,
}

/// The recommended gain of a nonlinearity: `torch.nn.init.calculate_gain`. `slope` is leaky_relu's
/// negative slope, by default 0.01; the other nonlinearities ignore it.
///
/// ```
/// use gpu_init::{Nonlinearity, calculate_gain};
///
/// assert_eq!(calculate_gain(Nonlinearity::Relu, None), 2f64.sqrt());
/// assert_eq!(calculate_gain(Nonlinearity::Tanh, None), 5.0 / 3.0);
/// assert_eq!(calculate_gain(Nonlinearity::LeakyRelu, Some(0.5)), (2.0f64 / 1.25).sqrt());
/// assert_eq!(calculate_gain(Nonlinearity::LeakyRelu, Some(-1e200)), 2f64.sqrt() / 1e200);
/// ```
pub fn calculate_gain(nonlinearity: Nonlinearity, slope: Option<f64>) -> f64 {
    match nonlinearity {
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::Relu => 2f64.sqrt(),
        Nonlinearity::LeakyRelu => {
            let slope = slope.unwrap_or(0.01);
            let square = slope * slope;
            // Beside a square that overflows, 1 is nothing. Not hypot: its last bit is the
            // platform's.
            if square.is_finite() {
                (2.0 / (1.0 + square)).sqrt()
            } else {
                2f64.sqrt() / slope.abs()
            }
        }
        Nonlinearity::Selu => 0.75,
        _ => 1.0,
    }
}
