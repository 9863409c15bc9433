//! Parses a rules file: TOML whose every key and value is checked; errors name the line.

use std::collections::HashSet;
use std::fmt::Display;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _, Unexpected, Visitor};
use toml::Spanned;

use crate::model::error::ParseRulesError;
use crate::model::formula::Formula;
use crate::model::pattern::{Pattern, Rank};
use crate::model::rules::{Init, Rule, Rules};
use crate::{DType, Layout};

/// The largest number of rules.
const MOST_RULES: usize = 1000;
/// The most bytes that all compiled patterns may take: 1000 of `(^|\.)ln_\w+\.weight$` take
/// 58 MiB, 1000 globs 5.
const MOST_PATTERN_BYTES: usize = 64 << 20;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    seed: Option<u64>,
    dtype: Option<Text<DType>>,
    layers: Option<NonZeroU64>,
    default: Option<Text<Init>>,
    tied: Option<Vec<Spanned<Vec<String>>>>,
    /// Globs for the tensors to initialize: all others are kept.
    only: Option<Vec<Spanned<String>>>,
    /// Globs that every model of these rules has a name for.
    #[serde(default)]
    fits: Vec<Spanned<String>>,
    /// Globs for names that no model of these rules has.
    #[serde(default)]
    unlike: Vec<Spanned<String>>,
    #[serde(default)]
    rules: Vec<Spanned<Table>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "match")]
    glob: Option<String>,
    regex: Option<String>,
    dims: Option<usize>,
    min_dims: Option<usize>,
    init: Text<Init>,
    dtype: Option<Text<DType>>,
    layout: Option<Text<Layout>>,
    fans: Option<Fans>,
    scale: Option<Scale>,
    shard: Option<Shard>,
    zero_row: Option<u64>,
    integers: Option<bool>,
    name: Option<String>,
    #[serde(default)]
    optional: bool,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Fans {
    r#in: Option<NonZeroU64>,
    out: Option<NonZeroU64>,
    of: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Shard {
    dim: usize,
}

impl FromStr for Rules {
    type Err = ParseRulesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |at: Option<usize>, reason: &str| {
            let before = at.and_then(|at| text.get(..at));
            ParseRulesError::new(before.map(|before| 1 + before.matches('\n').count()), reason)
        };
        let file: File = toml::from_str(text)
            .map_err(|error| wrong(error.span().map(|span| span.start), error.message()))?;
        if file.rules.is_empty() && file.default.is_none() {
            return Err(wrong(None, "there are no [[rules]] and no default; give at least one"));
        }
        if file.rules.len() > MOST_RULES {
            let reason = format!("there are {} rules; {MOST_RULES} are the most", file.rules.len());
            return Err(wrong(None, &reason));
        }
        let at = |(at, reason): Mistake| wrong(Some(at), &reason);
        Ok(Rules {
            seed: file.seed.unwrap_or(0),
            dtype: file.dtype.map(|dtype| dtype.0),
            forced_dtype: None,
            listed_dtypes: false,
            layers: file.layers.map(NonZeroU64::get),
            default: file.default.map(|init| init.0),
            tied: checked_ties(file.tied.unwrap_or_default()).map_err(at)?,
            only: file.only.map(globs).transpose().map_err(at)?,
            fits: globs(file.fits).map_err(at)?,
            unlike: globs(file.unlike).map_err(at)?,
            rules: checked_rules(file.rules).map_err(at)?,
        })
    }
}

/// The byte where the wrong table or array starts, and the reason.
type Mistake = (usize, String);

fn globs(texts: Vec<Spanned<String>>) -> Result<Vec<Pattern>, Mistake> {
    let glob = |text: Spanned<String>| {
        Pattern::glob(text.get_ref(), Rank::Any).map_err(|reason| (text.span().start, reason))
    };
    texts.into_iter().map(glob).collect()
}

fn checked_ties(tied: Vec<Spanned<Vec<String>>>) -> Result<Vec<Vec<String>>, Mistake> {
    let mut seen = HashSet::new();
    let checked = tied.into_iter().map(|names| {
        let start = names.span().start;
        let names = names.into_inner();
        match names.iter().find(|&name| !seen.insert(name.clone())) {
            Some(name) => {
                Err((start, format!("{name:?} is tied twice; each name may be tied once")))
            }
            None if names.len() < 2 => Err((start, "a tie needs two or more names".to_owned())),
            None => Ok(names),
        }
    });
    checked.collect()
}

