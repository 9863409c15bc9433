//! The options of the initializers: what they may be, and where they are.

use crate::initializer::Initializer;
use crate::initializer::text::Slot;
use crate::{ErrorKind, Result};

impl Initializer {
    /// Checks what can be checked without a shape.
    pub(crate) fn validate(&self) -> Result<(), ErrorKind> {
        let check = |option, value: f64, good: bool, expected| {
            if value.is_finite() && good {
                Ok(())
            } else {
                Err(ErrorKind::InvalidOption { option, value, expected })
            }
        };
        let finite = |option, value| check(option, value, true, "a finite number");
        let not_negative =
            |option, value| check(option, value, value >= 0.0, "a finite number not below 0");
        let bounded = |lower: &'static str, upper: &'static str, mean, std, low: f64, high: f64| {
            let invalid =
                |option, value, expected| Err(ErrorKind::InvalidOption { option, value, expected });
            finite("mean", mean)?;
            check("std", std, std > 0.0, "a finite number above 0")?;
            if low.is_nan() {
                return invalid(lower, low, "a number below the upper bound, or -inf");
            }
            if high > low {
                Ok(())
            } else {
                invalid(upper, high, "a number above the lower bound, or inf")
            }
        };
        match *self {
            Initializer::VarianceScaling { scale, .. } => {
                check("scale", scale, scale > 0.0, "a finite number above 0")
            }
            Initializer::XavierNormal { gain, mean }
            | Initializer::XavierUniform { gain, mean } => {
                not_negative("gain", gain).and(finite("mean", mean))
            }
            Initializer::KaimingNormal { a, .. } | Initializer::KaimingUniform { a, .. } => {
                finite("a", a)
            }
            Initializer::Normal { mean, std } => finite("mean", mean).and(not_negative("std", std)),
            Initializer::Uniform { a, b } => {
                finite("a", a).and(check("b", b, b >= a, "a finite number not below a"))
            }
            Initializer::TruncatedNormal { mean, std, a, b } => bounded("a", "b", mean, std, a, b),
            Initializer::TruncatedNormalSigma { mean, std, lower, upper } => {
                bounded("lower", "upper", mean, std, lower, upper)
            }
            Initializer::Constant { val } => finite("val", val),
            Initializer::Eye { gain } => finite("gain", gain),
            Initializer::Dirac { groups } => {
                check("groups", groups.into(), groups > 0, "at least 1")
            }
            Initializer::Orthogonal { gain } | Initializer::DeltaOrthogonal { gain } => {
                let good = gain == 0.0 || (1e-20..=1e30).contains(&gain.abs());
                check("gain", gain, good, "0 or of a magnitude from 1e-20 to 1e30")
            }
            Initializer::Sparse { sparsity, std } => {
                check("sparsity", sparsity, (0.0..=1.0).contains(&sparsity), "a part from 0 to 1")
                    .and(not_negative("std", std))
            }
            Initializer::GlorotNormal
            | Initializer::GlorotUniform
            | Initializer::HeNormal
            | Initializer::HeUniform
            | Initializer::LecunNormal
            | Initializer::LecunUniform => Ok(()),
        }
    }

    /// The options, to be shown or set, in the order of the text form.
    pub(super) fn options_mut(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        match self {
            Initializer::VarianceScaling { scale, mode, distribution } => {
                vec![
                    ("scale", Slot::Number(scale)),
                    ("mode", Slot::Mode(mode)),
                    ("distribution", Slot::Unrounded(distribution)),
                ]
            }
            Initializer::XavierNormal { gain, mean }
            | Initializer::XavierUniform { gain, mean } => {
                vec![("gain", Slot::Number(gain)), ("mean", Slot::Number(mean))]
            }
            Initializer::KaimingNormal { a, mode, nonlinearity }
            | Initializer::KaimingUniform { a, mode, nonlinearity } => vec![
                ("a", Slot::Number(a)),
                ("mode", Slot::Mode(mode)),
                ("nonlinearity", Slot::Nonlinearity(nonlinearity)),
            ],
            Initializer::Normal { mean, std } => {
                vec![("mean", Slot::Number(mean)), ("std", Slot::Number(std))]
            }
            Initializer::Uniform { a, b } => vec![("a", Slot::Number(a)), ("b", Slot::Number(b))],
            Initializer::TruncatedNormal { mean, std, a, b } => {
                vec![
                    ("mean", Slot::Number(mean)),
                    ("std", Slot::Number(std)),
                    ("a", Slot::Number(a)),
                    ("b", Slot::Number(b)),
                ]
            }
            Initializer::TruncatedNormalSigma { mean, std, lower, upper } => vec![
                ("mean", Slot::Number(mean)),
                ("std", Slot::Number(std)),
                ("lower", Slot::Number(lower)),
                ("upper", Slot::Number(upper)),
            ],
            Initializer::Constant { val } => vec![("val", Slot::Number(val))],
            Initializer::Eye { gain }
            | Initializer::Orthogonal { gain }
            | Initializer::DeltaOrthogonal { gain } => {
                vec![("gain", Slot::Number(gain))]
            }
            Initializer::Dirac { groups } => vec![("groups", Slot::Count(groups))],
            Initializer::Sparse { sparsity, std } => {
                vec![("sparsity", Slot::Number(sparsity)), ("std", Slot::Number(std))]
            }
            Initializer::GlorotNormal
            | Initializer::GlorotUniform
            | Initializer::HeNormal
            | Initializer::HeUniform
            | Initializer::LecunNormal
            | Initializer::LecunUniform => Vec::new(),
        }
    }

    /// The option that has no default, if it is not specified: a NaN.
    pub(super) fn unspecified(&mut self) -> Option<&'static str> {
        let options = self.options_mut().into_iter();
        options
            .filter(|(_, slot)| matches!(slot, Slot::Number(number) if number.is_nan()))
            .map(|(name, _)| name)
            .next()
    }

    /// Sets a number by its option's name; whether the initializer has such an option.
    pub(crate) fn set_number(&mut self, option: &str, value: f64) -> bool {
        let slot = self.options_mut().into_iter().find(|(name, _)| *name == option);
        let Some((_, Slot::Number(number))) = slot else { return false };
        *number = value;
        true
    }
}
