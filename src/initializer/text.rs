//! Initializers as text: `kaiming_normal(mode=fan_out, nonlinearity=relu)`, both ways.

use std::fmt;
use std::str::FromStr;

use strum::VariantNames;

use crate::initializer::gain::Nonlinearity;
use crate::initializer::options::Slot;
use crate::initializer::presets;
use crate::initializer::scheme::{FanMode, Initializer, VarianceDistribution};

impl Slot<'_> {
    fn set(&mut self, text: &str) -> Result<(), String> {
        let name = snake_case(text);
        match self {
            Slot::Number(slot, _) => set(*slot, text, "a number"),
            Slot::Exact(slot) => set(*slot, text, "a number"),
            Slot::Count(slot) => set(*slot, text, "a whole number"),
            Slot::Mode(slot) => set(*slot, &name, &FanMode::VARIANTS.join(", ")),
            Slot::Distribution(slot) => {
                set(*slot, &name, &VarianceDistribution::VARIANTS.join(", "))
            }
            Slot::Nonlinearity(slot) => set(*slot, &name, &Nonlinearity::VARIANTS.join(", ")),
        }
    }
}

/// Names may be written with hyphens and in capitals.
fn snake_case(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn set<T: FromStr>(slot: &mut T, text: &str, expected: &str) -> Result<(), String> {
    *slot = text.parse().map_err(|_| format!("{text:?} is not {expected}"))?;
    Ok(())
}

/// The name and, in parentheses, the options that differ from their defaults.
impl fmt::Display for Initializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = CONSTANTS.iter().find(|(_, constant)| constant == self) {
            return f.write_str(name);
        }
        f.write_str(self.name())?;
        let default = named(self.name()).unwrap_or(*self);
        let options: Vec<String> = self
            .options()
            .into_iter()
            .zip(default.options())
            .filter(|(option, default)| option != default)
            .map(|((option, value), _)| format!("{option}={value}"))
            .collect();
        if options.is_empty() { Ok(()) } else { write!(f, "({})", options.join(", ")) }
    }
}

/// Constants that have names of their own.
const CONSTANTS: [(&str, Initializer); 2] =
    [("zeros", Initializer::zeros()), ("ones", Initializer::ones())];

/// The text is no initializer.
///
/// ```
/// let error = "xavier_normal(gian=2)".parse::<gpu_init::Initializer>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cannot read initializer \"xavier_normal(gian=2)\": xavier_normal has no option \"gian\"; it has gain, mean"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read initializer {text:?}: {reason}")]
pub struct ParseInitializerError {
    text: String,
    reason: String,
}

/// Every option is checked.
impl FromStr for Initializer {
    type Err = ParseInitializerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| ParseInitializerError { text: text.to_owned(), reason })
    }
}

fn parse(text: &str) -> Result<Initializer, String> {
    let (name, options) = match text.trim().split_once('(') {
        None => (text.trim(), ""),
        Some((name, rest)) => {
            (name.trim(), rest.strip_suffix(')').ok_or("the closing parenthesis is missing")?)
        }
    };
    let name = snake_case(name);
    let mut initializer = named(&name).ok_or_else(|| {
        let names: Vec<_> = Initializer::named().map(|(name, _)| name).collect();
        format!("there is no {name:?}; use one of {}", names.join(", "))
    })?;
    let mut seen = Vec::new();
    for option in options.split(',').map(str::trim).filter(|option| !option.is_empty()) {
        let (key, value) = option
            .split_once('=')
            .ok_or_else(|| format!("{option:?} is not of the form option=value"))?;
        let (key, value) = (key.trim(), value.trim());
        if seen.contains(&key) {
            return Err(format!("{key} comes twice"));
        }
        seen.push(key);
        let mut slots = initializer.options_mut();
        match slots.iter_mut().find(|(option, _)| *option == key) {
            Some((_, slot)) => slot.set(value).map_err(|reason| format!("{key}: {reason}"))?,
            None => {
                let names: Vec<_> = slots.iter().map(|(option, _)| *option).collect();
                let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(format!("{name} has no option {key:?}; it has {names}"));
            }
        }
    }
    if let Some(option) = initializer.unspecified().filter(|option| !seen.contains(option)) {
        return Err(format!(
            "{name} has no default for {option}; specify it, as in {name}({option}=0.5)"
        ));
    }
    initializer.validate().map_err(|kind| kind.during(initializer.name()).to_string())?;
    Ok(initializer)
}

impl Initializer {
    /// Every name of the text form and what it stands for: schemes with their default options,
    /// constants, and the peers' layer defaults.
    ///
    /// ```
    /// use gpu_init::Initializer;
    ///
    /// for (name, initializer) in Initializer::named() {
    ///     println!("{name}: {}", initializer.description());
    ///     assert!(matches!(name, "constant" | "sparse") || name.parse() == Ok(initializer));
    /// }
    /// ```
    pub fn named() -> impl Iterator<Item = (&'static str, Initializer)> {
        let schemes = Initializer::ALL.iter().map(|initializer| (initializer.name(), *initializer));
        schemes.chain(CONSTANTS).chain(presets::PRESETS)
    }

    /// The options and their values, in the order and the spelling of the text form. A value that
    /// has no default, and is not specified, is `NaN`.
    ///
    /// ```
    /// use gpu_init::Initializer;
    ///
    /// let options = Initializer::kaiming_normal().options();
    /// let expected = [("a", "0"), ("mode", "fan_in"), ("nonlinearity", "leaky_relu")];
    /// assert_eq!(options, expected.map(|(option, value)| (option, value.to_owned())));
    /// ```
    pub fn options(mut self) -> Vec<(&'static str, String)> {
        let options = self.options_mut();
        options.into_iter().map(|(name, mut slot)| (name, slot.value().to_string())).collect()
    }
}

fn named(name: &str) -> Option<Initializer> {
    Initializer::named().find(|(known, _)| *known == name).map(|(_, initializer)| initializer)
}

/// As its text.
#[cfg(feature = "serde")]
impl serde::Serialize for Initializer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From its text.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Initializer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