fn checked_rules(tables: Vec<Spanned<Table>>) -> Result<Vec<Rule>, Mistake> {
    let mut bytes = 0;
    let checked = tables.into_iter().map(|table| {
        let start = table.span().start;
        let rule = table.into_inner().rule().map_err(|reason| (start, reason))?;
        bytes += rule.pattern.bytes();
        if bytes > MOST_PATTERN_BYTES {
            let reason = format!(
                "the patterns up to here have {bytes} bytes compiled, and {MOST_PATTERN_BYTES} are \
                 the most; use fewer or simpler ones: [a-z] for \\w, * for {{1,99}}"
            );
            return Err((start, reason));
        }
        Ok(rule)
    });
    checked.collect()
}

impl Table {
    fn rule(self) -> Result<Rule, String> {
        let rank = match (self.dims, self.min_dims) {
            (None, None) => Rank::Any,
            (Some(dims), None) => Rank::Exactly(dims),
            (None, Some(dims)) => Rank::AtLeast(dims),
            (Some(_), Some(_)) => return Err("a rule has dims or min_dims, not both".to_owned()),
        };
        let pattern = match (&self.glob, &self.regex) {
            (Some(glob), None) => Pattern::glob(glob, rank)?,
            (None, Some(regex)) => Pattern::regex(regex, rank)?,
            (Some(_), Some(_)) => return Err("a rule has match or regex, not both".to_owned()),
            (None, None) => {
                return Err("a rule needs match (\"*\" for every name) or regex".to_owned());
            }
        };
        let layout = self.layout.map(|layout| layout.0);
        let (layout, fans_of) = match self.fans {
            Some(_) if layout.is_some() => {
                return Err("a rule has layout or fans, not both".to_owned());
            }
            Some(Fans { r#in: Some(fan_in), out: Some(fan_out), of: None }) => {
                (Some(Layout::Fans { fan_in: fan_in.get(), fan_out: fan_out.get() }), None)
            }
            Some(Fans { r#in: None, out: None, of: Some(of) }) => (None, Some(of)),
            Some(_) => {
                return Err("fans needs in and out, or of: { in = 4096, out = 11008 }, \
                            { of = \"weight\" }"
                    .to_owned());
            }
            None => (layout, None),
        };
        Ok(Rule {
            pattern,
            name: self.name,
            init: self.init.0,
            dtype: self.dtype.map(|dtype| dtype.0),
            layout,
            fans_of,
            scale: self.scale.map(|scale| scale.0),
            shard_dim: self.shard.map(|shard| shard.dim),
            zero_row: self.zero_row,
            integers: self.integers,
            optional: self.optional,
        })
    }
}

/// A value that is parsed from its text.
struct Text<T>(T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Text).map_err(D::Error::custom)
    }
}

/// A formula as text, or a number.
struct Scale(Formula);

impl<'de> Deserialize<'de> for Scale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScaleVisitor)
    }
}

struct ScaleVisitor;

