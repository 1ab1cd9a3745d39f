//! Containers through Docker, as people run them.

mod life;
mod limits;
mod programs;
mod run;

use libtest_mimic::Arguments;
use std::process::ExitCode;
use wasmrt_e2e::docker::Docker;
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::trials::{lacks_docker, lacks_systemd, trials, trials_in, with_systemd};
use wasmrt_e2e::{Result, world};

fn main() -> ExitCode {
    if let Some(code) = world::become_part() {
        return code;
    }
    let arguments = Arguments::from_args();
    let questions = [run::QUESTIONS, life::QUESTIONS, limits::QUESTIONS, programs::QUESTIONS].concat();
    let mut all = trials(&questions, Machine::new, lacks_docker());
    // It has systemd make control groups where that is the first process.
    let lacking = lacks_docker().or_else(lacks_systemd);
    all.extend(trials_in("systemd::", &with_systemd(limits::QUESTIONS), Machine::with_systemd, lacking));
    libtest_mimic::run(&arguments, all).exit_code()
}

/// Asks something of a dockerd, and shows its log with what is wrong.
fn with(machine: &Machine, ask: impl FnOnce(&Docker<'_>) -> Result<()>) -> Result<()> {
    let docker = Docker::start(machine)?;
    let asked = ask(&docker).and_then(|()| docker.is_clean());
    asked.map_err(|complaint| format!("{complaint}\n  dockerd's log:\n{}", docker.log()))
}
