//! What the layout of the source promises, checked on its text: no two files need each other, what
//! describes needs nothing that runs, and only `src/gpu` names wgpu.

mod needs;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use needs::{Needs, Sources};

/// What a file whose path starts with the first needs nothing of, directly or by way of others.
const APART: &[(&str, &str)] = &[
    ("src/stream/", "src/distribution/"),
    ("src/stream/", "src/spec/"),
    ("src/stream/", "src/cpu/"),
    ("src/stream/", "src/gpu/"),
    ("src/distribution/", "src/initializer/"),
    ("src/distribution/", "src/spec/"),
    ("src/distribution/", "src/cpu/"),
    ("src/distribution/", "src/gpu/"),
    ("src/initializer/", "src/spec/"),
    ("src/initializer/", "src/cpu/"),
    ("src/initializer/", "src/gpu/"),
    ("src/spec/", "src/cpu/"),
    ("src/spec/", "src/gpu/"),
    ("src/model/plan.rs", "src/cpu/"),
    ("src/model/plan.rs", "src/gpu/"),
    ("src/cpu/", "src/gpu/"),
    ("src/gpu/engine/", "src/gpu/self_test"),
    ("src/gpu/engine/", "src/gpu/device"),
    ("src/gpu/self_test/", "src/gpu/device"),
];

/// Files outside of `src/gpu` that may name wgpu.
const WGPU: &[&str] = &["src/gpu/", "src/lib.rs", "src/init.rs", "src/error.rs"];

fn sources(folder: &str) -> Sources {
    fn read(folder: &Path, sources: &mut Sources) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                read(&entry, sources);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let path = entry.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
                let path = path.to_str().unwrap().replace('\\', "/");
                sources.insert(path, fs::read_to_string(&entry).unwrap());
            }
        }
    }
    let mut sources = Sources::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut sources);
    sources
}

fn starts_with_any(file: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| file.starts_with(start))
}

#[test]
fn no_two_files_need_each_other() {
    let packages =
        [("src", "src/lib.rs"), ("cli/src", "cli/src/main.rs"), ("burn/src", "burn/src/lib.rs")];
    for (folder, root) in packages {
        let sources = sources(folder);
        let needs = Needs::new(&sources, root);
        let circles = needs.circles();
        let shown: Vec<_> = circles.iter().map(|files| needs.shown(files)).collect();
        assert!(shown.is_empty(), "{}", shown.join("\n"));
    }
}

#[test]
fn what_describes_needs_nothing_that_runs() {
    let sources = sources("src");
    let needs = Needs::new(&sources, "src/lib.rs");
    for &(from, to) in APART {
        let files: Vec<_> = needs.0.keys().filter(|file| file.starts_with(from)).collect();
        assert!(!files.is_empty(), "there is no {from}");
        for file in files {
            let reached = needs.reached(file);
            let wrong: Vec<_> = reached.iter().filter(|file| file.starts_with(to)).collect();
            assert!(wrong.is_empty(), "{file} needs {wrong:?}");
        }
    }
}

#[test]
fn only_gpu_names_wgpu() {
    for (file, text) in &sources("src") {
        let named = source::tokens(text).contains(&"wgpu");
        assert!(!named || starts_with_any(file, WGPU), "{file} names wgpu");
    }
}

#[test]
fn program_uses_nothing_hidden() {
    let library = sources("src");
    let hidden: BTreeSet<_> =
        library.values().flat_map(|text| hidden(&source::tokens(text))).collect();
    for (file, text) in &sources("cli/src") {
        let tokens = source::tokens(text);
        let used: Vec<_> = tokens.iter().filter(|token| hidden.contains(*token)).collect();
        assert!(used.is_empty(), "{file} uses {used:?}, which the library's documentation hides");
    }
}

/// The names of the items under `#[doc(hidden)]`.
fn hidden<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let attributes = tokens.windows(7).enumerate();
    let attributes = attributes.filter(|(_, tokens)| tokens.concat() == "#[doc(hidden)]");
    attributes.map(|(at, _)| declared(&tokens[at + 7..])).collect()
}

/// The name that is declared by the item, field or variant that starts `tokens`.
fn declared<'a>(mut tokens: &[&'a str]) -> &'a str {
    while tokens[0] == "#" {
        tokens = &tokens[source::closing(tokens, 1)..];
    }
    const BEFORE: [&str; 15] = [
        "pub", "crate", "super", "async", "unsafe", "const", "static", "fn", "struct", "enum",
        "trait", "type", "mod", "use", "mut",
    ];
    let name = tokens.iter().find(|token| source::is_name(token) && !BEFORE.contains(*token));
    name.expect("an attribute is of an item")
}

#[test]
fn hidden_items_are_found() {
    let text = "#[doc(hidden)] #[cfg(not(wasm))] pub(crate) async fn one() {} enum E { #[doc(hidden)] Two(u8), Three }";
    assert_eq!(hidden(&source::tokens(text)), ["one", "Two"]);
}
