//! Rules for the names that burn gives parameters.

use std::sync::LazyLock;

use gpu_init::{Recipe, Rules};

/// What burn's layers call their parameters where PyTorch has other names: norms have gamma and
/// beta, PReLU alpha. The patterns are compiled once.
static NAMES: LazyLock<Rules> = LazyLock::new(|| {
    include_str!("names.toml").parse().expect("names.toml has no mistake: every test parses it")
});

/// The rules of a recipe for a module of burn: with one for gamma and zero for beta of norms, the
/// running statistics of batch norms, and PReLU's alpha as its configuration has it.
///
/// ```
/// use gpu_init::{Plan, Recipe};
///
/// let rules = gpu_init_burn::rules(Recipe::HUGGINGFACE);
/// let tensors = [("norm.gamma", vec![8], None), ("fc.weight", vec![8, 4], None)];
/// let plan = Plan::new(tensors, &rules)?;
/// assert_eq!(plan.entries()[0].spec.initializer(), gpu_init::Initializer::ones());
/// # Ok::<(), gpu_init::PlanError>(())
/// ```
pub fn rules(recipe: Recipe) -> Rules {
    for_burn(recipe.rules())
}

/// Rules with those of burn's names before them.
pub(crate) fn for_burn(rules: Rules) -> Rules {
    rules.preceded_by(&NAMES)
}
