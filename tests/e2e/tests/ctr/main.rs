//! Containers through containerd and its client.

mod artifacts;
mod crowds;
mod ends;
mod engines;
mod exec;
mod faults;
mod files;
mod life;
mod limits;
mod sandbox;
mod streams;

use libtest_mimic::Arguments;
use std::process::ExitCode;
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::trials::trials;
use wasmrt_e2e::world;

fn main() -> ExitCode {
    if let Some(code) = world::become_part() {
        return code;
    }
    let arguments = Arguments::from_args();
    let questions = [
        ends::QUESTIONS,
        engines::QUESTIONS,
        artifacts::QUESTIONS,
        files::QUESTIONS,
        streams::QUESTIONS,
        life::QUESTIONS,
        limits::QUESTIONS,
        sandbox::QUESTIONS,
        exec::QUESTIONS,
        crowds::QUESTIONS,
        faults::QUESTIONS,
    ];
    let questions = questions.concat();
    libtest_mimic::run(&arguments, trials(&questions, Machine::new, None)).exit_code()
}
