//! The covopt command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic is a bug; it has printed its message by then, and the exit code says so too.
    let run = std::panic::catch_unwind(|| covopt::cli::run(std::env::args_os()));
    ExitCode::from(run.unwrap_or(covopt::error::exit::BUG))
}
