//! Rules: which initializer, scale, dtype, layout and shards the tensors of a model get.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::model::formula::Formula;
use crate::model::pattern::Pattern;
use crate::{DType, Initializer, Layout, ParseInitializerError};

/// An ordered list of rules: a tensor is initialized by the first rule that matches it.
///
/// Parsed from TOML, the text of a rules file:
///
/// ```
/// use gpu_init::{DType, Rules};
///
/// let rules: Rules = r#"
///     seed = 42                                 # default: 0
///     dtype = "bf16"                            # where the list has none; default: F32
///     layers = 12                               # for `scale`; default: counted from the names
///     default = "zeros"                         # where no rule matches; else that is an error
///     tied = [["wte.weight", "lm_head.weight"]] # one tensor, with the first name's rule and stream
///     only = ["h.*", "wte.*"]                   # all other tensors are kept as the source has them
///     fits = ["*.c_proj.weight"]                # names that every model of these rules has
///     unlike = ["*.experts.*"]                  # names that none of them has
///
///     [[rules]]
///     match = "*.c_proj.weight"                 # glob of the whole name: * (dots too) ? [ab] {a,b}
///     init = "normal(std=0.02)"                 # or pytorch_bias, by the fan_in of the weight, or
///                                               ## keep: the bytes that the source has
///     scale = "1 / sqrt(2 * layers)"            # numbers, + - * / ( ) sqrt, layer (from 0), layers,
///                                               ## fan_in, fan_out, dim0, dim1...
///
///     [[rules]]
///     regex = '(^|\.)ln_\w+\.weight$'           # instead of match: found anywhere unless anchored
///     dims = 1                                  # vectors; min_dims = 2: two or more dimensions
///     init = "ones"
///     name = "norm weights"                     # what reports call it
///     optional = true                           # no warning if it matches no tensor
///
///     [[rules]]
///     match = "*.weight"
///     init = "kaiming_normal(mode=fan_in)"
///     dtype = "f32"                             # instead of the list's
///     layout = "keras"                          # which axes are inputs and outputs
///     shard = { dim = 0 }                       # the dimension that processes divide; default: 0
///     zero_row = 0                              # a row set to zero: an embedding's padding token
///     integers = false                          # no tensors of integers or booleans; true: only those
///
///     [[rules]]
///     match = "*.bias"
///     init = "xavier_uniform"
///     fans = { of = "weight" }                  # of the tensor beside it; or { in = 64, out = 256 }
/// "#.parse()?;
/// assert_eq!((rules.seed(), rules.dtype(), rules.rules().len()), (42, Some(DType::BF16), 4));
/// assert_eq!(rules.rules()[0].init(), "normal(std=0.02)");
/// assert_eq!(rules.rules()[0].to_string(), r#"match = "*.c_proj.weight""#);
/// assert_eq!(rules.rules()[1].to_string(), "norm weights");
/// assert_eq!(rules.with_seed(7).seed(), 7);
/// # Ok::<(), gpu_init::ParseRulesError>(())
/// ```
///
/// A tensor's layer is the first segment of its name that is all digits; dots separate segments, or
/// else slashes. The number of layers is 1 + the largest index among the names that agree up to it.
#[derive(Debug, Clone)]
pub struct Rules {
    pub(super) seed: u64,
    pub(super) dtype: Option<DType>,
    pub(super) forced_dtype: Option<DType>,
    /// Whether the list's dtypes override the rules'.
    pub(super) listed_dtypes: bool,
    pub(super) layers: Option<u64>,
    pub(super) default: Option<Init>,
    pub(super) tied: Vec<Vec<String>>,
    pub(super) only: Option<Vec<Pattern>>,
    pub(super) fits: Vec<Pattern>,
    pub(super) unlike: Vec<Pattern>,
    pub(super) rules: Vec<Rule>,
}

/// One rule of [`Rules`]; it displays as its name, or as its pattern.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) pattern: Pattern,
    pub(super) name: Option<String>,
    pub(super) init: Init,
    pub(super) dtype: Option<DType>,
    /// `None` where the rule leaves it to the shape.
    pub(super) layout: Option<Layout>,
    /// The tensor whose fans count, by the last segment of its name or all of it.
    pub(super) fans_of: Option<String>,
    pub(super) scale: Option<Formula>,
    pub(super) shard_dim: Option<usize>,
    pub(super) zero_row: Option<u64>,
    /// Whether the list's type must be, or must not be, of integers or booleans.
    pub(super) integers: Option<bool>,
    pub(super) optional: bool,
}

/// The `init` of a rule: an initializer; PyTorch's default for a bias, which only a plan can
/// resolve because it depends on the weight beside the bias; or `keep`, which fills nothing.
#[derive(Debug, Clone)]
pub(super) enum Init {
    /// An initializer, the same for every tensor of the rule.
    Scheme(Initializer),
    /// [`Initializer::pytorch_bias`] with the fan_in of the weight of the same layer.
    PytorchBias,
    /// The bytes that the source has.
    Keep,
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Init::Scheme(initializer) => initializer.fmt(f),
            Init::PytorchBias => f.write_str("pytorch_bias"),
            Init::Keep => f.write_str("keep"),
        }
    }
}

