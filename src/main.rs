//! The program `gpu-init`: parse, plan, run, report.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
