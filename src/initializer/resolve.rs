//! Resolves an initializer and a shape to a distribution in f64.

use crate::distribution::convolution::layout_error;
use crate::distribution::diagonal::Diagonal;
use crate::distribution::log_uniform::LogUniform;
use crate::distribution::orthogonal::Orthogonal;
use crate::distribution::sinusoidal::Sinusoidal;
use crate::distribution::sparse::Sparse;
use crate::distribution::unrounded::Unrounded;
use crate::error::During;
use crate::initializer::gain::calculate_gain;
use crate::initializer::scheme::{FanMode, Initializer, VarianceDistribution};
use crate::number::product;
use crate::stream::quantile::Truncated;
use crate::{DType, Distribution, ErrorKind, Layout, Result, Shape};

/// The standard deviation of N(0, 1) truncated at -2 and 2, which Keras and JAX divide by.
const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

impl Initializer {
    /// The distribution for a shape, computed in f64 and rounded once to f32.
    ///
    /// # Errors
    /// [`ErrorKind::TooFewDims`] where fans are needed and the shape has fewer than two dimensions,
    /// [`ErrorKind::Dimensions`] where the scheme is for other shapes, [`ErrorKind::Layout`],
    /// [`ErrorKind::ZeroSized`], [`ErrorKind::SizeOverflow`], [`ErrorKind::InvalidOption`] for an
    /// option that is not finite or out of its range, [`ErrorKind::Subnormal`] and
    /// [`ErrorKind::Overflow`] if `dtype` cannot hold the values, [`ErrorKind::NoValueBetween`] if
    /// it has none within the bounds, [`ErrorKind::IntegersOnly`] and [`ErrorKind::NotInteger`] if
    /// it has only integers.
    pub fn distribution(
        &self,
        shape: &Shape,
        layout: &Layout,
        dtype: DType,
    ) -> Result<Distribution> {
        let distribution = |unrounded| Distribution::new(unrounded, dtype);
        self.unrounded(shape, layout).and_then(distribution).during(self.name())
    }

    pub(crate) fn unrounded(&self, shape: &Shape, layout: &Layout) -> Result<Unrounded, ErrorKind> {
        shape.count()?;
        self.validate()?;
        // Every scheme by fans is one line over this.
        let scaled =
            |gain, mode, distribution, mean| by_fan(shape, layout, gain, mode, distribution, mean);
        use {FanMode::*, VarianceDistribution::*};
        Ok(match *self {
            Initializer::VarianceScaling { scale, mode, distribution } => {
                scaled(scale.sqrt(), mode, distribution, 0.0)?
            }
            Initializer::XavierNormal { gain, mean } => scaled(gain, FanAvg, Normal, mean)?,
            Initializer::XavierUniform { gain, mean } => scaled(gain, FanAvg, Uniform, mean)?,
            Initializer::KaimingNormal { a, mode, nonlinearity } => {
                scaled(calculate_gain(nonlinearity, Some(a)), mode, Normal, 0.0)?
            }
            Initializer::KaimingUniform { a, mode, nonlinearity } => {
                scaled(calculate_gain(nonlinearity, Some(a)), mode, Uniform, 0.0)?
            }
            Initializer::GlorotNormal => scaled(1.0, FanAvg, TruncatedNormal, 0.0)?,
            Initializer::GlorotUniform => scaled(1.0, FanAvg, Uniform, 0.0)?,
            Initializer::HeNormal => scaled(2f64.sqrt(), FanIn, TruncatedNormal, 0.0)?,
            Initializer::HeUniform => scaled(2f64.sqrt(), FanIn, Uniform, 0.0)?,
            Initializer::LecunNormal => scaled(1.0, FanIn, TruncatedNormal, 0.0)?,
            Initializer::LecunUniform => scaled(1.0, FanIn, Uniform, 0.0)?,
            Initializer::Normal { mean, std } => Unrounded::Normal { mean, std },
            Initializer::Uniform { a, b } => uniform(a, b),
            Initializer::TruncatedNormal { mean, std, a, b } => {
                Unrounded::Truncated(Truncated { mean, std, low: a, high: b })
            }
            Initializer::TruncatedNormalSigma { mean, std, lower, upper } => {
                sigma(mean, std, lower, upper)
            }
            Initializer::Constant { val } => Unrounded::Constant { value: val },
            Initializer::Arange { start, step } => {
                Unrounded::Arange { start, step, columns: columns(shape) }
            }
            Initializer::LogArange { start, step } => log_arange(start, step, columns(shape))?,
            Initializer::LogUniform { low, high } => log_uniform(low, high, None),
            Initializer::InverseSoftplusLogUniform { low, high, floor } => {
                log_uniform(low, high, Some(floor))
            }
            Initializer::Sinusoidal { base } => {
                Unrounded::Sinusoidal(Sinusoidal::new(shape, base)?)
            }
            Initializer::Sinusoidal2d { base } => {
                Unrounded::Sinusoidal(Sinusoidal::grid(shape, base)?)
            }
            Initializer::Eye { gain } => diagonal(gain, Diagonal::eye(shape)?),
            Initializer::Dirac { groups } => diagonal(1.0, Diagonal::dirac(shape, layout, groups)?),
            Initializer::Orthogonal { gain } => {
                Unrounded::Orthogonal { gain, orthogonal: Orthogonal::matrices(shape, layout)? }
            }
            Initializer::DeltaOrthogonal { gain } => {
                Unrounded::Orthogonal { gain, orthogonal: Orthogonal::delta(shape, layout)? }
            }
            Initializer::Sparse { sparsity, std } => {
                Unrounded::Sparse { std, sparse: Sparse::new(shape, sparsity)? }
            }
        })
    }
}

