//! `gpu-init recipe`: the built-in rules, to read and edit.

use gpu_init::Recipe;

use crate::commands::rules::recipe;
use crate::terminal::output::print;

/// Print a recipe, a rules file for `gpu-init model --rules`; without a name, list them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The recipe's name.
    #[arg(value_parser = recipe)]
    name: Option<Recipe>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let line = |recipe: Recipe| format!("{:<8} {}\n", recipe.name(), recipe.summary());
    match args.name {
        Some(recipe) => print(recipe.text()),
        None => print(&Recipe::ALL.map(line).concat()),
    }
}
