//! Rules that ship with the crate.

use crate::model::rules::Rules;

/// A built-in recipe: a rules file by name.
///
/// ```
/// use gpu_init::Recipe;
///
/// assert_eq!(Recipe::named("llama"), Some(Recipe::LLAMA));
/// assert!(Recipe::LLAMA.text().contains("o_proj"));
/// for recipe in Recipe::ALL {
///     println!("{}: {}", recipe.name(), recipe.summary());
///     assert!(!recipe.rules().rules().is_empty());
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    name: &'static str,
    text: &'static str,
}

macro_rules! recipe {
    ($name:literal) => {
        Recipe { name: $name, text: include_str!(concat!("recipes/", $name, ".toml")) }
    };
}

impl Recipe {
    /// Xavier normal for matrices and kernels, one for norm weights, zero for other vectors.
    pub const XAVIER: Self = recipe!("xavier");
    /// GPT-2.
    pub const GPT2: Self = recipe!("gpt2");
    /// Llama and similar models.
    pub const LLAMA: Self = recipe!("llama");
    /// BERT.
    pub const BERT: Self = recipe!("bert");
    /// ResNet.
    pub const RESNET: Self = recipe!("resnet");
    /// Vision transformers.
    pub const VIT: Self = recipe!("vit");
    /// All recipes.
    pub const ALL: [Self; 6] =
        [Self::XAVIER, Self::GPT2, Self::LLAMA, Self::BERT, Self::RESNET, Self::VIT];

    /// The recipe with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|recipe| recipe.name == name)
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A summary in one line: the first line of the text.
    pub fn summary(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// The text of the rules file, to print and edit.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The parsed rules.
    pub fn rules(&self) -> Rules {
        self.text.parse().expect("every recipe is parsed by a test")
    }
}

#[cfg(test)]
mod tests {
    use super::{Recipe, Rules};

    #[test]
    fn every_recipe_parses_and_has_a_summary() {
        for recipe in Recipe::ALL {
            let (name, rules) = (recipe.name, recipe.text.parse::<Rules>());
            assert!(rules.is_ok(), "{name}: {rules:?}");
            assert!(recipe.text.starts_with("# ") && recipe.summary().len() > 20, "{name}");
            assert!(recipe.text.lines().all(|line| line.len() <= 120), "{name}");
        }
    }
}