impl FromStr for Init {
    type Err = ParseInitializerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().replace('-', "_").as_str() {
            "pytorch_bias" => Ok(Init::PytorchBias),
            "keep" => Ok(Init::Keep),
            _ => text.parse().map(Init::Scheme),
        }
    }
}

/// One initializer for every tensor, with the seed 0. One that needs fans is an error for a vector,
/// unless the list has its [`Layout::Fans`].
///
/// ```
/// use gpu_init::{Initializer, Plan, Rules};
///
/// let rules = Rules::from(Initializer::normal(0.0, 0.02)).with_seed(42);
/// let plan = Plan::new([("fc.weight", vec![64, 32], None), ("fc.bias", vec![64], None)], &rules)?;
/// assert_eq!(plan.entries()[1].spec.initializer(), Initializer::normal(0.0, 0.02));
/// # Ok::<(), gpu_init::PlanError>(())
/// ```
impl From<Initializer> for Rules {
    fn from(initializer: Initializer) -> Self {
        Rules {
            seed: 0,
            dtype: None,
            forced_dtype: None,
            listed_dtypes: false,
            layers: None,
            default: Some(Init::Scheme(initializer)),
            tied: Vec::new(),
            only: None,
            fits: Vec::new(),
            unlike: Vec::new(),
            rules: Vec::new(),
        }
    }
}

impl Rules {
    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether a model with these tensors is one that the rules are made for: each glob of `fits`
    /// matches a name, and none of `unlike` does. `None` if the rules have no `fits`.
    ///
    /// ```
    /// use gpu_init::Recipe;
    ///
    /// let names = ["h.0.attn.c_attn.weight", "h.0.attn.c_proj.weight", "wte.weight", "wpe.weight"];
    /// assert_eq!(Recipe::GPT2.rules().fit(names), Some(true));
    /// assert_eq!(Recipe::LLAMA.rules().fit(names), Some(false));
    /// assert_eq!(Recipe::XAVIER.rules().fit(names), None);
    /// ```
    pub fn fit<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Option<bool> {
        fit(&self.fits, &self.unlike, &names.into_iter().collect::<Vec<_>>())
    }

    /// The seed of every tensor.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Replaces the seed.
    pub fn with_seed(self, seed: u64) -> Self {
        Rules { seed, ..self }
    }

    /// The `dtype` of the rules, for tensors that neither their rule nor the list gives one.
    pub fn dtype(&self) -> Option<DType> {
        self.dtype
    }

    /// Sets the element type of every tensor that the list does not give a type of integers. Without
    /// it a tensor has its rule's, else its own in the list, else the `dtype` of the rules, else F32.
    ///
    /// ```
    /// use gpu_init::{DType, Plan, Recipe};
    ///
    /// let tensors = [("wte.weight", [50257, 768], Some(DType::F32))];
    /// let plan = Plan::new(tensors, &Recipe::GPT2.rules().with_dtype(DType::BF16))?;
    /// assert_eq!(plan.entries()[0].fill.dtype, DType::BF16);
    /// # Ok::<(), gpu_init::PlanError>(())
    /// ```
    pub fn with_dtype(self, dtype: DType) -> Self {
        Rules { forced_dtype: Some(dtype), ..self }
    }

    /// Puts other rules before these: a tensor that one of them matches is theirs. Of the others only
    /// the rules count, not their seed, default or ties.
    ///
    /// ```
    /// use gpu_init::{Plan, Recipe, Rules};
    ///
    /// let norms: Rules = "rules = [{ match = '*.gamma', init = 'ones' }]".parse()?;
    /// let rules = Recipe::HUGGINGFACE.rules().preceded_by(&norms);
    /// let plan = Plan::new([("norm.gamma", [8], None)], &rules)?;
    /// assert_eq!(plan.entries()[0].spec.initializer(), gpu_init::Initializer::ones());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn preceded_by(self, others: &Rules) -> Self {
        let rules = others.rules.iter().cloned().chain(self.rules).collect();
        Rules { rules, ..self }
    }

    /// Prefers each tensor's own element type in the list to its rule's: for tensors that exist
    /// already.
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

    /// Adds tied tensors, pairs of an owner and an alias, as a model declares them. The ties of the
    /// rules take precedence: a name that is tied there keeps its owner.
    ///
    /// ```
    /// use gpu_init::{Plan, Recipe};
    ///
    /// let rules = Recipe::XAVIER.rules().with_tied([("embed.weight", "head.weight")]);
    /// let tensors = [("head.weight", [9, 4], None), ("embed.weight", [9, 4], None)];
    /// let plan = Plan::new(tensors, &rules)?;
    /// assert_eq!((plan.entries().len(), &*plan.entries()[0].name), (1, "embed.weight"));
    /// # Ok::<(), gpu_init::PlanError>(())
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

/// [`Rules::fit`].
pub(super) fn fit(fits: &[Pattern], unlike: &[Pattern], names: &[&str]) -> Option<bool> {
    let matches = |glob: &Pattern| names.iter().any(|name| glob.matches(name, 0));
    let fit = fits.iter().all(matches) && !unlike.iter().any(matches);
    (!fits.is_empty()).then_some(fit)
}

impl Rule {
    /// The initializer, as the rules spell it.
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
