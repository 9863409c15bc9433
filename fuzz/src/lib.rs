//! Fuzzers: each function takes an input's bytes, and panics if a property fails that holds for every
//! input. `.ci/fuzz` runs them; `cargo test` here runs what is kept in `corpus/`, once.

mod checkpoint;
mod files;
mod plan;
mod text;

pub use files::{header, index, list, slices};
pub use text::{initializer, layout, rules};

/// Checks an error's message: it is one line, which the program prints after its own name.
fn check_message(error: impl std::fmt::Display) {
    let message = format!("{error:#}");
    assert!(!message.is_empty() && !message.contains('\n'), "{message:?}");
}
