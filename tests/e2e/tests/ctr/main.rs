//! Containers through containerd and its client.

mod artifacts;
mod crowds;
mod ends;
mod engines;
mod exec;
mod faults;
mod files;
mod hooks;
mod life;
mod limits;
mod sandbox;
mod streams;
mod systemd;

use libtest_mimic::Arguments;
use std::process::ExitCode;
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::trials::{lacks_systemd, trials, trials_in, with_systemd};
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
        hooks::QUESTIONS,
        streams::QUESTIONS,
        life::QUESTIONS,
        limits::QUESTIONS,
        sandbox::QUESTIONS,
        exec::QUESTIONS,
        crowds::QUESTIONS,
        faults::QUESTIONS,
        systemd::ELSEWHERE,
    ];
    let mut all = trials(&questions.concat(), Machine::new, None);
    // What has to do with control groups is asked again where systemd makes them.
    let again = [systemd::QUESTIONS, ends::QUESTIONS, life::QUESTIONS, limits::QUESTIONS, exec::QUESTIONS].concat();
    all.extend(trials_in("systemd::", &with_systemd(&again), Machine::with_systemd, lacks_systemd()));
    libtest_mimic::run(&arguments, all).exit_code()
}
