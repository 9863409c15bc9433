//! The program `gpu-init`: parse, plan, run, report. On wasm32 it is empty.
#![cfg_attr(target_arch = "wasm32", no_main)]
#![cfg(not(target_arch = "wasm32"))]
#![deny(unsafe_code, clippy::undocumented_unsafe_blocks)]

mod backend;
mod checkpoint;
mod commands;
mod plots;
mod terminal;

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
    Devices(commands::devices::Args),
    Fill(commands::fill::Args),
    Bench(commands::bench::Args),
    Model(commands::model::Args),
    Verify(commands::verify::Args),
    Recipe(commands::recipe::Args),
    Signal(commands::signal::Args),
    Bits(commands::bits::Args),
    Shader(commands::shader::Args),
}

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    quiet_wayland();
    run()
}

/// Keeps libwayland from printing "error: XDG_RUNTIME_DIR is invalid or not set in the
/// environment." Mesa's device-select layer asks it for a compositor whenever adapters are listed,
/// desktop or not. It accepts an absolute path without a socket: this process' folder in /proc,
/// where nobody can put one, unlike /tmp.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no other way to set a variable")]
fn quiet_wayland() {
    const FOLDER: &str = "XDG_RUNTIME_DIR";
    if std::env::var_os(FOLDER).is_some_and(|folder| std::path::Path::new(&folder).is_absolute()) {
        return;
    }
    // SAFETY: main calls this first, so no other thread exists that could read the environment.
    // There is no other way: libwayland's message handler is set in a library that only Mesa loads.
    unsafe { std::env::set_var(FOLDER, "/proc/self") };
}

/// Runs the command line. Exit codes: 0 for success, 1 for an error, 2 for a command line that
/// cannot be parsed, 130 for Ctrl-C, 143 for SIGTERM.
fn run() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error)
            if error.use_stderr()
                && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand =>
        {
            terminal::output::complain(&one_line(&error.to_string()));
            return ExitCode::from(2);
        }
        // Help and version are no errors.
        Err(error) => error.exit(),
    };
    backend::threads::start();
    let result = match command {
        Command::Devices(args) => commands::devices::run(&args),
        Command::Fill(args) => commands::fill::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Model(args) => commands::model::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Recipe(args) => commands::recipe::run(&args),
        Command::Signal(args) => commands::signal::run(&args),
        Command::Bits(args) => commands::bits::run(&args),
        Command::Shader(args) => commands::shader::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Held until the process ends: only one of two threads may report why.
            std::mem::forget(terminal::signals::hold());
            let cause = error.root_cause().to_string();
            // The step that the signal interrupted does not matter.
            let is_interrupted =
                terminal::signals::exit_code().is_some() && cause.starts_with("interrupted");
            let text = if is_interrupted { cause } else { terminal::output::reasons(&error) };
            terminal::output::complain(&format!("error: {text}"));
            terminal::signals::exit_code().map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

/// clap's error without the usage, which `--help` shows.
fn one_line(error: &str) -> String {
    let end =
        error.find("\n\nUsage:").or_else(|| error.find("\n\nFor more")).unwrap_or(error.len());
    format!("{}; --help shows the usage", error[..end].trim())
}
