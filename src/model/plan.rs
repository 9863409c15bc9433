//! The plan of a model: every tensor with its rule applied and its spec resolved, before any memory
//! is allocated.

use crate::model::error::PlanError;
use crate::{DType, Fill, Shape, Shard, TensorSpec};

/// The tensors of a model, each with its spec and the fill that it resolves to.
///
/// A tensor's entry depends on its name, shape and dtype, on the rules, and on the set of tensors,
/// not on their order.
///
/// ```
/// use gpu_init::{Cpu, Plan, Recipe};
///
/// let tensors = [
///     ("wte.weight", vec![1000, 64], None),
///     ("h.0.mlp.c_proj.weight", vec![256, 64], None),
///     ("h.1.mlp.c_proj.weight", vec![256, 64], None),
///     ("ln_f.weight", vec![64], None),
/// ];
/// let plan = Plan::new(tensors, &Recipe::GPT2.rules())?;
/// assert_eq!(plan.elements(), 96_832);
/// let projection = &plan.entries()[1];
/// assert_eq!(projection.scale, 0.5); // 1 / sqrt(2 * 2 layers)
/// assert_eq!(projection.fill.distribution.std() as f32, 0.01);
/// let weights = Cpu::new().fill(&projection.spec)?;
/// # assert_eq!(weights.len(), 16384);
/// # Ok::<(), gpu_init::PlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub(super) entries: Vec<PlanEntry>,
    pub(super) kept: Vec<KeptTensor>,
    pub(super) warnings: Vec<PlanWarning>,
    pub(super) elements: u64,
    pub(super) bytes: u64,
}

/// One tensor of a [`Plan`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PlanEntry {
    /// The tensor's name, which determines its stream.
    pub name: String,
    /// The names of tied tensors that share its memory, in the order of the rules.
    pub aliases: Vec<String>,
    /// The index of its rule in [`Rules::rules`](crate::Rules::rules); `None` for the default.
    pub rule: Option<usize>,
    /// The value of the rule's formula, which scales the distribution; 1 without a formula.
    pub scale: f64,
    /// The dimension to shard, if the rule names one; the shape has it.
    pub shard_dim: Option<usize>,
    /// The spec, with shape, initializer, name, seed, dtype, layout and scale.
    pub spec: TensorSpec,
    /// The fill that the spec resolves to.
    pub fill: Fill,
}

/// A tensor of a [`Plan`] that is not filled, by `init = "keep"` or because `only` does not name it:
/// whoever has the source's bytes copies them.
///
/// ```
/// use gpu_init::{DType, Plan, Rules};
///
/// let rules: Rules = "only = ['classifier.*']\ndefault = 'xavier_normal'".parse()?;
/// let tensors = [("bert.weight", [4, 4], Some(DType::F16)), ("classifier.weight", [2, 4], None)];
/// let plan = Plan::new(tensors, &rules)?;
/// assert_eq!((plan.entries().len(), &*plan.kept()[0].name), (1, "bert.weight"));
/// assert_eq!(plan.kept()[0].dtype, Some(DType::F16));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KeptTensor {
    /// The tensor's name.
    pub name: String,
    /// The names of tied tensors that share its memory, in the order of the rules.
    pub aliases: Vec<String>,
    /// Its shape.
    pub shape: Shape,
    /// The element type, if the list has it.
    pub dtype: Option<DType>,
    /// The index of its rule in [`Rules::rules`](crate::Rules::rules); `None` for the default and for `only`.
    pub rule: Option<usize>,
}

/// A suspicious rule, which is no error.
///
/// ```
/// use gpu_init::{Plan, Rules};
///
/// let rules: Rules = "default = 'zeros'\nrules = [{ match = '*.wieght', init = 'normal' }]".parse()?;
/// let plan = Plan::new([("fc.weight", [3, 4], None)], &rules)?;
/// let expected = "rule 1 (match = \"*.wieght\") matches no tensor; correct or remove it";
/// assert_eq!(plan.warnings()[0].to_string(), expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, strum::Display)]
#[non_exhaustive]
pub enum PlanWarning {
    /// A rule, by its text, that matches no tensor.
    #[strum(to_string = "{0} matches no tensor; correct or remove it")]
    Unused(String),
    /// A rule, by its text, whose tensors all match a rule before it.
    #[strum(
        to_string = "{0} is never used: rules before it match all its tensors; move it up or remove it"
    )]
    Shadowed(String),
    /// Tensors of three or more dimensions whose rule does not say which axes are inputs and
    /// outputs, so that they were read as convolutions.
    #[strum(
        to_string = "{rule} takes {tensor:?} {shape} (1 of {tensors} such tensors) for a convolution (out, in, \
                     kernel...), fan_in {fan_in} and fan_out {fan_out}: give a rule for it a layout, such as \
                     \"out_in_kernel\" for a convolution, \"axes(input=2, output=1, batch=0)\" for experts, or fans"
    )]
    #[non_exhaustive]
    Layout {
        /// The rule, by its text, or `the default`.
        rule: String,
        /// The first of the tensors.
        tensor: String,
        /// Its shape.
        shape: Shape,
        /// Its fan_in.
        fan_in: u64,
        /// Its fan_out.
        fan_out: u64,
        /// The number of such tensors of the rule.
        tensors: usize,
    },
}

