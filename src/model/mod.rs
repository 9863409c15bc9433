//! Which tensor of a model is initialized how: rules from a TOML file or a built-in recipe, and the
//! plan that they make of a list of tensors. Plain data, which no backend has seen.

mod error;
mod file;
mod formula;
mod init;
mod layers;
mod pattern;
mod plan;
mod recipe;
mod run;

use std::collections::HashMap;
use std::fmt;

pub use error::PlanError;
pub use file::ParseRulesError;
pub use plan::{Plan, PlanEntry, PlanWarning};
pub use recipe::Recipe;

use crate::{DType, Layout};
use formula::Formula;
use init::Init;
use pattern::Pattern;

/// An ordered list of rules, the first of which that matches a tensor says how it is initialized.
///
/// Read from TOML, the text of a rules file:
///
/// ```
/// use gpu_init::Rules;
///
/// let rules: Rules = r#"
///     seed = 42                                 # 0 unless told
///     dtype = "bf16"                            # of tensors whose list names none; F32 unless told
///     layers = 12                               # for `scale`; counted by the tensors' names unless told
///     default = "zeros"                         # tensors that no rule matches; without it they are an error
///     tied = [["wte.weight", "lm_head.weight"]] # one tensor of two names: the first one's rule and stream
///
///     [[rules]]
///     match = "*.c_proj.weight"                 # a glob of the whole name: * ? [ab] {a,b}; * matches dots too
///     init = "normal(std=0.02)"                 # or pytorch_bias: by the fan_in of the weight of the same layer
///     scale = "1 / sqrt(2 * layers)"            # layers, layer (from 0), numbers, + - * / ( ), sqrt
///
///     [[rules]]
///     regex = '(^|\.)ln_\w+\.weight$'           # instead of match: found anywhere unless anchored
///     dims = 1                                  # only vectors; min_dims = 2: two or more dimensions
///     init = "ones"
///     name = "norm weights"                     # what reports call it
///     optional = true                           # no warning if it is for no tensor
///
///     [[rules]]
///     match = "*.weight"
///     init = "kaiming_normal(mode=fan_in)"
///     dtype = "f32"                             # instead of the list's
///     layout = "keras"
///     shard = { dim = 0 }                       # what several processes divide; 0 unless told
///     zero_row = 0                              # of dimension 0: an embedding's padding token
/// "#.parse()?;
/// assert_eq!(rules.rules().len(), 3);
/// assert_eq!(rules.rules()[0].to_string(), r#"match = "*.c_proj.weight""#);
/// assert_eq!(rules.rules()[1].to_string(), "norm weights");
/// # Ok::<(), gpu_init::ParseRulesError>(())
/// ```
///
/// A tensor's layer is the first segment of its name that is all digits, segments being parted by
/// dots, or else by slashes; the number of layers is 1 + the largest index among the names that are
/// the same up to it.
#[derive(Debug, Clone)]
pub struct Rules {
    seed: u64,
    dtype: Option<DType>,
    forced_dtype: Option<DType>,
    /// Whether the list's dtypes count more than the rules'.
    listed_dtypes: bool,
    layers: Option<u64>,
    default: Option<Init>,
    tied: Vec<Vec<String>>,
    rules: Vec<Rule>,
}

/// One rule of [`Rules`]; its text is its name, or what it matches.
#[derive(Debug, Clone)]
pub struct Rule {
    pattern: Pattern,
    name: Option<String>,
    init: Init,
    dtype: Option<DType>,
    layout: Layout,
    scale: Option<Formula>,
    shard_dim: Option<usize>,
    zero_row: Option<u64>,
    optional: bool,
}

impl Rules {
    /// In order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The seed of every tensor.
    ///
    /// ```
    /// use gpu_init::Recipe;
    ///
    /// assert_eq!(Recipe::GPT2.rules().seed(), 0);
    /// assert_eq!(Recipe::GPT2.rules().with_seed(42).seed(), 42);
    /// ```
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// With this seed instead.
    pub fn with_seed(self, seed: u64) -> Self {
        Rules { seed, ..self }
    }

    /// The `dtype` of the rules, which tensors have whose rule and list name none.
    ///
    /// ```
    /// use gpu_init::{DType, Rules};
    ///
    /// let rules: Rules = "default = 'zeros'\ndtype = 'bf16'".parse()?;
    /// assert_eq!(rules.dtype(), Some(DType::BF16));
    /// # Ok::<(), gpu_init::ParseRulesError>(())
    /// ```
    pub fn dtype(&self) -> Option<DType> {
        self.dtype
    }

    /// With this element type for every tensor. Without it a tensor's is its rule's, else its own
    /// in the list, else the `dtype` of the rules, else F32.
    ///
    /// ```
    /// use gpu_init::{DType, Plan, Recipe};
    ///
    /// let tensors = [("wte.weight", [50257, 768], Some(DType::F32))];
    /// let plan = Plan::new(tensors, &Recipe::GPT2.rules().with_dtype(DType::BF16))?;
    /// assert_eq!(plan.entries()[0].fill.dtype, DType::BF16);
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn with_dtype(self, dtype: DType) -> Self {
        Rules { forced_dtype: Some(dtype), ..self }
    }

    /// With each tensor's own element type, where the list has it, instead of its rule's: for
    /// tensors that are there already.
    ///
    /// ```
    /// use gpu_init::{DType, Plan, Rules};
    ///
    /// let rules: Rules = "rules = [{ match = '*', init = 'ones', dtype = 'bf16' }]".parse()?;
    /// let plan = Plan::new([("w", [3], Some(DType::F32))], &rules.with_listed_dtypes())?;
    /// assert_eq!(plan.entries()[0].fill.dtype, DType::F32);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_listed_dtypes(self) -> Self {
        Rules { listed_dtypes: true, ..self }
    }

    /// With more tied tensors, pairs of an owner and an alias: those that the model has by itself.
    /// The ties of the rules come first: a name that they have already keeps its place there, and
    /// its owner.
    ///
    /// ```
    /// use gpu_init::{Plan, Recipe};
    ///
    /// let rules = Recipe::XAVIER.rules().with_tied([("embed.weight", "head.weight")]);
    /// let plan = Plan::new([("head.weight", [9, 4], None), ("embed.weight", [9, 4], None)], &rules)?;
    /// assert_eq!((plan.entries().len(), &*plan.entries()[0].name), (1, "embed.weight"));
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    pub fn with_tied<N: Into<String>>(mut self, pairs: impl IntoIterator<Item = (N, N)>) -> Self {
        let mut groups: HashMap<String, usize> = HashMap::new();
        for (group, names) in self.tied.iter().enumerate() {
            groups.extend(names.iter().map(|name| (name.clone(), group)));
        }
        for (owner, alias) in pairs.into_iter().map(|(owner, alias)| (owner.into(), alias.into())) {
            if groups.contains_key(&alias) || owner == alias {
                continue;
            }
            let group = *groups.entry(owner.clone()).or_insert_with(|| {
                self.tied.push(vec![owner]);
                self.tied.len() - 1
            });
            groups.insert(alias.clone(), group);
            self.tied[group].push(alias);
        }
        self
    }
}

impl Rule {
    /// What it initializes with, as the rules have it.
    ///
    /// ```
    /// assert_eq!(gpu_init::Recipe::XAVIER.rules().rules()[0].init(), "xavier_normal");
    /// ```
    pub fn init(&self) -> String {
        self.init.to_string()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => self.pattern.fmt(f),
        }
    }
}
