//! The formulas of `scale`: numbers, `layer`, `layers`, `fan_in`, `fan_out`, `dim0`, `dim1`...,
//! `+ - * / ( )` and `sqrt`.
//!
//! IEEE 754 rounds each of these in one way only, so a formula has the same bits on every machine.
//! No expression library is used for that reason: their powers and sines are the platform's.

use std::fmt;
use std::str::FromStr;

/// The longest text in bytes, which bounds the depth of the parentheses too.
const LONGEST: usize = 200;

/// A formula with checked grammar and names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Formula(String);

const NO_LAYER: &str = "the tensor's name has no layer: a segment of digits, as in \"h.0.attn\"";
const NO_LAYERS: &str = "the number of layers is not known from the tensor's name; set layers = ... \
     in the rules";

const NO_FANS: &str = "the tensor has no fans: give its rule a layout that its shape fits, or fans";

fn known(variable: Option<u64>, missing: &str) -> Result<f64, String> {
    variable.map(|value| value as f64).ok_or_else(|| missing.to_owned())
}

/// The layer of a tensor, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Depth {
    /// The layer's index from 0, if the tensor is in one.
    pub(super) layer: Option<u64>,
    /// The number of layers, if it is known.
    pub(super) layers: Option<u64>,
}

/// The variables of a formula.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variables<'a> {
    pub(super) depth: Depth,
    /// (fan_in, fan_out), if the layout gives the shape fans.
    pub(super) fans: Option<(u64, u64)>,
    pub(super) dims: &'a [usize],
}

/// As many dimensions as a formula may name, so that one is checked when it is read.
const MOST_DIMS: usize = 16;

impl Formula {
    /// The value, which is finite; or the reason why there is none.
    pub(super) fn evaluate(&self, variables: Variables<'_>) -> Result<f64, String> {
        let value = evaluate(&self.0, variables)?;
        if value.is_finite() {
            Ok(value)
        } else {
            Err(format!("it is {value}, not a finite number"))
        }
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Formula {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("the scale has {} bytes; {LONGEST} are the most", text.len()));
        }
        // A text is a formula whatever the values of its variables are.
        let depth = Depth { layer: Some(0), layers: Some(1) };
        evaluate(text, Variables { depth, fans: Some((1, 1)), dims: &[1; MOST_DIMS] })
            .map_err(|reason| format!("cannot read scale {text:?}: {reason}"))?;
        Ok(Formula(text.trim().to_owned()))
    }
}

fn evaluate(text: &str, variables: Variables<'_>) -> Result<f64, String> {
    let mut parser = Parser { rest: text.trim(), variables };
    let value = parser.sum()?;
    if parser.rest.is_empty() {
        Ok(value)
    } else {
        Err(format!("{:?} cannot follow there", parser.rest))
    }
}

