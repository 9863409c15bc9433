//! Runs the program as its users do.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpu-init"));
    command.args(args).stdin(Stdio::null());
    command
}

pub fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

pub fn succeed(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn json(args: &[&str]) -> Value {
    let text = succeed(args);
    assert_eq!(text.lines().count(), 1, "one object on one line: {text}");
    serde_json::from_str(&text).unwrap()
}

/// What a command that fails says: one line on standard error after its warnings, and no panic.
pub fn complaint(args: &[&str]) -> String {
    let output = run(args);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{args:?} succeeded");
    assert!(
        output.status.code().is_some_and(|code| code == 1 || code == 2),
        "{args:?}: {:?}",
        output.status
    );
    assert!(!errors.contains("panicked"), "{errors}");
    let is_warning = |line: &&str| line.starts_with("gpu-init: warning: ");
    let lines: Vec<&str> = errors.lines().filter(|line| !is_warning(line)).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("gpu-init: error: "), "{args:?}: {errors}");
    lines[0].to_owned()
}

/// Expects a command to fail with a complaint that has all parts.
pub fn complains(args: &[&str], parts: &[&str]) {
    let line = complaint(args);
    for part in parts {
        assert!(line.contains(part), "{args:?} lacks {part:?}: {line}");
    }
}
