//! The program `gpu-init`: parse, plan, run, report.

mod cli;

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    quiet_wayland();
    cli::main()
}

/// Keeps libwayland from printing "error: XDG_RUNTIME_DIR is invalid or not set in the environment." Mesa's Vulkan layer
/// that orders devices asks it for a compositor, twice whenever adapters are listed, whether there is a desktop or not.
/// It says nothing of an absolute path that has no socket: this process' own folder in /proc, in which nobody can put
/// one, as they could in /tmp.
#[cfg(target_os = "linux")]
fn quiet_wayland() {
    const FOLDER: &str = "XDG_RUNTIME_DIR";
    if std::env::var_os(FOLDER).is_some_and(|folder| std::path::Path::new(&folder).is_absolute()) {
        return;
    }
    // SAFETY: this is the first thing that main does, so that no other thread runs that could read the environment.
    // There is no other way: libwayland's handler of messages is set by a call into a library that only Mesa loads.
    unsafe { std::env::set_var(FOLDER, "/proc/self") };
}
