//! The rules named on the command line: a file or a recipe, and what flags override in them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use gpu_init::{DType, Recipe, Rules};

use crate::checkpoint::read::input;

/// Largest rules file that is read.
pub(crate) const LARGEST: u64 = 1 << 20;

/// How tensors are initialized.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) named: Named,
    /// The element type of all tensors, instead of the rules' and the file's: f32, bf16, f8_e4m3...
    #[arg(long)]
    pub(crate) dtype: Option<DType>,
}

/// The rules and what is made by them.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Named {
    /// Rules in TOML: how each tensor is initialized. `gpu-init recipe NAME` prints some to start
    /// from.
    #[arg(long, value_name = "FILE", conflicts_with = "recipe")]
    rules: Option<PathBuf>,
    /// Built-in rules; `gpu-init recipe` lists them, and `gpu-init recipe --for SOURCE` those that
    /// are made for a model's names. Without rules, xavier.
    #[arg(long, value_name = "NAME", value_parser = recipe)]
    recipe: Option<Recipe>,
    /// Initialize only the tensors whose names match this glob, and keep all others' bytes; may be
    /// repeated.
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// The seed, instead of the rules' (0 unless they have one).
    #[arg(long)]
    seed: Option<u64>,
}

/// Rules, their text, and where they are from.
#[derive(Debug, Clone)]
pub(crate) struct Sourced {
    pub(crate) rules: Rules,
    pub(crate) text: String,
    pub(crate) source: String,
}

impl Sourced {
    pub(crate) fn file(path: &Path) -> anyhow::Result<Self> {
        let source = path.display().to_string();
        let file = input::open(path).with_context(|| format!("cannot open {source}"))?;
        let text = input::text(file, LARGEST, "`gpu-init recipe llama` shows what a rules file is")
            .with_context(|| format!("cannot read {source} as text"))?;
        Ok(Sourced { rules: text.parse().with_context(|| source.clone())?, text, source })
    }

    pub(crate) fn recipe(recipe: Recipe) -> Self {
        let source = format!("recipe {}", recipe.name());
        Sourced { rules: recipe.rules(), text: recipe.text().to_owned(), source }
    }
}

impl Args {
    pub(crate) fn read(&self) -> anyhow::Result<Sourced> {
        let Args { named: Named { rules, recipe, only, seed }, dtype } = self;
        let mut sourced = match rules {
            Some(path) => Sourced::file(path)?,
            None => Sourced::recipe(recipe.unwrap_or(Recipe::XAVIER)),
        };
        if !only.is_empty() {
            let text = format!("only = {}\n{}", serde_json::to_string(only)?, sourced.text);
            let rules = text.parse().with_context(|| format!("--only, in {}", sourced.source))?;
            sourced = Sourced { rules, text, ..sourced };
        }
        if let Some(seed) = seed {
            sourced.rules = sourced.rules.with_seed(*seed);
        }
        if let Some(dtype) = dtype {
            sourced.rules = sourced.rules.with_dtype(*dtype);
        }
        Ok(sourced)
    }

    /// Whether rules were named, rather than left to the default.
    pub(crate) fn are_named(&self) -> bool {
        self.named.rules.is_some() || self.named.recipe.is_some()
    }
}

impl Named {
    /// The first flag that was given, if any was.
    pub(crate) fn flag(&self) -> Option<&'static str> {
        let Named { rules, recipe, only, seed } = self;
        let given = [
            ("--rules", rules.is_some()),
            ("--recipe", recipe.is_some()),
            ("--only", !only.is_empty()),
            ("--seed", seed.is_some()),
        ];
        given.into_iter().find_map(|(flag, is_given)| is_given.then_some(flag))
    }
}

/// What to say of rules that are not made for a model with these names; nothing of rules that do
/// not tell.
pub(crate) fn doubt(rules: &Rules, source: &str, names: &[&str]) -> Option<String> {
    let fit = rules.fit(names.iter().copied())?;
    let remedy = match &recipes_for(names)[..] {
        [] => "no recipe is made for these, so check the plan with --dry-run".to_owned(),
        recipes => format!("for these there is --recipe {}", recipes.join(" or ")),
    };
    (!fit).then(|| format!("{source} is made for other names; {remedy}"))
}

/// The names of the recipes that are made for a model with these names.
pub(crate) fn recipes_for(names: &[&str]) -> Vec<&'static str> {
    Recipe::fitting(names).iter().map(Recipe::name).collect()
}

/// Finds a recipe by its name.
pub(crate) fn recipe(name: &str) -> Result<Recipe, String> {
    Recipe::named(name).ok_or_else(|| {
        let names: Vec<_> = Recipe::ALL.iter().map(Recipe::name).collect();
        format!("there is no recipe {name:?}; use one of {}", names.join(", "))
    })
}
