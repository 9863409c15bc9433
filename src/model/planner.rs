//! Makes the plan of a model: matches its tensors with rules, and resolves what each is filled with.

use std::collections::{HashMap, HashSet};

use crate::model::error::{PlanError, RuleError, described};
use crate::model::formula::Variables;
use crate::model::layers::Layers;
use crate::model::listed::ListedTensor;
use crate::model::plan::{KeptTensor, Plan, PlanEntry, PlanWarning};
use crate::model::rules::{Init, Rule, Rules};
use crate::{DType, Fill, Initializer, Layout, TensorSpec};

impl Plan {
    /// Applies rules to the tensors of a model: names, shapes and, where the list has them, dtypes
    /// and layouts.
    ///
    /// Among tied tensors the first name that the list has owns the memory, and determines rule and
    /// stream; a tie with fewer than two names in the list does nothing.
    ///
    /// # Errors
    /// A [`PlanError`] that names the tensor and its rule.
    pub fn new<T: Into<ListedTensor>>(
        tensors: impl IntoIterator<Item = T>,
        rules: &Rules,
    ) -> Result<Self, PlanError> {
        let tensors: Vec<_> = tensors.into_iter().map(T::into).collect();
        Model::new(&tensors, rules)?.plan()
    }
}

/// A tensor with the rule that it matches first, or the default.
struct Ruled<'a> {
    tensor: &'a ListedTensor,
    /// The rule's index, and the rule; `None` for the default.
    rule: Option<(usize, &'a Rule)>,
    init: &'a Init,
}

/// The list and the rules, indexed.
struct Model<'a> {
    tensors: &'a [ListedTensor],
    rules: &'a Rules,
    by_name: HashMap<&'a str, &'a ListedTensor>,
    layers: Layers<'a>,
    /// The tied tensors that share an owner's memory, by the owner's name.
    aliases: HashMap<&'a str, Vec<&'a ListedTensor>>,
}

