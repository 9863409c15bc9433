//! The plan: every tensor of a model with its rule applied and its request resolved, before any
//! memory is touched.

use std::collections::HashMap;
use std::fmt;

use crate::model::error::described;
use crate::model::layers::Layers;
use crate::model::{Init, PlanError, Rule, Rules};
use crate::{DType, Fill, Initializer, Layout, Result, Shape, Shard, TensorSpec};

/// What is to be filled: the tensors of a model, each with its request.
///
/// A tensor's entry depends on its name, shape and dtype, on the rules and on which other tensors
/// there are, not on their order.
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
/// let weights = Cpu::new().fill(&projection.parameter)?;
/// # assert_eq!(weights.len(), 16384);
/// # Ok::<(), gpu_init::Error>(())
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
    /// Its name, which its stream is made of.
    pub name: String,
    /// Names of tied tensors that share its memory, in the order of the rules.
    pub aliases: Vec<String>,
    /// Index of its rule in [`Rules::rules`]; none where the default was taken.
    pub rule: Option<usize>,
    /// What the rule's formula multiplies the distribution by; 1 without one.
    pub scale: f64,
    /// The dimension to shard, which the shape has.
    pub shard_dim: Option<usize>,
    /// The request, with everything told: shape, initializer, name, seed, dtype, layout and scale.
    pub parameter: TensorSpec,
    /// What it resolves to.
    pub fill: Fill,
}

/// What is odd about a [`Plan`], but no error.
///
/// ```
/// use gpu_init::{Plan, Rules};
///
/// let rules: Rules = "default = 'zeros'\nrules = [{ match = '*.wieght', init = 'xavier_normal' }]".parse()?;
/// let plan = Plan::new([("fc.weight", [3, 4], None)], &rules)?;
/// assert_eq!(plan.warnings()[0].to_string(), "rule 1 (match = \"*.wieght\") matches no tensor; correct or remove it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanWarning {
    /// A rule, by its text, that matches nothing.
    Unused(String),
    /// A rule, by its text, whose every tensor is taken by a rule before it.
    Shadowed(String),
}

impl fmt::Display for PlanWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanWarning::Unused(rule) => {
                write!(f, "{rule} matches no tensor; correct or remove it")
            }
            PlanWarning::Shadowed(rule) => {
                write!(
                    f,
                    "{rule} is never used: rules before it match all its tensors; move it up or remove it"
                )
            }
        }
    }
}

impl Plan {
    /// Applies rules to the tensors of a model: names, shapes and, where the list has them, dtypes.
    ///
    /// Of tied tensors the first name that is there owns the memory, and its rule and stream count;
    /// a tie of which one name is there, or none, does nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Plan`](crate::ErrorKind::Plan) with what is wrong and with which tensor.
    pub fn new<N, S>(
        tensors: impl IntoIterator<Item = (N, S, Option<DType>)>,
        rules: &Rules,
    ) -> Result<Self>
    where
        N: Into<String>,
        S: Into<Shape>,
    {
        let tensors: Vec<_> = tensors
            .into_iter()
            .map(|(name, shape, dtype)| Listed { name: name.into(), shape: shape.into(), dtype })
            .collect();
        Ok(Model::new(&tensors, rules)?.plan()?)
    }

    /// One process' part of every tensor: along the dimension that its rule names, or the first
    /// one. Tensors of which a rank has nothing are left out; those without dimensions are rank
    /// 0's.
    ///
    /// ```
    /// use gpu_init::{Cpu, Fingerprint, Plan, Recipe, stream_of};
    ///
    /// let plan = Plan::new([("a.weight", vec![5, 3], None), ("a.bias", vec![5], None)], &Recipe::XAVIER.rules())?;
    /// let fingerprint = |plan: &Plan| -> Fingerprint {
    ///     let filled = plan.entries().iter().map(|entry| (entry, Cpu::new().fill(&entry.parameter).unwrap()));
    ///     filled.map(|(entry, tensor)| tensor.fingerprint().in_model(stream_of(&entry.name))).sum()
    /// };
    /// let parts: Fingerprint = (0..4).map(|rank| fingerprint(&plan.shard(rank, 4).unwrap())).sum();
    /// assert_eq!(parts, fingerprint(&plan));
    /// # Ok::<(), gpu_init::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NoRank`](crate::ErrorKind::NoRank), [`ErrorKind::Scattered`](crate::ErrorKind::Scattered).
    pub fn shard(&self, rank: u64, world: u64) -> Result<Self> {
        let mut plan = Plan { entries: Vec::new(), elements: 0, bytes: 0, ..self.clone() };
        for entry in &self.entries {
            let dims = entry.parameter.shape().dims();
            let shard = Shard { dim: entry.shard_dim.unwrap_or(0), rank, world };
            let parameter = match dims.get(shard.dim) {
                None if rank > 0 => continue,
                None => entry.parameter.clone(),
                Some(&len) if rank < world && shard.range(len as u64).is_empty() => continue,
                Some(_) => entry.parameter.clone().shard(shard),
            };
            let fill = parameter.resolve(0, 0)?;
            plan.elements += fill.len;
            plan.bytes += fill.bytes();
            plan.entries.push(PlanEntry { parameter, fill, ..entry.clone() });
        }
        Ok(plan)
    }

