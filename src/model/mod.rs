//! Which tensor of a model is initialized how: rules from a TOML file or a built-in recipe, and the
//! plan that they make of a list of tensors: plain data that a device or the CPU then runs.

mod error;
mod file;
mod formula;
mod layers;
mod listed;
mod pattern;
mod plan;
mod planner;
mod recipe;
mod rules;
mod run;

pub use error::{ParseRulesError, PlanError, RuleError};
pub use listed::ListedTensor;
pub use plan::{KeptTensor, Plan, PlanEntry, PlanWarning};
pub use recipe::Recipe;
pub use rules::{Rule, Rules};
