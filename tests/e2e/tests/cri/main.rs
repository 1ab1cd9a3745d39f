//! Pods, as the kubelet runs them.

mod ends;
mod life;
mod network;
mod servers;

use libtest_mimic::Arguments;
use std::process::ExitCode;
use wasmrt_e2e::cri::{Cri, machine, machine_with_systemd};
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::trials::{lacks_cri, lacks_systemd, trials, trials_in};
use wasmrt_e2e::{Result, world};

fn main() -> ExitCode {
    if let Some(code) = world::become_part() {
        return code;
    }
    let arguments = Arguments::from_args();
    let questions = [ends::QUESTIONS, life::QUESTIONS, network::QUESTIONS, servers::QUESTIONS].concat();
    let mut all = trials(&questions, machine, lacks_cri());
    // As Kubernetes has it: systemd makes the control groups of pods.
    let lacking = lacks_cri().or_else(lacks_systemd);
    all.extend(trials_in("systemd::", life::QUESTIONS, machine_with_systemd, lacking));
    libtest_mimic::run(&arguments, all).exit_code()
}

/// Asks something of containerd in the kubelet's place.
fn with(machine: &Machine, ask: impl FnOnce(&Cri<'_>) -> Result<()>) -> Result<()> {
    let cri = Cri::connect(machine)?;
    ask(&cri).and_then(|()| cri.is_clean())
}