    /// The tensors to fill, in the list's order; tied ones once.
    pub fn entries(&self) -> &[PlanEntry] {
        &self.entries
    }

    /// What is odd: rules without a tensor.
    pub fn warnings(&self) -> &[PlanWarning] {
        &self.warnings
    }

    /// Elements of all entries.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// Bytes of all entries.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// A tensor as the list has it.
struct Listed {
    name: String,
    shape: Shape,
    dtype: Option<DType>,
}

/// A tensor and what is to be done with it.
struct Ruled<'a> {
    tensor: &'a Listed,
    index: Option<usize>,
    rule: Option<&'a Rule>,
    init: Option<&'a Init>,
}

/// The list and the rules, with what is asked of both again and again.
struct Model<'a> {
    tensors: &'a [Listed],
    rules: &'a Rules,
    by_name: HashMap<&'a str, &'a Listed>,
    layers: Layers<'a>,
    /// The tied tensors that share an owner's memory, and by whose name.
    aliases: HashMap<&'a str, Vec<&'a Listed>>,
    owners: HashMap<&'a str, &'a str>,
}

impl<'a> Model<'a> {
    fn new(tensors: &'a [Listed], rules: &'a Rules) -> Result<Self, PlanError> {
        let mut by_name = HashMap::with_capacity(tensors.len());
        for tensor in tensors {
            if by_name.insert(tensor.name.as_str(), tensor).is_some() {
                return Err(PlanError::Duplicate { tensor: tensor.name.clone() });
            }
        }
        let (mut aliases, mut owners) = (HashMap::new(), HashMap::new());
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
                owners.insert(other.name.as_str(), owner.name.as_str());
            }
            aliases.insert(owner.name.as_str(), others);
        }
        let layers = Layers::new(tensors.iter().map(|tensor| tensor.name.as_str()), rules.layers);
        Ok(Model { tensors, rules, by_name, layers, aliases, owners })
    }

    fn plan(&self) -> Result<Plan, PlanError> {
        let owners =
            self.tensors.iter().filter(|tensor| !self.owners.contains_key(tensor.name.as_str()));
        let ruled: Vec<_> = owners.map(|tensor| self.ruled(tensor)).collect();
        let tensors: Vec<_> = ruled
            .iter()
            .filter(|ruled| ruled.init.is_none())
            .map(|ruled| ruled.tensor.name.clone())
            .collect();
        if !tensors.is_empty() {
            return Err(PlanError::Unmatched { tensors });
        }
        let entries =
            ruled.iter().filter_map(|ruled| ruled.init.map(|init| self.entry(ruled, init)));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let total = |of: fn(&Fill) -> u64| {
            entries.iter().try_fold(0u64, |sum, entry| sum.checked_add(of(&entry.fill)))
        };
        let (Some(elements), Some(bytes)) = (total(|fill| fill.len), total(Fill::bytes)) else {
            return Err(PlanError::Overflow { tensors: entries.len() });
        };
        let warnings = self.warnings(&entries);
        Ok(Plan { entries, warnings, elements, bytes })
    }

    /// The first rule that matches, or the default.
    fn ruled(&self, tensor: &'a Listed) -> Ruled<'a> {
        let Rules { rules, default, .. } = self.rules;
        let matches = |rule: &Rule| rule.pattern.matches(&tensor.name, tensor.shape.dims().len());
        match rules.iter().enumerate().find(|(_, rule)| matches(rule)) {
            Some((index, rule)) => {
                Ruled { tensor, index: Some(index), rule: Some(rule), init: Some(&rule.init) }
            }
            None => Ruled { tensor, index: None, rule: None, init: default.as_ref() },
        }
    }

    fn entry(&self, ruled: &Ruled<'_>, init: &Init) -> Result<PlanEntry, PlanError> {
        let Ruled { tensor, index, rule, .. } = *ruled;
        let context = || (tensor.name.clone(), self.text(index));
        let aliases = self.aliases.get(tensor.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let listed = aliases.iter().fold(tensor.dtype, |dtype, alias| dtype.or(alias.dtype));
        let kept = listed.filter(|_| self.rules.listed_dtypes);
        let dtype = self
            .rules
            .forced_dtype
            .or(kept)
            .or_else(|| rule?.dtype)
            .or(listed)
            .or(self.rules.dtype);
        let layout = rule.map_or_else(Layout::default, |rule| rule.layout.clone());
        let initializer = self.initializer(ruled, init, &layout)?;
        let mut parameter = TensorSpec::new(&tensor.shape, initializer)
            .name(&tensor.name)
            .seed(self.rules.seed)
            .dtype(dtype.unwrap_or_default())
            .layout(layout);

        let mut scale = 1.0;
        if let Some(formula) = rule.and_then(|rule| rule.scale.as_ref()) {
            let value = self.layers.depth(&tensor.name).and_then(|depth| formula.evaluate(depth));
            scale = value.map_err(|reason| {
                let (tensor, rule) = context();
                PlanError::Scale { tensor, rule, scale: formula.to_string(), reason }
            })?;
            parameter = parameter.scale(scale);
        }

        if let Some(row) = rule.and_then(|rule| rule.zero_row) {
            parameter = parameter.zero_rows(row..row.saturating_add(1));
        }

        let shard_dim = rule.and_then(|rule| rule.shard_dim);
        if let Some(dim) = shard_dim.filter(|&dim| dim >= tensor.shape.dims().len()) {
            let (name, rule) = context();
            return Err(PlanError::Shard { tensor: name, rule, dim, shape: tensor.shape.clone() });
        }
        let fill = parameter.resolve(self.rules.seed, 0).map_err(|error| {
            let (tensor, rule) = context();
            PlanError::Tensor { tensor, rule, error: Box::new(error) }
        })?;
        let aliases = aliases.iter().map(|alias| alias.name.clone()).collect();
        Ok(PlanEntry {
            name: tensor.name.clone(),
            aliases,
            rule: index,
            scale,
            shard_dim,
            parameter,
            fill,
        })
    }

    /// The rule's; PyTorch's bias by the weight beside it: `fc.weight` for `fc.bias`.
    fn initializer(
        &self,
        ruled: &Ruled<'_>,
        init: &Init,
        layout: &Layout,
    ) -> Result<Initializer, PlanError> {
        let name = &ruled.tensor.name;
        match init.clone() {
            Init::Scheme(initializer) => Ok(initializer),
            Init::PytorchBias => {
                let weight = format!("{}weight", name.strip_suffix("bias").unwrap_or(name));
                let fans =
                    self.by_name.get(weight.as_str()).and_then(|weight| layout.fans(&weight.shape));
                match fans {
                    Some((fan_in, _)) if fan_in > 0 => Ok(Initializer::pytorch_bias(fan_in)),
                    _ => Err(PlanError::Bias {
                        tensor: name.clone(),
                        rule: self.text(ruled.index),
                        weight,
                    }),
                }
            }
        }
    }

    fn warnings(&self, entries: &[PlanEntry]) -> Vec<PlanWarning> {
        let mut used = vec![false; self.rules.rules.len()];
        for rule in entries.iter().filter_map(|entry| entry.rule) {
            used[rule] = true;
        }
        let unused =
            (0..used.len()).filter(|&index| !used[index] && !self.rules.rules[index].optional);
        unused
            .map(|index| {
                let Rule { pattern, .. } = &self.rules.rules[index];
                let text = self.text(Some(index));
                match self
                    .tensors
                    .iter()
                    .any(|tensor| pattern.matches(&tensor.name, tensor.shape.dims().len()))
                {
                    true => PlanWarning::Shadowed(text),
                    false => PlanWarning::Unused(text),
                }
            })
            .collect()
    }

    /// A rule as errors and warnings name it: its number, from 1, and its text.
    fn text(&self, index: Option<usize>) -> String {
        match index {
            Some(index) => format!("rule {} ({})", index + 1, self.rules.rules[index]),
            None => "the default".to_owned(),
        }
    }
}
