//! Containers through containerd and its client.

mod ends;
mod files;
mod life;
mod streams;

use libtest_mimic::Arguments;
use std::process::ExitCode;
use wasmrt_e2e::trials::trials;
use wasmrt_e2e::world;

fn main() -> ExitCode {
    if let Some(code) = world::become_part() {
        return code;
    }
    let arguments = Arguments::from_args();
    let questions = [ends::QUESTIONS, files::QUESTIONS, life::QUESTIONS, streams::QUESTIONS].concat();
    libtest_mimic::run(&arguments, trials(&questions)).exit_code()
}