fn uniform(a: f64, b: f64) -> Unrounded {
    let (a, b) = (product(a, 0.5), product(b, 0.5));
    Unrounded::Uniform { mean: a + b, bound: b - a }
}

fn diagonal(value: f64, diagonal: Diagonal) -> Unrounded {
    Unrounded::Diagonal { value, diagonal }
}

fn log_uniform(low: f64, high: f64, floor: Option<f64>) -> Unrounded {
    Unrounded::LogUniform(LogUniform::new(low, high, floor))
}

/// Elements of the last axis.
fn columns(shape: &Shape) -> u64 {
    shape.dims().last().map_or(1, |&dim| dim as u64)
}

/// ln(start + step i), which must have a value to the end of the last axis.
fn log_arange(start: f64, step: f64, columns: u64) -> Result<Unrounded, ErrorKind> {
    let last = start + step * (columns - 1) as f64;
    if last.is_normal() && last > 0.0 && start.is_normal() {
        return Ok(Unrounded::LogArange { start, step, factor: 1.0, columns });
    }
    let expected = "one that keeps start + step i above 0, and finite, along the last axis";
    Err(ErrorKind::InvalidOption { option: "step", value: step, expected })
}

/// Variance gain^2 / fan about `mean`: the primitive of the schemes by fans.
fn by_fan(
    shape: &Shape,
    layout: &Layout,
    gain: f64,
    mode: FanMode,
    distribution: VarianceDistribution,
    mean: f64,
) -> Result<Unrounded, ErrorKind> {
    let std = product(gain, (1.0 / fan(shape, layout, mode)?).sqrt());
    Ok(match distribution {
        VarianceDistribution::Normal => Unrounded::Normal { mean, std },
        VarianceDistribution::Uniform => Unrounded::Uniform { mean, bound: 3f64.sqrt() * std },
        VarianceDistribution::TruncatedNormal => sigma(mean, std / TRUNCATED_STD, -2.0, 2.0),
    })
}

/// A normal truncated at bounds in standard deviations from the mean.
fn sigma(mean: f64, std: f64, lower: f64, upper: f64) -> Unrounded {
    Unrounded::Truncated(Truncated { mean, std, low: mean + lower * std, high: mean + upper * std })
}

/// The fan that a mode divides by.
fn fan(shape: &Shape, layout: &Layout, mode: FanMode) -> Result<f64, ErrorKind> {
    if shape.dims().len() < 2 && !matches!(layout, Layout::Keras | Layout::Fans { .. }) {
        return Err(ErrorKind::TooFewDims { shape: shape.clone() });
    }
    let remedy = "name axes that it has, each once, or groups that divide its first dimension";
    let (fan_in, fan_out) =
        layout.fans(shape).ok_or_else(|| layout_error(shape, layout, remedy))?;
    if fan_in == 0 || fan_out == 0 {
        return Err(layout_error(shape, layout, "give fans above 0"));
    }
    let (fan_in, fan_out) = (fan_in as f64, fan_out as f64);
    Ok(match mode {
        FanMode::FanIn => fan_in,
        FanMode::FanOut => fan_out,
        FanMode::FanAvg => (fan_in + fan_out) / 2.0,
        FanMode::FanGeoAvg => (fan_in * fan_out).sqrt(),
    })
}
