//! The options of the initializers: one table that validation, setters and the text form share.

use std::any::Any;
use std::fmt::Display;

use crate::error::During;
use crate::initializer::gain::Nonlinearity;
use crate::initializer::scheme::{FanMode, Initializer, VarianceDistribution};
use crate::{ErrorKind, Number, Result};

/// An option's value, to be read or replaced.
pub(super) enum Slot<'a> {
    Number(&'a mut f64, Domain),
    /// Any finite number, exactly.
    Exact(&'a mut Number),
    Count(&'a mut u32),
    Mode(&'a mut FanMode),
    Distribution(&'a mut VarianceDistribution),
    Nonlinearity(&'a mut Nonlinearity),
}

/// The value of an option, whatever its type.
pub(super) trait Value: Any + Display {}

impl<T: Any + Display> Value for T {}

impl Slot<'_> {
    pub(super) fn value(&mut self) -> &mut dyn Value {
        match self {
            Slot::Number(value, _) => *value,
            Slot::Exact(value) => *value,
            Slot::Count(value) => *value,
            Slot::Mode(value) => *value,
            Slot::Distribution(value) => *value,
            Slot::Nonlinearity(value) => *value,
        }
    }
}

/// The values that a number may have.
#[derive(Clone, Copy)]
pub(super) enum Domain {
    Finite,
    NotNegative,
    Positive,
    /// From 0 to 1.
    Fraction,
    /// Of an orthogonal matrix, whose entries must neither vanish nor overflow on the way.
    Gain,
    /// The upper end of a uniform distribution with this lower end.
    NotBelow(f64),
    /// The ratio of frequencies.
    Base,
    /// A number whose logarithm is taken.
    Logarithm,
    /// One that is not below this one.
    LogarithmFrom(f64),
    /// The lower bound of a truncated distribution.
    Lower,
    /// The upper bound of one with this lower bound.
    Upper(f64),
}

impl Domain {
    /// Whether it has the value, and what to expect of one.
    fn check(self, value: f64) -> (bool, &'static str) {
        let finite = value.is_finite();
        match self {
            Domain::Finite => (finite, "a finite number"),
            Domain::NotNegative => (finite && value >= 0.0, "a finite number not below 0"),
            Domain::Positive => (finite && value > 0.0, "a finite number above 0"),
            Domain::Fraction => ((0.0..=1.0).contains(&value), "a part from 0 to 1"),
            Domain::Gain => (
                value == 0.0 || (1e-20..=1e30).contains(&value.abs()),
                "0 or of a magnitude from 1e-20 to 1e30",
            ),
            Domain::Base => ((1.0..=1e300).contains(&value), "from 1 to 1e300"),
            Domain::Logarithm => ((1e-300..=1e300).contains(&value), "from 1e-300 to 1e300"),
            Domain::LogarithmFrom(low) => {
                ((low..=1e300).contains(&value), "not below low, and at most 1e300")
            }
            Domain::NotBelow(a) => (finite && value >= a, "a finite number not below a"),
            Domain::Lower => (!value.is_nan(), "a number below the upper bound, or -inf"),
            Domain::Upper(lower) => (value > lower, "a number above the lower bound, or inf"),
        }
    }
}

impl Initializer {
    /// The options in the order of the text form.
    pub(super) fn options_mut(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        use Domain::*;
        let number = Slot::Number;
        match self {
            Initializer::VarianceScaling { scale, mode, distribution } => vec![
                ("scale", number(scale, Positive)),
                ("mode", Slot::Mode(mode)),
                ("distribution", Slot::Distribution(distribution)),
            ],
            Initializer::XavierNormal { gain, mean }
            | Initializer::XavierUniform { gain, mean } => {
                vec![("gain", number(gain, NotNegative)), ("mean", number(mean, Finite))]
            }
            Initializer::KaimingNormal { a, mode, nonlinearity }
            | Initializer::KaimingUniform { a, mode, nonlinearity } => vec![
                ("a", number(a, Finite)),
                ("mode", Slot::Mode(mode)),
                ("nonlinearity", Slot::Nonlinearity(nonlinearity)),
            ],
            Initializer::Normal { mean, std } => {
                vec![("mean", number(mean, Finite)), ("std", number(std, NotNegative))]
            }
            Initializer::Uniform { a, b } => {
                let above = NotBelow(*a);
                vec![("a", number(a, Finite)), ("b", number(b, above))]
            }
            Initializer::TruncatedNormal { mean, std, a, b } => {
                bounded(mean, std, ("a", a), ("b", b))
            }
            Initializer::TruncatedNormalSigma { mean, std, lower, upper } => {
                bounded(mean, std, ("lower", lower), ("upper", upper))
            }
            Initializer::Eye { gain } => vec![("gain", number(gain, Finite))],
            Initializer::Orthogonal { gain } | Initializer::DeltaOrthogonal { gain } => {
                vec![("gain", number(gain, Gain))]
            }
            Initializer::Dirac { groups } => vec![("groups", Slot::Count(groups))],
            Initializer::Sparse { sparsity, std } => {
                vec![("sparsity", number(sparsity, Fraction)), ("std", number(std, NotNegative))]
            }
            _ => self.formula_options_mut(),
        }
    }

    /// Those of initializers without a variance to choose.
    fn formula_options_mut(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        use Domain::*;
        let number = Slot::Number;
        match self {
            Initializer::Constant { val } => vec![("val", Slot::Exact(val))],
            Initializer::Arange { start, step } => {
                vec![("start", Slot::Exact(start)), ("step", Slot::Exact(step))]
            }
            Initializer::LogArange { start, step } => {
                vec![("start", number(start, Positive)), ("step", number(step, Finite))]
            }
            Initializer::LogUniform { low, high } => {
                let from = LogarithmFrom(*low);
                vec![("low", number(low, Logarithm)), ("high", number(high, from))]
            }
            Initializer::InverseSoftplusLogUniform { low, high, floor } => {
                let from = LogarithmFrom(*low);
                vec![
                    ("low", number(low, Logarithm)),
                    ("high", number(high, from)),
                    ("floor", number(floor, Logarithm)),
                ]
            }
            Initializer::Sinusoidal { base } | Initializer::Sinusoidal2d { base } => {
                vec![("base", number(base, Base))]
            }
            // Glorot's, He's and LeCun's have none.
            _ => Vec::new(),
        }
    }

    /// Checks what can be checked without a shape.
    pub(crate) fn validate(mut self) -> Result<(), ErrorKind> {
        for (option, slot) in self.options_mut() {
            let (value, (valid, expected)) = match slot {
                Slot::Number(number, domain) => (*number, domain.check(*number)),
                Slot::Exact(number) => (number.to_f64(), Domain::Finite.check(number.to_f64())),
                Slot::Count(count) => (f64::from(*count), (*count > 0, "at least 1")),
                Slot::Mode(_) | Slot::Distribution(_) | Slot::Nonlinearity(_) => continue,
            };
            if !valid {
                return Err(ErrorKind::InvalidOption { option, value, expected });
            }
        }
        Ok(())
    }

    /// The option that has no default, if it is not specified: a NaN.
    pub(super) fn unspecified(&mut self) -> Option<&'static str> {
        let mut options = self.options_mut().into_iter();
        options.find_map(|(name, slot)| match slot {
            Slot::Number(number, _) if number.is_nan() => Some(name),
            Slot::Exact(number) if number.to_f64().is_nan() => Some(name),
            _ => None,
        })
    }

    /// Sets an option, and refuses one that the initializer does not have.
    fn with(mut self, option: &'static str, value: impl Any) -> Result<Self> {
        let (name, mut options) = (self.name(), self.options_mut());
        let Some((_, slot)) = options.iter_mut().find(|(name, _)| *name == option) else {
            let options = options.iter().map(|(name, _)| *name).collect();
            return Err(ErrorKind::UnknownOption { option, options }.during(name));
        };
        let slot: &mut dyn Any = slot.value();
        *slot.downcast_mut().expect("an option has one type in all initializers") = value;
        self.validate().during(name).map(|()| self)
    }

    /// Multiplies the standard deviation, or the matrix, by `gain`.
    ///
    /// ```
    /// use gpu_init::Initializer;
    ///
    /// assert_eq!(Initializer::xavier_normal().gain(0.5)?.to_string(), "xavier_normal(gain=0.5)");
    /// assert_eq!(Initializer::sparse(0.9).std(0.1)?.to_string(), "sparse(sparsity=0.9, std=0.1)");
    /// assert!(Initializer::zeros().gain(0.5).is_err()); // it has none
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of every setter: [`ErrorKind::UnknownOption`] if the initializer does not have the
    /// option, [`ErrorKind::InvalidOption`] if it cannot have this value.
    pub fn gain(self, gain: f64) -> Result<Self> {
        self.with("gain", gain)
    }

    /// Adds `mean`, a finite number, to every value.
    pub fn mean(self, mean: f64) -> Result<Self> {
        self.with("mean", mean)
    }

    /// Sets the standard deviation: finite, not negative.
    pub fn std(self, std: f64) -> Result<Self> {
        self.with("std", std)
    }

    /// Sets the negative slope of leaky_relu, PyTorch's `a`: finite.
    pub fn a(self, a: f64) -> Result<Self> {
        self.with("a", a)
    }

    /// Divides the variance by another fan.
    pub fn mode(self, mode: FanMode) -> Result<Self> {
        self.with("mode", mode)
    }

    /// Takes the gain of the nonlinearity that follows the layer.
    pub fn nonlinearity(self, nonlinearity: Nonlinearity) -> Result<Self> {
        self.with("nonlinearity", nonlinearity)
    }

    /// Divides the outputs into groups, at least one, each of which passes on the inputs.
    pub fn groups(self, groups: u32) -> Result<Self> {
        self.with("groups", groups)
    }
}

/// The options of a truncated normal.
fn bounded<'a>(
    mean: &'a mut f64,
    std: &'a mut f64,
    (lower, low): (&'static str, &'a mut f64),
    (upper, high): (&'static str, &'a mut f64),
) -> Vec<(&'static str, Slot<'a>)> {
    let above = Domain::Upper(*low);
    vec![
        ("mean", Slot::Number(mean, Domain::Finite)),
        ("std", Slot::Number(std, Domain::Positive)),
        (lower, Slot::Number(low, Domain::Lower)),
        (upper, Slot::Number(high, above)),
    ]
}
