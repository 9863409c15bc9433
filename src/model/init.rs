//! The `init` of a rule: an [`Initializer`], or PyTorch's default for a bias, which only a plan can
//! resolve because it depends on the weight beside the bias.

use std::fmt;
use std::str::FromStr;

use crate::{Initializer, ParseInitializerError};

/// The `init` of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Init {
    /// An initializer, the same for every tensor of the rule.
    Scheme(Initializer),
    /// [`Initializer::pytorch_bias`] with the fan_in of the weight of the same layer.
    PytorchBias,
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Init::Scheme(initializer) => initializer.fmt(f),
            Init::PytorchBias => f.write_str("pytorch_bias"),
        }
    }
}

impl FromStr for Init {
    type Err = ParseInitializerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().replace('-', "_").as_str() {
            "pytorch_bias" => Ok(Init::PytorchBias),
            _ => text.parse().map(Init::Scheme),
        }
    }
}
