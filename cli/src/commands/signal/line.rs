//! An initializer to compare, and how it is labelled.

use std::fmt;

use gpu_init::{ErrorKind, Initializer};

use crate::terminal::output::{figure, printable, shortened};

/// One of the initializers to compare.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) initializer: Initializer,
    /// Its text, and a gain that was chosen for it.
    label: String,
    /// Whether its text sets a gain, which stays.
    sets_gain: bool,
}

/// Parses an initializer's text.
pub(super) fn parse(text: &str) -> Result<Line, String> {
    let initializer: Initializer =
        text.parse().map_err(|error: gpu_init::ParseInitializerError| error.to_string())?;
    let sets_gain = text.split(['(', ',']).any(|option| {
        option.split_once('=').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("gain"))
    });
    Ok(Line { initializer, label: printable(text), sets_gain })
}

impl Line {
    /// The line with a gain, unless its text sets one.
    ///
    /// # Errors
    /// Those of [`Initializer::gain`].
    pub(super) fn with_gain(&self, gain: f64) -> gpu_init::Result<Self> {
        if self.sets_gain {
            return Ok(self.clone());
        }
        let initializer = self.initializer.gain(gain)?;
        let label = match gain {
            1.0 => self.label.clone(),
            gain => format!("{}, gain {}", self.label, figure(gain)),
        };
        Ok(Line { initializer, label, sets_gain: false })
    }

    /// Whether the initializer has no option of that name.
    pub(super) fn has_no_gain(&self) -> bool {
        let with_gain = self.initializer.gain(1.0);
        with_gain.is_err_and(|error| matches!(error.kind(), ErrorKind::UnknownOption { .. }))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shortened(&self.label))
    }
}