impl Visitor<'_> for ScaleVisitor {
    type Value = Scale;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number or a formula such as \"1 / sqrt(2 * layers)\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Scale, E> {
        text.parse().map(Scale).map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Scale, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Scale, E> {
        if !number.is_finite() {
            return Err(E::invalid_value(Unexpected::Float(number), &"a finite number"));
        }
        // The shortest text with an exponent parses to the same bits.
        self.visit_str(&format!("{number:e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Rules;
    use proptest::prelude::*;

    #[track_caller]
    fn assert_refused(text: &str, expected: &str) {
        let error = text.parse::<Rules>().unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read rules") && error.contains(expected),
            "{text}: {error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }

    /// A rule for every tensor, in four lines, with more keys.
    fn rule(keys: &str) -> String {
        format!("\n[[rules]]\nmatch = '*'\ninit = 'zeros'\n{keys}")
    }

    #[test]
    fn mistakes_in_a_file_are_named_with_their_line() {
        for (text, expected) in [
            ("", "rules: there are no [[rules]] and no default"),
            ("rules = []", "no [[rules]]"),
            ("seed = ", "line 1: "),
            ("\nsede = 1", "line 2: unknown field `sede`"),
            ("seed = -1", "line 1: invalid value"),
            ("seed = 1\nseed = 2", "line 2: duplicate key"),
            ("layers = 0", "line 1: invalid value: integer `0`, expected a nonzero"),
            ("dtype = 'c64'", "line 1: unknown dtype \"c64\""),
            ("default = 'zero'", "line 1: cannot read initializer \"zero\""),
            ("fits = [\n'[']\ndefault = 'zeros'", "line 2: cannot read match = \"[\": unclosed"),
            ("[[rules]]\ninit = 'zeros'", "line 1: a rule needs match"),
            ("[[rules]]\nmatch = '*'", "line 1: missing field `init`"),
            (
                "rules = [\n { match = '*', regex = '.', init = 'ones' }\n]",
                "line 2: a rule has match or regex",
            ),
            (
                "[[rules]]\nmatch = '['\ninit = 'ones'",
                "line 1: cannot read match = \"[\": unclosed",
            ),
            (
                "[[rules]]\nregex = '('\ninit = 'ones'",
                "line 1: cannot read regex = \"(\": unclosed group",
            ),
            (
                &format!("tied = [['a', 'b'],\n['c', 'b']]{}", rule("")),
                "line 2: \"b\" is tied twice",
            ),
            (&format!("tied = [['a', 'a']]{}", rule("")), "line 1: \"a\" is tied twice"),
            (&format!("tied = [['a']]{}", rule("")), "line 1: a tie needs two or more names"),
            (
                &"[[rules]]\nregex = '\\w{20}'\ninit = 'ones'\n".repeat(1000),
                "the patterns up to here have 6",
            ),
            (&rule("").repeat(1001), "rules: there are 1001 rules; 1000 are the most"),
            (&format!("rules = {}", "[".repeat(100_000)), "line 1: "),
        ] {
            assert_refused(text, expected);
        }
    }

    #[test]
    fn mistakes_in_a_rule_are_named_with_their_line() {
        for (keys, expected) in [
            ("init = 'ones'", "line 5: duplicate key"),
            ("inti = 'ones'", "line 5: unknown field `inti`, expected one of `match`"),
            ("dims = 1\nmin_dims = 2", "line 2: a rule has dims or min_dims, not both"),
            ("dims = -1", "line 5: invalid value"),
            ("layout = 'chw'", "line 5: cannot read layout \"chw\": use out_in_kernel"),
            (
                "scale = 'sqrt(2 * l)'",
                "line 5: cannot read scale \"sqrt(2 * l)\": there is no \"l\"",
            ),
            (
                "scale = true",
                "line 5: invalid type: boolean `true`, expected a number or a formula",
            ),
            (
                "scale = nan",
                "line 5: invalid value: floating point `NaN`, expected a finite number",
            ),
            ("fans = { in = 3 }", "line 2: fans needs in and out, or of"),
            ("fans = { of = 'weight', in = 3 }", "line 2: fans needs in and out, or of"),
            (
                "fans = { in = 0, out = 3 }",
                "line 5: invalid value: integer `0`, expected a nonzero",
            ),
            ("fans = { of = 'w' }\nlayout = 'jax'", "line 2: a rule has layout or fans, not both"),
            ("shard = 0", "line 5: invalid type"),
            ("shard = { axis = 0 }", "line 5: unknown field `axis`"),
        ] {
            assert_refused(&rule(keys), expected);
        }
    }

    #[test]
    fn scale_may_be_a_number() {
        for (text, expected) in
            [("2", "2"), ("0.1", "1e-1"), ("-1e300", "-1e300"), ("'1 / 2'", "1 / 2")]
        {
            let rules: Rules = rule(&format!("scale = {text}")).parse().unwrap();
            assert_eq!(rules.rules[0].scale.as_ref().unwrap().to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(
            text in any::<String>(),
            key in "match|regex|init|scale|layout|dtype|shard|zero_row|tied|seed",
        ) {
            let _ = text.parse::<Rules>();
            for quoted in [format!("{key} = '''{text}'''"), format!("{key} = {text}")] {
                let _ = quoted.parse::<Rules>();
                let _ = format!("[[rules]]\nmatch = '*'\ninit = 'ones'\n{quoted}").parse::<Rules>();
            }
            let _ = format!("[[rules]]\n{key} = '''{text}'''\ninit = 'ones'").parse::<Rules>();
        }

        #[test]
        fn no_formula_panics(text in "[0-9.eE+*/() a-z-]{0,40}") {
            let _ = rule(&format!("scale = '{text}'")).parse::<Rules>();
        }
    }
}
