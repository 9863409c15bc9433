//! Errors of rules files and plans.

use crate::{DType, Error, Shape};

/// A rules file that cannot be read, with the line of the mistake.
///
/// ```
/// let text = "seed = 1\n[[rules]]\nmatch = '*'\ninti = 'zeros'\n";
/// let error = text.parse::<gpu_init::Rules>().unwrap_err();
/// assert_eq!(error.line(), Some(4));
/// assert!(error.to_string().starts_with("cannot read rules, line 4: unknown field `inti`"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read rules{}: {reason}",
    line.map(|line| format!(", line {line}")).unwrap_or_default()
)]
pub struct ParseRulesError {
    line: Option<usize>,
    reason: String,
}

impl ParseRulesError {
    /// Shows the reason on one line.
    pub(super) fn new(line: Option<usize>, reason: &str) -> Self {
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        ParseRulesError { line, reason }
    }

    /// The line of the mistake, from 1; `None` if the file as a whole is wrong.
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

/// Tensors that cannot be planned or filled by their rules.
///
/// ```
/// use gpu_init::{Plan, PlanError, Rules};
///
/// let rules: Rules = "rules = [{ match = '*.weight', init = 'xavier_normal' }]".parse()?;
/// let tensors = [("fc.weight", [3, 4], None), ("cls_token", [1, 4], None)];
/// let error = Plan::new(tensors, &rules).unwrap_err();
/// assert_eq!(error, PlanError::Unmatched { tensors: vec!["cls_token".to_owned()] });
/// assert_eq!(
///     error.to_string(),
///     "plan: no rule matches \"cls_token\"; add a rule, or a default for all that no rule matches"
/// );
/// # Ok::<(), gpu_init::ParseRulesError>(())
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The tensors need more memory than there is.
    #[error(
        "plan: its tensors have {bytes} bytes, and there is memory for {memory}; the largest are \
         {largest}: use a smaller dtype, shard the plan, or fill one tensor at a time"
    )]
    Memory {
        /// Bytes of all tensors.
        bytes: u64,
        /// Bytes of memory.
        memory: u64,
        /// The largest tensors, each with its bytes.
        largest: String,
    },
    /// Two tensors have the same name.
    #[error("plan: the name {tensor:?} comes twice; give every tensor a name of its own")]
    Duplicate {
        /// The name.
        tensor: String,
    },
    /// No rule matches these tensors, and there is no default.
    #[error(
        "plan: no rule matches {}; add a rule, or a default for all that no rule matches",
        listed(tensors)
    )]
    Unmatched {
        /// All of them, in the list's order.
        tensors: Vec<String>,
    },
    /// Tied tensors that cannot share memory.
    #[error(
        "plan: {owner:?} and {alias:?} are tied, but are {owner_type} and {alias_type}; \
         tie only tensors of one shape and dtype"
    )]
    Tied {
        /// The tensor that is initialized.
        owner: String,
        /// The tensor that was to share its memory.
        alias: String,
        /// The owner's shape and dtype.
        owner_type: String,
        /// The alias' shape and dtype.
        alias_type: String,
    },
    /// A rule that cannot be applied to a tensor.
    #[error("plan: tensor {tensor:?}, {rule}: {reason}")]
    Rule {
        /// The tensor's name.
        tensor: String,
        /// The rule's number, from 1, and its text; or `the default`.
        rule: String,
        /// Why it cannot be applied.
        reason: RuleError,
    },
    /// The elements or bytes of all tensors do not fit in 64 bits.
    #[error("plan: the size of all {tensors} tensors overflows 64 bits; check their shapes")]
    Overflow {
        /// The number of tensors.
        tensors: usize,
    },
    /// A tensor of the plan that cannot be sharded or filled.
    #[error(transparent)]
    Fill(#[from] Error),
}

/// Why a rule cannot be applied to a tensor: the reason in a [`PlanError::Rule`].
///
/// ```
/// use gpu_init::{Plan, PlanError, RuleError, Rules};
///
/// let rules: Rules = "default = 'pytorch_bias'".parse()?;
/// let error = Plan::new([("fc.bias", [3], None)], &rules).unwrap_err();
/// let expected = RuleError::Bias { weight: "fc.weight".to_owned() };
/// assert!(matches!(error, PlanError::Rule { reason, .. } if reason == expected));
/// # Ok::<(), gpu_init::ParseRulesError>(())
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The initializer does not fit the tensor.
    #[error(transparent)]
    Initializer(#[from] Error),
    /// The formula has no value for the tensor.
    #[error("scale {scale:?} cannot be computed: {reason}")]
    Scale {
        /// The formula.
        scale: String,
        /// Why, and the remedy.
        reason: String,
    },
    /// The tensor lacks the dimension to shard.
    #[error("shape {shape} has no dimension {dim} to shard; they count from 0")]
    Shard {
        /// The dimension of the rule.
        dim: usize,
        /// The tensor's shape.
        shape: Shape,
    },
    /// `fans` of a tensor that has none.
    #[error(
        "there are no fans of {name:?}: list it with a shape that has them, or give numbers, \
         fans = {{ in = 4096, out = 11008 }}"
    )]
    Fans {
        /// The name in the rule.
        name: String,
    },
    /// `pytorch_bias` for a tensor without a weight beside it.
    #[error(
        "pytorch_bias needs the fan_in of {weight:?}, which is not there with two or more \
         dimensions; list it, or use uniform or zeros"
    )]
    Bias {
        /// The weight's name.
        weight: String,
    },
}

/// The first names, and the number of the others.
fn listed(names: &[String]) -> String {
    const MOST: usize = 10;
    let mut text: Vec<_> = names.iter().take(MOST).map(|name| format!("{name:?}")).collect();
    if names.len() > MOST {
        text.push(format!("and {} more", names.len() - MOST));
    }
    text.join(", ")
}

/// A tensor's shape and dtype, as [`PlanError::Tied`] shows them.
pub(super) fn described(shape: &Shape, dtype: Option<DType>) -> String {
    dtype.map_or_else(|| shape.to_string(), |dtype| format!("{shape} {dtype}"))
}
