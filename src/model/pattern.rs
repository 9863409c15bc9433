//! Patterns that select a rule's tensors: a glob or a regular expression for the name, and the
//! number of dimensions.

use std::fmt;

use globset::GlobBuilder;
use regex_automata::meta::Regex;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;

/// The longest text in bytes, which bounds the nesting of a pattern.
const LONGEST: usize = 1000;
/// The most bytes of a compiled pattern: `\w{9999}` is refused, and smaller ones match quickly.
const LARGEST: usize = 1 << 20;
/// The most bytes of the cache that matching fills.
const CACHE: usize = 1 << 16;

/// A condition on a tensor's name and rank.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// `match` or `regex`.
    key: &'static str,
    text: String,
    names: Regex,
    rank: Rank,
}

/// A condition on the number of dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    Any,
    Exactly(usize),
    AtLeast(usize),
}

impl Pattern {
    /// A glob for the whole name. `*` and `?` match dots too.
    pub(super) fn glob(text: &str, rank: Rank) -> Result<Self, String> {
        Self::new("match", text, rank, |text| {
            let glob = GlobBuilder::new(text).backslash_escape(true).empty_alternates(true).build();
            // globset's own matcher panics where an expression is refused.
            glob.map(|glob| glob.regex().to_owned()).map_err(|error| error.kind().to_string())
        })
    }

    /// A regular expression, found anywhere in the name unless anchored.
    pub(super) fn regex(text: &str, rank: Rank) -> Result<Self, String> {
        Self::new("regex", text, rank, |text| Ok(text.to_owned()))
    }

    fn new(
        key: &'static str,
        text: &str,
        rank: Rank,
        expression: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("{key} has {} bytes; {LONGEST} are the most", text.len()));
        }
        let names = expression(text).and_then(|expression| compile(&expression, key == "match"));
        let names = names.map_err(|reason| format!("cannot read {key} = {text:?}: {reason}"))?;
        Ok(Pattern { key, text: text.to_owned(), names, rank })
    }

    pub(super) fn matches(&self, name: &str, rank: usize) -> bool {
        let fits = match self.rank {
            Rank::Any => true,
            Rank::Exactly(dims) => rank == dims,
            Rank::AtLeast(dims) => rank >= dims,
        };
        fits && self.names.is_match(name.as_bytes())
    }

    /// The size of the compiled pattern in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.names.memory_usage()
    }
}

/// Compiles an expression that may match any bytes, as globs do.
fn compile(expression: &str, dot_matches_new_line: bool) -> Result<Regex, String> {
    let config = Regex::config()
        .utf8_empty(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(LARGEST))
        .hybrid_cache_capacity(CACHE);
    let syntax = syntax::Config::new().utf8(false).dot_matches_new_line(dot_matches_new_line);
    Regex::builder().configure(config).syntax(syntax).build(expression).map_err(|error| {
        match (error.syntax_error(), error.size_limit()) {
            // The message spans several lines; the last one has the reason.
            (Some(error), _) => {
                let error = error.to_string();
                error.rsplit("error: ").next().unwrap_or(&error).trim().to_owned()
            }
            (_, Some(limit)) => {
                format!("compiled it exceeds the size limit of {limit} bytes; repeat less")
            }
            _ => error.to_string(),
        }
    })
}

/// The pattern as the rules spell it.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}", self.key, self.text)?;
        match self.rank {
            Rank::Any => Ok(()),
            Rank::Exactly(dims) => write!(f, ", dims = {dims}"),
            Rank::AtLeast(dims) => write!(f, ", min_dims = {dims}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Rank};

    #[test]
    fn globs_match_whole_names_across_dots() {
        for (glob, name, expected) in [
            ("*.mlp.*.weight", "model.layers.0.mlp.up_proj.weight", true),
            ("*.mlp.*.weight", "mlp.up_proj.weight", false),
            ("{,*.}mlp.*.weight", "mlp.up_proj.weight", true),
            ("*.weight", "fc.weight.scale", false),
            ("*.ln_[12].weight", "h.0.ln_2.weight", true),
            ("*.ln_[12].weight", "h.0.ln_3.weight", false),
            ("*.{o_proj,down_proj}.weight", "a.down_proj.weight", true),
            ("h.?.w", "h.1.w", true),
            ("h.?.w", "h.11.w", false),
            ("*", "a/b\\c.d", true),
            ("a\\*", "a*", true),
            ("W", "w", false),
        ] {
            let pattern = Pattern::glob(glob, Rank::Any).unwrap();
            assert_eq!(pattern.matches(name, 2), expected, "{glob} {name}");
        }
    }

    #[test]
    fn expressions_are_found_anywhere_unless_anchored() {
        assert!(Pattern::regex("mlp", Rank::Any).unwrap().matches("h.0.mlp.weight", 2));
        assert!(!Pattern::regex("^mlp", Rank::Any).unwrap().matches("h.0.mlp.weight", 2));
    }

    #[test]
    fn ranks_are_conditions() {
        for (rank, expected) in [
            (Rank::Any, [true, true, true]),
            (Rank::Exactly(1), [false, true, false]),
            (Rank::AtLeast(1), [false, true, true]),
        ] {
            let pattern = Pattern::glob("*", rank).unwrap();
            assert_eq!([0, 1, 2].map(|dims| pattern.matches("w", dims)), expected);
        }
    }

    #[test]
    fn bad_patterns_are_refused_on_one_line() {
        for (error, expected) in [
            (Pattern::glob("[", Rank::Any), "unclosed character class"),
            (Pattern::glob("{a", Rank::Any), "unclosed alternate group"),
            (Pattern::glob(&"{".repeat(100_000), Rank::Any), "1000 are the most"),
            (Pattern::glob(&("{".repeat(500) + &"}".repeat(500)), Rank::Any), "nest"),
            (Pattern::regex("(a", Rank::Any), "unclosed group"),
            (Pattern::regex("(?:\\w{100}){100}", Rank::Any), "size limit"),
            (Pattern::regex("(a*)\\1", Rank::Any), "backreferences"),
            (Pattern::regex(&"(".repeat(100_000), Rank::Any), "1000 are the most"),
        ] {
            let error = error.unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
    }
}
