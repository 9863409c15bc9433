//! `docs/initializers.md` lists all initializers with all of their options, links in the
//! documentation lead somewhere, and the README is short.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gpu_init::Initializer;

const INITIALIZERS: &str = include_str!("../docs/initializers.md");

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The first column of the table without its header: `name` or `name(option, option)`.
fn table() -> Vec<&'static str> {
    let rows = INITIALIZERS.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.flat_map(|row| quoted(row.split('|').nth(1).expect("a first column"))).collect()
}

/// The names in the section on presets.
fn presets() -> Vec<&'static str> {
    let (_, rest) = INITIALIZERS.split_once("\n## Presets\n").expect("a section on presets");
    quoted(rest.split("\n## ").next().unwrap()).collect()
}

/// `name` of `name(option, option)`.
fn name(text: &str) -> &str {
    text.split('(').next().unwrap()
}

/// The names that the error for an unknown name lists.
fn known() -> BTreeSet<String> {
    let error = "no such name".parse::<Initializer>().unwrap_err().to_string();
    let (_, names) = error.split_once("use one of ").unwrap_or_else(|| panic!("{error}"));
    names.split(", ").map(str::to_owned).collect()
}

/// Whether the name is that of a scheme, not of a scheme with some of its options given.
fn is_scheme(text: &str) -> bool {
    Initializer::ALL.iter().any(|scheme| scheme.name() == name(text))
}

#[test]
fn every_initializer_is_listed_and_nothing_else() {
    let listed: Vec<String> =
        table().into_iter().map(name).chain(presets()).map(str::to_owned).collect();
    let unique: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(unique.len(), listed.len(), "a name is listed twice");
    assert_eq!(unique, known());
    for scheme in Initializer::ALL {
        assert!(unique.contains(scheme.name()), "{} is not listed", scheme.name());
    }
}

#[test]
fn the_listed_options_are_those_that_exist() {
    for text in table() {
        let options =
            text.split_once('(').map_or("none", |(_, options)| options.trim_end_matches(')'));
        let error = format!("{}(no such option=1)", name(text))
            .parse::<Initializer>()
            .unwrap_err()
            .to_string();
        let (_, known) = error.split_once("; it has ").unwrap_or_else(|| panic!("{error}"));
        // `zeros` has the option of `constant`, which the table does not repeat.
        assert!(options == known || options == "none" && !is_scheme(text), "{text} has {known}");
    }
}

/// The documents for people who read the repository.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .map(|name| root.join(name))
        .into_iter()
        .chain(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")))
        .collect()
}

#[test]
fn every_link_leads_to_a_file() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        let prose: String = text.split("```").step_by(2).collect();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (target, _) in targets.filter(|(target, _)| !target.starts_with("http")) {
            let file = target.split('#').next().unwrap();
            let path = document.parent().unwrap().join(file);
            assert!(file.is_empty() || path.exists(), "{}: {target}", document.display());
        }
    }
}

#[test]
fn the_readme_has_at_most_150_lines() {
    assert!(include_str!("../README.md").lines().count() <= 150);
}