impl Plan {
    /// One rank's shard of every tensor, along the dimension that its rule names, or the first one.
    /// Tensors with an empty shard are left out; scalars and kept tensors belong to rank 0.
    ///
    /// ```
    /// use gpu_init::{Cpu, Fingerprint, Plan, PlanEntry, Recipe, stream_of};
    ///
    /// let tensors = [("a.weight", vec![5, 3], None), ("a.bias", vec![5], None)];
    /// let plan = Plan::new(tensors, &Recipe::XAVIER.rules())?;
    /// let of_entry = |entry: &PlanEntry| {
    ///     let tensor = Cpu::new().fill(&entry.spec).unwrap();
    ///     tensor.fingerprint().in_model(stream_of(&entry.name))
    /// };
    /// let fingerprint = |plan: &Plan| -> Fingerprint { plan.entries().iter().map(of_entry).sum() };
    /// let shards = (0..4).map(|rank| fingerprint(&plan.shard(rank, 4).unwrap()));
    /// let shards: Fingerprint = shards.sum();
    /// assert_eq!(shards, fingerprint(&plan));
    /// # Ok::<(), gpu_init::PlanError>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError::Fill`] with [`NoRank`](crate::ErrorKind::NoRank) or
    /// [`Scattered`](crate::ErrorKind::Scattered).
    pub fn shard(&self, rank: u64, world: u64) -> Result<Self, PlanError> {
        let kept = if rank > 0 { Vec::new() } else { self.kept.clone() };
        let warnings = self.warnings.clone();
        let mut plan = Plan { entries: Vec::new(), kept, warnings, elements: 0, bytes: 0 };
        for entry in &self.entries {
            let shard = Shard { dim: entry.shard_dim.unwrap_or(0), rank, world };
            let spec = match entry.spec.shape().dims().get(shard.dim) {
                None if rank > 0 => continue,
                None => entry.spec.clone(),
                Some(&len) if rank < world && shard.range(len as u64).is_empty() => continue,
                Some(_) => entry.spec.clone().shard(shard),
            };
            let fill = spec.resolve(0, 0)?;
            plan.elements += fill.len;
            plan.bytes += fill.bytes();
            let PlanEntry { name, aliases, rule, scale, shard_dim, .. } = entry;
            let (name, aliases) = (name.clone(), aliases.clone());
            let (rule, scale, shard_dim) = (*rule, *scale, *shard_dim);
            plan.entries.push(PlanEntry { name, aliases, rule, scale, shard_dim, spec, fill });
        }
        Ok(plan)
    }

    /// Checks that all entries together take at most `memory` bytes.
    ///
    /// ```
    /// use gpu_init::{Plan, Recipe};
    ///
    /// let tensors = [("fc.weight", [64, 32], None), ("out.weight", [5, 64], None)];
    /// let plan = Plan::new(tensors, &Recipe::XAVIER.rules())?;
    /// assert!(plan.fits(9472).is_ok());
    /// let error = plan.fits(9471).unwrap_err().to_string();
    /// assert!(error.contains("fc.weight (8192 bytes)"), "{error}");
    /// # Ok::<(), gpu_init::PlanError>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError::Memory`] with the sum and the largest tensors.
    pub fn fits(&self, memory: u64) -> Result<(), PlanError> {
        if self.bytes <= memory {
            return Ok(());
        }
        let mut largest: Vec<_> = self.entries.iter().collect();
        largest.sort_by_key(|entry| std::cmp::Reverse(entry.fill.bytes()));
        let named = |entry: &&PlanEntry| format!("{} ({} bytes)", entry.name, entry.fill.bytes());
        let largest = largest.iter().take(3).map(named).collect::<Vec<_>>().join(", ");
        Err(PlanError::Memory { bytes: self.bytes, memory, largest })
    }

    /// The tensors to fill, in the list's order; tied tensors are one entry.
    pub fn entries(&self) -> &[PlanEntry] {
        &self.entries
    }

    /// The tensors that are not filled, in the list's order.
    pub fn kept(&self) -> &[KeptTensor] {
        &self.kept
    }

    /// Warnings about rules that apply to no tensor, and about tensors that were read as
    /// convolutions for want of a layout.
    pub fn warnings(&self) -> &[PlanWarning] {
        &self.warnings
    }

    /// The number of elements of all entries.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// The number of bytes of all entries.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
