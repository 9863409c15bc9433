//! Signals to the program while it works.
#![allow(dead_code, reason = "not every test sends all")]

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::program::command;

/// Sends a signal to the program, which may have ended, but has not been waited for.
pub fn signal(child: &Child, signal: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
}

/// Interrupts a command after a second, or later where a busy machine has not come to its work by
/// then. Returns what it says, which has `part` once it was at work.
pub fn interrupted(args: &[&str], part: &str) -> String {
    for seconds in [1, 4, 16, 64] {
        let child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        sleep(Duration::from_secs(seconds));
        signal(&child, "-INT");
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        // Before it listens, the signal ends it without a code.
        let code = output.status.code();
        assert!(
            code.is_none_or(|code| code == 130) && output.stdout.is_empty(),
            "{args:?}: {:?} {errors}",
            output.status
        );
        if code.is_some() && errors.contains(part) {
            return errors;
        }
        eprintln!("not at work after {seconds} s: {errors}");
    }
    panic!("{args:?} says nothing of {part:?}");
}
