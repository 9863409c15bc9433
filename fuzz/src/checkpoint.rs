//! The program's readers of files, compiled here too: they are modules of a program, which no other
//! package can use, and a library of them would be one more interface to keep stable.
#![allow(dead_code, reason = "only what reads is fuzzed")]

#[path = "../../cli/src/checkpoint/format/mod.rs"]
pub(crate) mod format;
#[path = "../../cli/src/checkpoint/output/path.rs"]
pub(crate) mod path;
#[path = "../../cli/src/checkpoint/read/mod.rs"]
pub(crate) mod read;

pub(crate) mod output {
    pub(crate) use super::path;
}
