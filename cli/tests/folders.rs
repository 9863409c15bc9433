//! One folder has one model, whichever way it is written and read.

#[path = "common/program.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod program;

use std::path::Path;

use program::command;
use tempfile::TempDir;

/// A list of two tensors, in a folder of its own.
fn list() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let list =
        r#"{"a": {"dtype": "F32", "shape": [64, 32]}, "b": {"dtype": "F32", "shape": [32]}}"#;
    std::fs::write(folder.path().join("list.json"), list).unwrap();
    std::fs::write(folder.path().join("rules.toml"), "default = 'normal'").unwrap();
    folder
}

/// Runs `gpu-init model list.json ...` in a folder: the exit code and what it says to standard
/// error.
fn model(folder: &Path, arguments: &str) -> (Option<i32>, String) {
    let arguments: Vec<_> =
        ["model", "list.json", "--device", "cpu"].into_iter().chain(arguments.split(' ')).collect();
    let output = command(&arguments).current_dir(folder).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn verify(folder: &Path, name: &str) -> Option<i32> {
    command(&["verify", name]).current_dir(folder).output().unwrap().status.code()
}

const RANKS: [&str; 2] = ["--rank 0 --world-size 2 --out m", "--rank 1 --world-size 2 --out m"];

#[test]
fn a_file_by_the_usual_name_is_its_folders_model() {
    let folder = list();
    let path = folder.path();
    for ranks in RANKS {
        assert_eq!(model(path, ranks).0, Some(0));
    }
    let (code, text) = model(path, "--seed 9 --out m/model.safetensors");
    assert!(
        code == Some(1) && text.contains("exists; name another folder") && text.contains("--force"),
        "{text}"
    );
    assert_eq!(verify(path, "m"), Some(0));
    // Another name is another file.
    assert_eq!(model(path, "--seed 9 --out m/other.safetensors").0, Some(0));
    assert_eq!(verify(path, "m"), Some(0));
    assert_eq!(model(path, "--seed 9 --out m/model.safetensors --force").0, Some(0));
    let mut names: Vec<_> =
        path.join("m").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["model.safetensors", "other.safetensors"]);
    assert_eq!(verify(path, "m"), Some(0));
}

#[test]
fn a_source_is_one_model() {
    let folder = list();
    let path = folder.path();
    for ranks in RANKS {
        assert_eq!(model(path, ranks).0, Some(0));
    }
    let dry_run = || {
        let output = command(&["model", "m", "--dry-run"]).current_dir(path).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = dry_run();
    assert!(code == Some(1) && text.contains("several processes"), "{text}");
    assert_eq!(model(path, "--out one.safetensors").0, Some(0));
    std::fs::rename(path.join("one.safetensors"), path.join("m/model.safetensors")).unwrap();
    let (code, text) = dry_run();
    assert!(code == Some(1) && text.contains("two models"), "{text}");
}

#[test]
fn ranks_of_another_job_are_refused() {
    let folder = list();
    let path = folder.path();
    assert_eq!(model(path, &format!("--seed 5 {}", RANKS[1])).0, Some(0));
    for other in ["--seed 6", "--rules rules.toml --seed 5", "--dtype bf16 --seed 5"] {
        let (code, text) = model(path, &format!("{other} {}", RANKS[0]));
        assert!(code == Some(1) && text.contains("another seed or other rules"), "{other}: {text}");
    }
    assert_eq!(model(path, &format!("--seed 5 {}", RANKS[0])).0, Some(0));
    assert_eq!(verify(path, "m"), Some(0));
    // Rank after rank, in any order.
    for ranks in RANKS {
        assert_eq!(model(path, &format!("--seed 6 --force {ranks}")).0, Some(0));
    }
    assert_eq!(verify(path, "m"), Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_written_is_refused_before_anything_is_computed() {
    let folder = list();
    let path = folder.path();
    let long = format!("--out {}.safetensors", "n".repeat(250));
    let (code, text) = model(path, &long);
    assert!(code == Some(1) && text.contains("no names like that"), "{text}");
    let list = format!(r#"{{"{}": {{"dtype": "C64", "shape": [1]}}}}"#, "n".repeat(100_000));
    std::fs::write(path.join("long.json"), list).unwrap();
    let output = command(&["model", "long.json", "--dry-run"]).current_dir(path).output().unwrap();
    assert!(
        output.status.code() == Some(1) && output.stderr.len() < 5000,
        "{} bytes",
        output.stderr.len()
    );
    std::fs::write(path.join("old.safetensors"), "").unwrap();
    std::os::unix::fs::symlink("old.safetensors", path.join("link.safetensors")).unwrap();
    let (code, text) = model(path, "--force --out link.safetensors");
    assert!(code == Some(1) && text.contains("it is a link"), "{text}");
    // A limit on files is an error of the write, and leaves nothing.
    let program = env!("CARGO_BIN_EXE_gpu-init");
    let command = format!(
        "ulimit -f 4; exec {program} model list.json --device cpu --out limited.safetensors"
    );
    let output =
        std::process::Command::new("sh").args(["-c", &command]).current_dir(path).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && text.contains("cannot write"),
        "{:?} {text}",
        output.status
    );
    let left = path.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).find(|name| {
        let name = name.to_string_lossy();
        name.starts_with("limited")
    });
    assert_eq!(left, None);
}
