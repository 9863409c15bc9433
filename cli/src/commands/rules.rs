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
    /// Rules in TOML: how each tensor is initialized. `gpu-init recipe NAME` prints some to start
    /// from.
    #[arg(long, value_name = "FILE", conflicts_with = "recipe")]
    rules: Option<PathBuf>,
    /// Built-in rules: xavier, gpt2, llama, bert, resnet or vit.
    #[arg(long, value_name = "NAME", default_value = "xavier", value_parser = recipe)]
    recipe: Recipe,
    /// The element type of all tensors, instead of the rules' and the file's: f32, bf16, f8_e4m3...
    #[arg(long)]
    pub(crate) dtype: Option<DType>,
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
        let mut sourced = match &self.rules {
            Some(path) => Sourced::file(path)?,
            None => Sourced::recipe(self.recipe),
        };
        if let Some(seed) = self.seed {
            sourced.rules = sourced.rules.with_seed(seed);
        }
        if let Some(dtype) = self.dtype {
            sourced.rules = sourced.rules.with_dtype(dtype);
        }
        Ok(sourced)
    }
}

pub(crate) fn recipe(name: &str) -> Result<Recipe, String> {
    Recipe::named(name).ok_or_else(|| {
        let names: Vec<_> = Recipe::ALL.iter().map(Recipe::name).collect();
        format!("there is no recipe {name:?}; use one of {}", names.join(", "))
    })
}
