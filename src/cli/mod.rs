//! The commands, one file each, and what they share.

mod backend;
mod bits;
mod devices;
mod fill;
mod histogram;
mod model;
mod npy;
mod output;
mod shader;
mod tensor_list;

use std::process::ExitCode;

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
    Model(model::Args),
    Bits(bits::Args),
    Shader(shader::Args),
}

/// Runs the command line: 0 if all went well, 1 for an error, 2 for a command line that cannot be read.
pub(crate) fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Devices(args) => devices::run(&args),
        Command::Fill(args) => fill::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Bits(args) => bits::run(&args),
        Command::Shader(args) => shader::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