impl<'a> Model<'a> {
    fn new(tensors: &'a [ListedTensor], rules: &'a Rules) -> Result<Self, PlanError> {
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
        let (mut ruled, mut kept, mut unmatched) = (Vec::new(), Vec::new(), Vec::new());
        for tensor in self.tensors.iter().filter(|tensor| !aliases.contains(&*tensor.name)) {
            if !self.is_asked(tensor) {
                kept.push(self.kept(tensor, None));
                continue;
            }
            match self.ruled(tensor) {
                Some(Ruled { rule, init: Init::Keep, .. }) => kept.push(self.kept(tensor, rule)),
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
        let mut warnings = self.warnings(&entries, &kept);
        warnings.extend(self.unclear_layouts(&entries));
        Ok(Plan { entries, kept, warnings, elements, bytes })
    }

    /// Whether `only` names the tensor or one that is tied to it.
    fn is_asked(&self, tensor: &ListedTensor) -> bool {
        let Some(only) = &self.rules.only else { return true };
        let aliases = self.aliases_of(tensor).iter().copied();
        let mut names = aliases.chain([tensor]).map(|tensor| &tensor.name);
        names.any(|name| only.iter().any(|glob| glob.matches(name, 0)))
    }

    fn kept(&self, tensor: &ListedTensor, rule: Option<(usize, &Rule)>) -> KeptTensor {
        let aliases = self.aliases_of(tensor);
        KeptTensor {
            name: tensor.name.clone(),
            aliases: aliases.iter().map(|alias| alias.name.clone()).collect(),
            shape: tensor.shape.clone(),
            dtype: listed_dtype(tensor, aliases),
            rule: rule.map(|(index, _)| index),
        }
    }

    fn aliases_of(&self, tensor: &ListedTensor) -> &[&'a ListedTensor] {
        self.aliases.get(&*tensor.name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first rule that matches, or the default; `None` without either.
    fn ruled(&self, tensor: &'a ListedTensor) -> Option<Ruled<'a>> {
        let mut rules = self.rules.rules.iter().enumerate();
        let rule = rules.find(|(_, rule)| matches(rule, tensor));
        let init = rule.map(|(_, rule)| &rule.init).or(self.rules.default.as_ref())?;
        Some(Ruled { tensor, rule, init })
    }

    fn entry(&self, ruled: &Ruled<'_>) -> Result<PlanEntry, RuleError> {
        let tensor = ruled.tensor;
        let rule = ruled.rule.map(|(_, rule)| rule);
        let aliases = self.aliases_of(tensor);
        let layout = self.layout(tensor, rule)?;
        let mut spec = TensorSpec::new(&tensor.shape, self.initializer(ruled, &layout)?)
            .name(&tensor.name)
            .seed(self.rules.seed)
            .dtype(self.dtype(tensor, aliases, rule))
            .layout(layout);

        let mut scale = 1.0;
        if let Some(formula) = rule.and_then(|rule| rule.scale.as_ref()) {
            let (fans, dims) = (spec.fan_in_and_out(), tensor.shape.dims());
            let value = self
                .layers
                .depth(&tensor.name)
                .and_then(|depth| formula.evaluate(Variables { depth, fans, dims }));
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

    /// The rule's layout, or the fans of the tensor that it names, or the list's layout.
    fn layout(&self, tensor: &ListedTensor, rule: Option<&Rule>) -> Result<Layout, RuleError> {
        let given = rule.and_then(|rule| rule.layout.as_ref()).or(tensor.layout.as_ref());
        let given = given.cloned().unwrap_or_default();
        let Some(of) = rule.and_then(|rule| rule.fans_of.as_ref()) else { return Ok(given) };
        let start = tensor.name.rfind(['.', '/']).map_or(0, |separator| separator + 1);
        let beside = format!("{}{of}", &tensor.name[..start]);
        let other = self.by_name.get(beside.as_str()).or_else(|| self.by_name.get(of.as_str()));
        let fans = other.and_then(|&other| {
            let layout = self.ruled(other).and_then(|other| other.rule?.1.layout.clone());
            layout.or_else(|| other.layout.clone()).unwrap_or_default().fans(&other.shape)
        });
        let (fan_in, fan_out) = fans.ok_or_else(|| RuleError::Fans { name: of.clone() })?;
        Ok(Layout::Fans { fan_in, fan_out })
    }

    /// The element type, by the precedence that [`Rules::with_dtype`] documents.
    fn dtype(
        &self,
        tensor: &ListedTensor,
        aliases: &[&ListedTensor],
        rule: Option<&Rule>,
    ) -> DType {
        let Rules { forced_dtype, listed_dtypes, dtype, .. } = *self.rules;
        let listed = listed_dtype(tensor, aliases);
        let of_rule = rule.and_then(|rule| rule.dtype);
        let own = if listed_dtypes { listed.or(of_rule) } else { of_rule.or(listed) };
        // Counts and positions stay integers when all weights get another type.
        let is_integer = listed.is_some_and(DType::is_integer);
        let forced = forced_dtype.filter(|_| !is_integer);
        forced.or(own).or(dtype).unwrap_or_default()
    }

    /// The rule's initializer; PyTorch's bias by the weight beside it: `fc.weight` for `fc.bias`.
    fn initializer(&self, ruled: &Ruled<'_>, layout: &Layout) -> Result<Initializer, RuleError> {
        let Init::Scheme(initializer) = ruled.init else {
            // Tensors to keep are no entries.
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

    fn warnings(&self, entries: &[PlanEntry], kept: &[KeptTensor]) -> Vec<PlanWarning> {
        if self.rules.only.is_some() {
            return Vec::new(); // Rules for the other tensors have nothing to do.
        }
        let used = entries.iter().map(|entry| entry.rule).chain(kept.iter().map(|kept| kept.rule));
        let used: HashSet<_> = used.flatten().collect();
        let rules = self.rules.rules.iter().enumerate();
        let unused = rules.filter(|(index, rule)| !rule.optional && !used.contains(index));
        let warning = |(index, rule)| {
            let shadowed = self.tensors.iter().any(|tensor| matches(rule, tensor));
            let kind = if shadowed { PlanWarning::Shadowed } else { PlanWarning::Unused };
            kind(self.text(Some((index, rule))))
        };
        unused.map(warning).collect()
    }

    /// Warns of the tensors whose layout was taken from their number of dimensions alone.
    fn unclear_layouts(&self, entries: &[PlanEntry]) -> Vec<PlanWarning> {
        let mut warnings: Vec<(Option<usize>, PlanWarning)> = Vec::new();
        for entry in entries {
            let rule = entry.rule.map(|index| (index, &self.rules.rules[index]));
            let listed =
                self.by_name.get(&*entry.name).is_some_and(|tensor| tensor.layout.is_some());
            let given = listed
                || rule.is_some_and(|(_, rule)| rule.layout.is_some() || rule.fans_of.is_some());
            let shape = entry.spec.shape();
            let unclear = !given && shape.dims().len() > 2;
            let Some((fan_in, fan_out)) = entry.spec.fan_in_and_out().filter(|_| unclear) else {
                continue;
            };
            if !entry.spec.initializer().uses_layout() {
                continue;
            }
            let known = warnings.iter_mut().find(|(rule, _)| *rule == entry.rule);
            if let Some((_, PlanWarning::Layout { tensors, .. })) = known {
                *tensors += 1;
                continue;
            }
            let warning = PlanWarning::Layout {
                rule: self.text(rule),
                tensor: entry.name.clone(),
                shape: shape.clone(),
                fan_in,
                fan_out,
                tensors: 1,
            };
            warnings.push((entry.rule, warning));
        }
        warnings.into_iter().map(|(_, warning)| warning).collect()
    }

    /// A rule as errors and warnings name it: its number, from 1, and its text.
    fn text(&self, rule: Option<(usize, &Rule)>) -> String {
        match rule {
            Some((index, rule)) => format!("rule {} ({rule})", index + 1),
            None => "the default".to_owned(),
        }
    }
}

/// The tensor's element type, or that of a tensor tied to it.
fn listed_dtype(tensor: &ListedTensor, aliases: &[&ListedTensor]) -> Option<DType> {
    aliases.iter().fold(tensor.dtype, |dtype, alias| dtype.or(alias.dtype))
}

fn matches(rule: &Rule, tensor: &ListedTensor) -> bool {
    let is_integer = tensor.dtype.is_some_and(DType::is_integer);
    let fits = rule.integers.is_none_or(|integers| integers == is_integer);
    fits && rule.pattern.matches(&tensor.name, tensor.shape.dims().len())
}
