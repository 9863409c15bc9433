//! The plan of a model: every tensor with its rule applied and its spec resolved, before any memory
//! is allocated.

use std::collections::{HashMap, HashSet};

use crate::model::error::{PlanError, RuleError, described};
use crate::model::layers::Layers;
use crate::model::rules::{Init, Rule, Rules};
use crate::{DType, Fill, Initializer, Layout, Shape, Shard, TensorSpec};

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
    entries: Vec<PlanEntry>,
    warnings: Vec<PlanWarning>,
    elements: u64,
    bytes: u64,
}

/// One tensor of a [`Plan`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PlanEntry {
    /// The tensor's name, which determines its stream.
    pub name: String,
    /// The names of tied tensors that share its memory, in the order of the rules.
    pub aliases: Vec<String>,
    /// The index of its rule in [`Rules::rules`]; `None` for the default.
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
}

impl Plan {
    /// Applies rules to the tensors of a model: names, shapes and, where the list has them, dtypes.
    ///
    /// Among tied tensors the first name that the list has owns the memory, and determines rule and
    /// stream; a tie with fewer than two names in the list does nothing.
    ///
    /// # Errors
    /// A [`PlanError`] that names the tensor and its rule.
    pub fn new<N, S>(
        tensors: impl IntoIterator<Item = (N, S, Option<DType>)>,
        rules: &Rules,
    ) -> Result<Self, PlanError>
    where
        N: Into<String>,
        S: Into<Shape>,
    {
        let tensors: Vec<_> = tensors
            .into_iter()
            .map(|(name, shape, dtype)| Listed { name: name.into(), shape: shape.into(), dtype })
            .collect();
        Model::new(&tensors, rules)?.plan()
    }

    /// One rank's shard of every tensor, along the dimension that its rule names, or the first one.
    /// Tensors with an empty shard are left out; scalars belong to rank 0.
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
        let mut plan = Plan { entries: Vec::new(), elements: 0, bytes: 0, ..self.clone() };
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
            plan.entries.push(PlanEntry { spec, fill, ..entry.clone() });
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

    /// Warnings about rules that apply to no tensor.
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

/// A tensor of the model's list.
struct Listed {
    name: String,
    shape: Shape,
    dtype: Option<DType>,
}

/// A tensor with the rule that it matches first, or the default.
struct Ruled<'a> {
    tensor: &'a Listed,
    /// The rule's index, and the rule; `None` for the default.
    rule: Option<(usize, &'a Rule)>,
    init: &'a Init,
}

/// The list and the rules, indexed.
struct Model<'a> {
    tensors: &'a [Listed],
    rules: &'a Rules,
    by_name: HashMap<&'a str, &'a Listed>,
    layers: Layers<'a>,
    /// The tied tensors that share an owner's memory, by the owner's name.
    aliases: HashMap<&'a str, Vec<&'a Listed>>,
}

impl<'a> Model<'a> {
    fn new(tensors: &'a [Listed], rules: &'a Rules) -> Result<Self, PlanError> {
        let mut by_name = HashMap::with_capacity(tensors.len());
        for tensor in tensors {
            if by_name.insert(tensor.name.as_str(), tensor).is_some() {
                return Err(PlanError::Duplicate { tensor: tensor.name.clone() });
            }
        }
        let mut aliases = HashMap::new();
        for names in &rules.tied {
            let mut present = names.iter().filter_map(|name| by_name.get(name.as_str()).copied());
            let Some(owner) = present.next() else { continue };
            let others: Vec<_> = present.collect();
            for other in &others {
                let dtypes = [owner.dtype, other.dtype];
                let differ = rules.forced_dtype.is_none()
                    && dtypes[0] != dtypes[1]
                    && !dtypes.contains(&None);
                if owner.shape != other.shape || differ {
                    return Err(PlanError::Tied {
                        owner: owner.name.clone(),
                        alias: other.name.clone(),
                        owner_type: described(&owner.shape, owner.dtype),
                        alias_type: described(&other.shape, other.dtype),
                    });
                }
            }
            aliases.insert(owner.name.as_str(), others);
        }
        let layers = Layers::new(tensors.iter().map(|tensor| tensor.name.as_str()), rules.layers);
        Ok(Model { tensors, rules, by_name, layers, aliases })
    }

