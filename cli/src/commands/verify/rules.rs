//! Seed and rules to verify against: from the command line, or else from the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use gpu_init::Recipe;

use crate::commands::rules::{LARGEST, Sourced, recipe};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rules in TOML to verify against, instead of the file's.
    #[arg(long, value_name = "FILE", conflicts_with = "recipe")]
    rules: Option<PathBuf>,
    /// Built-in rules, instead of the file's: xavier, gpt2, llama, bert, resnet or vit.
    #[arg(long, value_name = "NAME", value_parser = recipe)]
    recipe: Option<Recipe>,
    /// The seed, instead of the file's, or else the rules'.
    #[arg(long)]
    seed: Option<u64>,
}

pub(super) struct Given {
    pub(super) rules: Option<Sourced>,
    pub(super) seed: Option<u64>,
}

impl Given {
    pub(super) fn read(args: &Args) -> anyhow::Result<Self> {
        let rules = match &args.rules {
            Some(path) => Some(Sourced::file(path)?),
            None => args.recipe.map(Sourced::recipe),
        };
        Ok(Given { rules, seed: args.seed })
    }

    /// Seed and rules, completed by a file's metadata; none if neither has rules.
    pub(super) fn or_recorded(
        &self,
        metadata: &BTreeMap<String, String>,
    ) -> anyhow::Result<Option<Sourced>> {
        let mut sourced = match (&self.rules, metadata.get("rules"), self.seed) {
            (Some(sourced), ..) => sourced.clone(),
            (None, Some(text), _) => {
                ensure!(
                    text.len() as u64 <= LARGEST,
                    "the rules that it records have over {LARGEST} bytes; pass others with --rules or --recipe"
                );
                let rules = text.parse().context(
                    "the rules that it records cannot be read; pass --rules or --recipe",
                )?;
                let source = "the file's own rules".to_owned();
                Sourced { rules, text: text.clone(), source }
            }
            (None, None, Some(seed)) => {
                bail!("it records no rules for seed {seed}; pass --rules or --recipe")
            }
            (None, None, None) => return Ok(None),
        };
        let seed = match (self.seed, metadata.get("seed")) {
            (Some(seed), _) => seed,
            (None, Some(text)) => text.parse().ok().with_context(|| {
                format!(
                    "the seed that it records is {text:?}, and seeds are 0 to 2^64 - 1; pass --seed"
                )
            })?,
            (None, None) => sourced.rules.seed(),
        };
        sourced.rules = sourced.rules.with_seed(seed).with_listed_dtypes();
        Ok(Some(sourced))
    }
}
