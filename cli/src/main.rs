//! The program `gpu-init`: parse, plan, run, report.

mod backend;
mod checkpoint;
mod commands;
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
    Bits(commands::bits::Args),
    Shader(commands::shader::Args),
}

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    quiet_wayland();
    run()
}

/// Keeps libwayland from printing "error: XDG_RUNTIME_DIR is invalid or not set in the
/// environment." Mesa's Vulkan layer that orders devices asks it for a compositor, twice whenever
/// adapters are listed, whether there is a desktop or not. It says nothing of an absolute path that
/// has no socket: this process' own folder in /proc, in which nobody can put one, as they could in
/// /tmp.
#[cfg(target_os = "linux")]
fn quiet_wayland() {
    const FOLDER: &str = "XDG_RUNTIME_DIR";
    if std::env::var_os(FOLDER).is_some_and(|folder| std::path::Path::new(&folder).is_absolute()) {
        return;
    }
    // SAFETY: this is the first thing that main does, so that no other thread runs that could read
    // the environment. There is no other way: libwayland's handler of messages is set by a call
    // into a library that only Mesa loads.
    unsafe { std::env::set_var(FOLDER, "/proc/self") };
}

/// Runs the command line: 0 if all went well, 1 for an error, 2 for a command line that cannot be
/// read, 130 for Ctrl-C, 143 for SIGTERM.
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
        // Help and version.
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
        Command::Bits(args) => commands::bits::run(&args),
        Command::Shader(args) => commands::shader::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Until the process is gone: one of two threads says why.
            std::mem::forget(terminal::signals::hold());
            let cause = error.root_cause().to_string();
            // What was under way when the signal came says nothing.
            let is_interrupted =
                terminal::signals::exit_code().is_some() && cause.starts_with("interrupted");
            let text = if is_interrupted { cause } else { terminal::output::reasons(&error) };
            terminal::output::complain(&format!("error: {text}"));
            terminal::signals::exit_code().map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

/// clap's complaint without its usage, which `--help` has.
fn one_line(error: &str) -> String {
    let end =
        error.find("\n\nUsage:").or_else(|| error.find("\n\nFor more")).unwrap_or(error.len());
    format!("{}; --help shows the usage", error[..end].trim())
}
