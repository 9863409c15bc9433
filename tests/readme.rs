//! The README's list of initializers is all of them, with all of their options.

use std::collections::BTreeSet;

use gpu_init::Initializer;

const README: &str = include_str!("../README.md");

/// What is between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The lines of the section on initializers.
fn section() -> impl Iterator<Item = &'static str> {
    let (_, rest) = README.split_once("\n## Initializers\n").expect("a section on initializers");
    rest.lines().take_while(|line| !line.starts_with("## "))
}

/// The first column of the table, without its head: `name` or `name(option, option)`.
fn table() -> Vec<&'static str> {
    let rows = section().filter(|line| line.starts_with('|')).skip(2);
    rows.flat_map(|row| quoted(row.split('|').nth(1).expect("a first column"))).collect()
}

/// The sentence that names the peers' defaults.
fn presets() -> Vec<String> {
    let text = section().filter(|line| !line.starts_with('|')).collect::<Vec<_>>().join("\n");
    let paragraph = text
        .split("\n\n")
        .find(|part| part.contains("`pytorch_linear`"))
        .expect("a paragraph on presets");
    quoted(paragraph.split(". ").find(|sentence| sentence.contains("`pytorch_linear`")).unwrap())
        .map(str::to_owned)
        .collect()
}

fn name(text: &str) -> &str {
    text.split('(').next().unwrap()
}

/// What a name that there is not is answered with.
fn known() -> BTreeSet<String> {
    let error = "no such name".parse::<Initializer>().unwrap_err().to_string();
    let (_, names) = error.split_once("use one of ").unwrap_or_else(|| panic!("{error}"));
    names.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_initializer_is_listed_and_nothing_else() {
    let listed: Vec<String> =
        table().into_iter().map(|text| name(text).to_owned()).chain(presets()).collect();
    let unique: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(unique.len(), listed.len(), "a name is listed twice");
    assert_eq!(unique, known());
    for scheme in Initializer::ALL {
        assert!(unique.contains(scheme.name()), "{} is not in the README", scheme.name());
    }
}

#[test]
fn the_options_are_those_there_are() {
    for text in table() {
        let options =
            text.split_once('(').map_or("none", |(_, options)| options.trim_end_matches(')'));
        let error = format!("{}(no such option=1)", name(text))
            .parse::<Initializer>()
            .unwrap_err()
            .to_string();
        let (_, known) = error.split_once("; it has ").unwrap_or_else(|| panic!("{error}"));
        // Names of one value each have the option of what they stand for, which is not repeated.
        assert!(options == known || options == "none" && !scheme(text), "{text} has {known}");
    }
}

/// Whether the name is that of a scheme, not of a scheme with an option told.
fn scheme(text: &str) -> bool {
    Initializer::ALL.iter().any(|scheme| scheme.name() == name(text))
}
