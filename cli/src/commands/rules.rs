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
    /// The element type of all tensors, instead of the rules' and the file's: f32, f16 or bf16.
    #[arg(long)]
    dtype: Option<DType>,
    /// The seed, instead of the rules' (0 unless they have one).
    #[arg(long)]
    seed: Option<u64>,
}

/// The text of a rules file.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let file = input::open(path).with_context(|| format!("cannot open {shown}"))?;
    let text = input::text(file, LARGEST, "`gpu-init recipe llama` shows what a rules file is");
    text.with_context(|| format!("cannot read {shown} as text"))
}

impl Args {
    /// The rules and their text.
    pub(crate) fn read(&self) -> anyhow::Result<(Rules, String)> {
        let text = match &self.rules {
            None => self.recipe.text().to_owned(),
            Some(path) => read_text(path)?,
        };
        let mut rules: Rules = text.parse().with_context(|| self.source())?;
        if let Some(seed) = self.seed {
            rules = rules.with_seed(seed);
        }
        if let Some(dtype) = self.dtype {
            rules = rules.with_dtype(dtype);
        }
        Ok((rules, text))
    }

    /// The element type that the command line requests.
    pub(crate) fn dtype(&self) -> Option<DType> {
        self.dtype
    }

    /// Where the rules are from.
    pub(crate) fn source(&self) -> String {
        match &self.rules {
            Some(path) => path.display().to_string(),
            None => format!("recipe {}", self.recipe.name()),
        }
    }
}

/// Finds a recipe by its name.
pub(crate) fn recipe(name: &str) -> Result<Recipe, String> {
    Recipe::named(name).ok_or_else(|| {
        let names: Vec<_> = Recipe::ALL.iter().map(Recipe::name).collect();
        format!("there is no recipe {name:?}; use one of {}", names.join(", "))
    })
}
