//! `wasm-run`: runs WebAssembly programs in the wasmrt sandbox.
//!
//! This file parses, calls and maps to an exit code. What was typed is in `args`, what is carried out in `request`; the rest
//! is a file for each command and one for each thing that is said to people. Limits, isolation and engines are the runtime's.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod args;
mod cache;
mod compile;
mod completions;
mod doctor;
mod engines;
mod env_file;
mod help;
mod inspect;
mod manual;
mod module;
mod output;
mod progress;
mod quantity;
mod report;
mod request;
mod run;
mod serve;
mod words;

use args::Command;
use std::process::ExitCode;
use wasmrt_model::ErrorKind;

fn main() -> ExitCode {
    // A panic is a failure of ours, and has the exit code of one.
    ExitCode::from(std::panic::catch_unwind(execute).unwrap_or_else(|_| ErrorKind::Internal.exit_code()))
}

fn execute() -> u8 {
    let command = match args::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => return output::usage(&error),
    };
    let result = match command {
        Command::Run(args) => return run::run(*args),
        Command::Serve(args) => serve::serve(*args),
        Command::Compile(args) => compile::compile(*args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Engines(args) => engines::engines(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Cache(args) => cache::cache(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => manual::manual(&args),
        Command::Schema => output::print(&wasmrt_model::RunSpec::json_schema()).map(|()| 0),
    };
    result.unwrap_or_else(|error| {
        output::complain(&error);
        output::exit_code(&error)
    })
}
