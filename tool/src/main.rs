//! The command line of the host tool: reads arguments, runs a command, says what went wrong.
#![forbid(unsafe_code)]
use std::process::ExitCode;

use clap::Parser;
use nexus::cli::Cli;
use nexus::command;
use nexus::failure::code;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { code::ERROR } else { code::OK });
        }
    };
    match command::run(cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("nexus: {failure}");
            ExitCode::from(failure.code)
        }
    }
}
