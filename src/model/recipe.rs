//! Rules that ship with the crate.

use crate::model::pattern::{Pattern, Rank};
use crate::model::rules::{Rules, fit};

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
    /// What Hugging Face gives most models: N(0, 0.02).
    pub const HUGGINGFACE: Self = recipe!("huggingface");
    /// GPT-2.
    pub const GPT2: Self = recipe!("gpt2");
    /// Llama and similar models.
    pub const LLAMA: Self = recipe!("llama");
    /// Mixtral.
    pub const MIXTRAL: Self = recipe!("mixtral");
    /// Qwen3, with or without experts.
    pub const QWEN3: Self = recipe!("qwen3");
    /// DeepSeek-V3.
    pub const DEEPSEEK_V3: Self = recipe!("deepseek-v3");
    /// Gemma 3, whose norm weights are zero.
    pub const GEMMA3: Self = recipe!("gemma3");
    /// GPT-NeoX and Pythia.
    pub const GPT_NEOX: Self = recipe!("gpt-neox");
    /// OPT.
    pub const OPT: Self = recipe!("opt");
    /// T5.
    pub const T5: Self = recipe!("t5");
    /// BERT.
    pub const BERT: Self = recipe!("bert");
    /// Mamba.
    pub const MAMBA: Self = recipe!("mamba");
    /// Mamba 2.
    pub const MAMBA2: Self = recipe!("mamba2");
    /// Vision transformers.
    pub const VIT: Self = recipe!("vit");
    /// Swin.
    pub const SWIN: Self = recipe!("swin");
    /// CLIP.
    pub const CLIP: Self = recipe!("clip");
    /// Diffusion transformers.
    pub const DIT: Self = recipe!("dit");
    /// ResNet.
    pub const RESNET: Self = recipe!("resnet");
    /// Whisper.
    pub const WHISPER: Self = recipe!("whisper");
    /// wav2vec 2.0.
    pub const WAV2VEC2: Self = recipe!("wav2vec2");
    /// All recipes.
    pub const ALL: [Self; 21] = [
        Self::XAVIER,
        Self::HUGGINGFACE,
        Self::GPT2,
        Self::LLAMA,
        Self::MIXTRAL,
        Self::QWEN3,
        Self::DEEPSEEK_V3,
        Self::GEMMA3,
        Self::GPT_NEOX,
        Self::OPT,
        Self::T5,
        Self::BERT,
        Self::MAMBA,
        Self::MAMBA2,
        Self::VIT,
        Self::SWIN,
        Self::CLIP,
        Self::DIT,
        Self::RESNET,
        Self::WHISPER,
        Self::WAV2VEC2,
    ];

    /// The recipe with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|recipe| recipe.name == name)
    }

    /// The recipes that are made for a model with these tensors.
    ///
    /// ```
    /// use gpu_init::Recipe;
    ///
    /// let names = ["h.0.attn.c_attn.weight", "h.0.attn.c_proj.weight", "wte.weight", "wpe.weight"];
    /// assert_eq!(Recipe::fitting(&names), [Recipe::GPT2]);
    /// ```
    pub fn fitting(names: &[impl AsRef<str>]) -> Vec<Self> {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        Self::ALL.into_iter().filter(|recipe| recipe.fits(&names)).collect()
    }

    /// Whether the names are those of a model that the recipe is made for.
    fn fits(&self, names: &[&str]) -> bool {
        /// Without the rules, whose patterns take the most memory.
        #[derive(serde::Deserialize)]
        struct Globs {
            #[serde(default)]
            fits: Vec<String>,
            #[serde(default)]
            unlike: Vec<String>,
        }
        let Globs { fits, unlike } = toml::from_str(self.text).expect("a test parses each recipe");
        let globs = |texts: Vec<String>| -> Vec<Pattern> {
            let globs = texts.iter().map(|text| Pattern::glob(text, Rank::Any));
            globs.collect::<Result<_, _>>().expect("a test parses each recipe")
        };
        fit(&globs(fits), &globs(unlike), names) == Some(true)
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
