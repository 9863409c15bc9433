//! `gpu-init recipe`: the built-in rules, to read and edit.

use std::path::{Path, PathBuf};

use anyhow::bail;
use gpu_init::Recipe;

use crate::checkpoint::read::source;
use crate::commands::rules::recipe;
use crate::terminal::output::print;

/// Print a recipe, a rules file for `gpu-init model --rules`; without a name, list them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The recipe's name.
    #[arg(value_parser = recipe)]
    name: Option<Recipe>,
    /// List the recipes that are made for a model's names: a .safetensors file, a folder of shards
    /// or a tensor list, as `gpu-init model` takes them.
    #[arg(long, value_name = "SOURCE", conflicts_with = "name")]
    r#for: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match (args.name, &args.r#for) {
        (Some(recipe), _) => print(recipe.text()),
        (None, Some(path)) => print(&table(&fitting(path)?)),
        (None, None) => print(&table(&Recipe::ALL)),
    }
}

fn table(recipes: &[Recipe]) -> String {
    let width = recipes.iter().map(|recipe| recipe.name().len()).max().unwrap_or(0);
    let line = |recipe: &Recipe| format!("{:width$}  {}\n", recipe.name(), recipe.summary());
    recipes.iter().map(line).collect()
}

/// The recipes for a model's names, at least one.
fn fitting(path: &Path) -> anyhow::Result<Vec<Recipe>> {
    let source = source::read(path)?;
    let names: Vec<_> = source.tensors.iter().map(|entry| &entry.name).collect();
    let recipes = Recipe::fitting(&names);
    if recipes.is_empty() {
        bail!(
            "no recipe is made for the names in {}; xavier initializes any model, or write rules: \
             `gpu-init recipe llama` shows some to start from",
            path.display()
        );
    }
    Ok(recipes)
}