/// Computes while it reads; `rest`, the unread text, starts with no space.
struct Parser<'a> {
    rest: &'a str,
    variables: Variables<'a>,
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Result<f64, String> {
        let mut value = self.product()?;
        while let Some(symbol) = self.take(&['+', '-']) {
            let next = self.product()?;
            value = if symbol == '+' { value + next } else { value - next };
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<f64, String> {
        let mut value = self.factor()?;
        while let Some(symbol) = self.take(&['*', '/']) {
            let next = self.factor()?;
            value = if symbol == '*' { value * next } else { value / next };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<f64, String> {
        if self.take(&['-']).is_some() {
            return Ok(-self.factor()?);
        }
        if self.take(&['(']).is_some() {
            let value = self.sum()?;
            return self.close(value);
        }
        match self.rest.chars().next() {
            Some(first) if first.is_ascii_digit() || first == '.' => self.number(),
            Some(first) if first.is_alphabetic() => self.name(),
            Some(other) => Err(format!("a number, a name or ( must stand where {other:?} does")),
            None => Err("it ends where a number, a name or ( must follow".to_owned()),
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        let digits =
            |text: &str| text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut end = digits(self.rest);
        if let Some(power) = self.rest[end..].strip_prefix(['e', 'E']) {
            let unsigned = power.strip_prefix(['+', '-']).unwrap_or(power);
            end = self.rest.len() - unsigned.len() + digits(unsigned);
        }
        let text = self.advance(end);
        text.parse().map_err(|_| format!("{text:?} is not a number"))
    }

    fn name(&mut self) -> Result<f64, String> {
        let end =
            self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        match self.advance(end) {
            "layer" => known(self.variables.depth.layer, NO_LAYER),
            "layers" => known(self.variables.depth.layers, NO_LAYERS),
            "fan_in" => known(self.variables.fans.map(|(fan_in, _)| fan_in), NO_FANS),
            "fan_out" => known(self.variables.fans.map(|(_, fan_out)| fan_out), NO_FANS),
            "sqrt" if self.take(&['(']).is_some() => {
                let value = self.sum()?.sqrt();
                self.close(value)
            }
            "sqrt" => Err("sqrt must have parentheses: sqrt(2)".to_owned()),
            name => match name.strip_prefix("dim").map(str::parse::<usize>) {
                Some(Ok(dim)) => self.dim(dim),
                _ => Err(format!(
                    "there is no {name:?}; use layer, layers, fan_in, fan_out, dim0, dim1... or \
                     sqrt(...)"
                )),
            },
        }
    }

    fn dim(&self, dim: usize) -> Result<f64, String> {
        let dims = self.variables.dims;
        let missing = || format!("the tensor has no dim{dim}: it has {} dimensions", dims.len());
        dims.get(dim).map(|&len| len as f64).ok_or_else(missing)
    }

    fn close(&mut self, value: f64) -> Result<f64, String> {
        if self.take(&[')']).is_some() {
            Ok(value)
        } else {
            Err("a closing parenthesis is missing".to_owned())
        }
    }

    /// Reads one of the symbols, if one follows.
    fn take(&mut self, symbols: &[char]) -> Option<char> {
        let symbol = self.rest.chars().next().filter(|symbol| symbols.contains(symbol))?;
        self.advance(symbol.len_utf8());
        Some(symbol)
    }

    fn advance(&mut self, end: usize) -> &'a str {
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Depth, Formula, LONGEST, Variables};

    const VARIABLES: Variables<'static> = Variables {
        depth: Depth { layer: Some(3), layers: Some(12) },
        fans: Some((27, 576)),
        dims: &[64, 3, 3, 3],
    };

    #[test]
    fn formulas_have_their_values() {
        for (text, expected) in [
            ("1 / sqrt(2 * layers)", 1.0 / 24f64.sqrt()),
            ("1/sqrt(2*(layer+1))", 1.0 / 8f64.sqrt()),
            ("0.5", 0.5),
            (".5e-1", 0.05),
            ("2E+3", 2000.0),
            ("8 - 4 - 2", 2.0),
            ("8 / 4 / 2", 1.0),
            ("2 + 3 * 4", 14.0),
            ("(2 + 3) * 4", 20.0),
            ("--layer", 3.0),
            ("2 * -3", -6.0),
            (" sqrt ( 9 ) ", 3.0),
            ("fan_out / fan_in", 576.0 / 27.0),
            ("sqrt(dim0) - dim3", 5.0),
        ] {
            let formula: Formula = text.parse().unwrap();
            assert_eq!(formula.evaluate(VARIABLES), Ok(expected), "{text}");
        }
    }

    #[test]
    fn malformed_formulas_are_refused() {
        for (text, expected) in [
            ("", "ends"),
            ("1 +", "ends"),
            ("1 2", "\"2\" cannot follow"),
            ("(1", "closing parenthesis"),
            ("1)", "cannot follow"),
            ("sqrt 2", "parentheses"),
            ("sqrt()", "')'"),
            ("1.2.3", "\"1.2.3\" is not a number"),
            ("1e", "\"1e\" is not a number"),
            ("2 ^ 3", "\"^ 3\" cannot follow"),
            ("depth", "there is no \"depth\""),
            ("dimension", "there is no \"dimension\""),
            ("dim99", "no dim99"),
            ("é", "there is no \"é\""),
            ("*2", "'*'"),
        ] {
            let error = text.parse::<Formula>().unwrap_err();
            assert!(
                error.contains(expected) && error.contains(&format!("{text:?}")),
                "{text}: {error}"
            );
        }
        assert!("(".repeat(100_000).parse::<Formula>().unwrap_err().contains("200"));
        assert!("(".repeat(LONGEST).parse::<Formula>().is_err());
    }

    #[test]
    fn formulas_without_a_finite_value_are_refused() {
        let none = Depth { layer: None, layers: None };
        let first = Depth { layer: Some(0), ..none };
        for (text, depth, expected) in [
            ("1/layer", first, "inf"),
            ("0/layer", first, "NaN"),
            ("sqrt(layer - 1)", first, "NaN"),
            ("layer", none, "no layer"),
            ("layers", none, "layers = ..."),
            ("fan_in", none, "no fans"),
            ("dim1", none, "no dim1: it has 1 dimensions"),
        ] {
            let formula: Formula = text.parse().unwrap();
            let error = formula.evaluate(Variables { depth, fans: None, dims: &[8] }).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