    fn plan(&self) -> Result<Plan, PlanError> {
        let aliases = self.aliases.values().flatten().map(|alias| alias.name.as_str());
        let aliases: HashSet<_> = aliases.collect();
        let (mut ruled, mut unmatched) = (Vec::new(), Vec::new());
        for tensor in self.tensors.iter().filter(|tensor| !aliases.contains(&*tensor.name)) {
            match self.ruled(tensor) {
                Some(tensor) => ruled.push(tensor),
                None => unmatched.push(tensor.name.clone()),
            }
        }
        if !unmatched.is_empty() {
            return Err(PlanError::Unmatched { tensors: unmatched });
        }
        let entry = |ruled: &Ruled<'_>| {
            self.entry(ruled).map_err(|reason| PlanError::Rule {
                tensor: ruled.tensor.name.clone(),
                rule: self.text(ruled.rule),
                reason,
            })
        };
        let entries = ruled.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let total = |of: fn(&Fill) -> u64| {
            entries.iter().try_fold(0u64, |sum, entry| sum.checked_add(of(&entry.fill)))
        };
        let (Some(elements), Some(bytes)) = (total(|fill| fill.len), total(Fill::bytes)) else {
            return Err(PlanError::Overflow { tensors: entries.len() });
        };
        let warnings = self.warnings(&entries);
        Ok(Plan { entries, warnings, elements, bytes })
    }

    /// The first rule that matches, or the default; `None` without either.
    fn ruled(&self, tensor: &'a Listed) -> Option<Ruled<'a>> {
        let mut rules = self.rules.rules.iter().enumerate();
        let rule = rules.find(|(_, rule)| matches(rule, tensor));
        let init = rule.map(|(_, rule)| &rule.init).or(self.rules.default.as_ref())?;
        Some(Ruled { tensor, rule, init })
    }

    fn entry(&self, ruled: &Ruled<'_>) -> Result<PlanEntry, RuleError> {
        let tensor = ruled.tensor;
        let rule = ruled.rule.map(|(_, rule)| rule);
        let aliases = self.aliases.get(&*tensor.name).map(Vec::as_slice).unwrap_or_default();
        let layout = rule.map_or_else(Layout::default, |rule| rule.layout.clone());
        let mut spec = TensorSpec::new(&tensor.shape, self.initializer(ruled, &layout)?)
            .name(&tensor.name)
            .seed(self.rules.seed)
            .dtype(self.dtype(tensor, aliases, rule))
            .layout(layout);

        let mut scale = 1.0;
        if let Some(formula) = rule.and_then(|rule| rule.scale.as_ref()) {
            let value = self.layers.depth(&tensor.name).and_then(|depth| formula.evaluate(depth));
            let error = |reason| RuleError::Scale { scale: formula.to_string(), reason };
            scale = value.map_err(error)?;
            spec = spec.scale(scale);
        }
        if let Some(row) = rule.and_then(|rule| rule.zero_row) {
            spec = spec.zero_rows(row..row.saturating_add(1));
        }
        let shard_dim = rule.and_then(|rule| rule.shard_dim);
        if let Some(dim) = shard_dim.filter(|&dim| dim >= tensor.shape.dims().len()) {
            return Err(RuleError::Shard { dim, shape: tensor.shape.clone() });
        }
        Ok(PlanEntry {
            name: tensor.name.clone(),
            aliases: aliases.iter().map(|alias| alias.name.clone()).collect(),
            rule: ruled.rule.map(|(index, _)| index),
            scale,
            shard_dim,
            fill: spec.resolve(self.rules.seed, 0)?,
            spec,
        })
    }

    /// The element type, by the precedence that [`Rules::with_dtype`] documents.
    fn dtype(&self, tensor: &Listed, aliases: &[&Listed], rule: Option<&Rule>) -> DType {
        let Rules { forced_dtype, listed_dtypes, dtype, .. } = *self.rules;
        let listed = aliases.iter().fold(tensor.dtype, |dtype, alias| dtype.or(alias.dtype));
        let of_rule = rule.and_then(|rule| rule.dtype);
        let own = if listed_dtypes { listed.or(of_rule) } else { of_rule.or(listed) };
        forced_dtype.or(own).or(dtype).unwrap_or_default()
    }

    /// The rule's initializer; PyTorch's bias by the weight beside it: `fc.weight` for `fc.bias`.
    fn initializer(&self, ruled: &Ruled<'_>, layout: &Layout) -> Result<Initializer, RuleError> {
        let Init::Scheme(initializer) = ruled.init else {
            let name = &ruled.tensor.name;
            let weight = format!("{}weight", name.strip_suffix("bias").unwrap_or(name));
            let listed = self.by_name.get(weight.as_str());
            return match listed.and_then(|weight| layout.fans(&weight.shape)) {
                Some((fan_in, _)) if fan_in > 0 => Ok(Initializer::pytorch_bias(fan_in)),
                _ => Err(RuleError::Bias { weight }),
            };
        };
        Ok(*initializer)
    }

    fn warnings(&self, entries: &[PlanEntry]) -> Vec<PlanWarning> {
        let used: HashSet<_> = entries.iter().filter_map(|entry| entry.rule).collect();
        let rules = self.rules.rules.iter().enumerate();
        let unused = rules.filter(|(index, rule)| !rule.optional && !used.contains(index));
        let warning = |(index, rule)| {
            let shadowed = self.tensors.iter().any(|tensor| matches(rule, tensor));
            let kind = if shadowed { PlanWarning::Shadowed } else { PlanWarning::Unused };
            kind(self.text(Some((index, rule))))
        };
        unused.map(warning).collect()
    }

    /// A rule as errors and warnings name it: its number, from 1, and its text.
    fn text(&self, rule: Option<(usize, &Rule)>) -> String {
        match rule {
            Some((index, rule)) => format!("rule {} ({rule})", index + 1),
            None => "the default".to_owned(),
        }
    }
}

fn matches(rule: &Rule, tensor: &Listed) -> bool {
    rule.pattern.matches(&tensor.name, tensor.shape.dims().len())
}
