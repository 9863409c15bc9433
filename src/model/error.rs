//! Why rules and a list of tensors give no plan.

use crate::{DType, Error, Shape};

/// What is wrong with a plan: [`ErrorKind::Plan`](crate::ErrorKind::Plan) holds it.
///
/// ```
/// use gpu_init::{ErrorKind, Plan, PlanError, Rules};
///
/// let rules: Rules = "rules = [{ match = '*.weight', init = 'xavier_normal' }]".parse()?;
/// let error = Plan::new([("fc.weight", [3, 4], None), ("cls_token", [1, 4], None)], &rules).unwrap_err();
/// let unmatched = PlanError::Unmatched { tensors: vec!["cls_token".to_owned()] };
/// assert_eq!(error.kind(), &ErrorKind::Plan(unmatched));
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
        "its tensors have {bytes} bytes, and there is memory for {memory}; the largest are {largest}: use a \
         smaller dtype, several processes, or --out, which needs memory for one tensor at a time"
    )]
    Memory {
        /// Bytes of all tensors.
        bytes: u64,
        /// Bytes of memory.
        memory: u64,
        /// The largest tensors, each with its bytes.
        largest: String,
    },
    /// Two tensors have one name.
    #[error("the name {tensor:?} comes twice; give every tensor a name of its own")]
    Duplicate {
        /// The name.
        tensor: String,
    },
    /// No rule is for these tensors, and there is no default.
    #[error(
        "no rule matches {}; add a rule, or a default for all that no rule matches",
        listed(tensors)
    )]
    Unmatched {
        /// All of them, in the list's order.
        tensors: Vec<String>,
    },
    /// Tied tensors that cannot share memory.
    #[error(
        "{owner:?} and {alias:?} are tied, but are {owner_type} and {alias_type}; \
         tie only tensors of one shape and dtype"
    )]
    Tied {
        /// The tensor that is initialized.
        owner: String,
        /// The one that was to share its memory.
        alias: String,
        /// The owner's shape and dtype.
        owner_type: String,
        /// The other's.
        alias_type: String,
    },
    /// The tensor cannot be initialized so.
    #[error("tensor {tensor:?}, {rule}: {error}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// The rule.
        rule: String,
        /// What is wrong.
        error: Box<Error>,
    },
    /// A formula without a value for this tensor.
    #[error("tensor {tensor:?}, {rule}: scale {scale:?} cannot be computed: {reason}")]
    Scale {
        /// The tensor's name.
        tensor: String,
        /// The rule.
        rule: String,
        /// The formula.
        scale: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A dimension to shard that the tensor does not have.
    #[error(
        "tensor {tensor:?}, {rule}: shape {shape} has no dimension {dim} to shard; they count from 0"
    )]
    Shard {
        /// The tensor's name.
        tensor: String,
        /// The rule.
        rule: String,
        /// The dimension asked for.
        dim: usize,
        /// The tensor's shape.
        shape: Shape,
    },
    /// `pytorch_bias` for a tensor that has no weight beside it.
    #[error(
        "tensor {tensor:?}, {rule}: pytorch_bias needs the fan_in of {weight:?}, which is not there with two or \
         more dimensions; list it, or use uniform or zeros"
    )]
    Bias {
        /// The tensor's name.
        tensor: String,
        /// The rule.
        rule: String,
        /// The weight's name.
        weight: String,
    },
    /// The elements or bytes of all tensors do not fit in 64 bits.
    #[error("the size of all {tensors} tensors overflows 64 bits; check their shapes")]
    Overflow {
        /// How many there are.
        tensors: usize,
    },
}

/// The first names, and how many more there are.
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
