//! The commands, one file each, and what they share.

mod adapter;
mod backend;
mod bench;
mod bits;
mod checkpoint;
mod claim;
mod devices;
mod fill;
mod formats;
mod histogram;
mod input;
mod launcher;
mod memory;
mod model;
mod npy;
mod output;
mod place;
mod plan_table;
mod progress;
mod recipe;
mod rules;
mod shader;
mod signals;
mod threads;
mod verify;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// Weight initialization straight into GPU memory, the same bits on every device.
#[derive(Debug, Parser)]
#[command(name = "gpu-init", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Devices(devices::Args),
    Fill(fill::Args),
    Bench(bench::Args),
    Model(model::Args),
    Verify(verify::Args),
    Recipe(recipe::Args),
    Bits(bits::Args),
    Shader(shader::Args),
}

/// Runs the command line: 0 if all went well, 1 for an error, 2 for a command line that cannot be read, 130 for Ctrl-C,
/// 143 for SIGTERM.
pub(crate) fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::complain(&one_line(&error.to_string()));
            return ExitCode::from(2);
        }
        // Help and version.
        Err(error) => error.exit(),
    };
    threads::start();
    let result = match command {
        Command::Devices(args) => devices::run(&args),
        Command::Fill(args) => fill::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Recipe(args) => recipe::run(&args),
        Command::Bits(args) => bits::run(&args),
        Command::Shader(args) => shader::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Until the process is gone: one of two threads says why.
            std::mem::forget(signals::hold());
            let cause = error.root_cause().to_string();
            // What was under way when the signal came says nothing.
            let is_interrupted = signals::exit_code().is_some() && cause.starts_with("interrupted");
            let text = if is_interrupted { cause } else { output::reasons(&error) };
            output::complain(&format!("error: {text}"));
            signals::exit_code().map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

/// clap's complaint without its usage, which `--help` has.
fn one_line(error: &str) -> String {
    let end = error.find("\n\nUsage:").or_else(|| error.find("\n\nFor more")).unwrap_or(error.len());
    format!("{}; --help shows the usage", error[..end].trim())
}
