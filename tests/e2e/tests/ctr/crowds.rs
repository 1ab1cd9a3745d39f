//! Many containers: one after the other, and at once.

use std::time::{Duration, Instant};
use wasmrt_e2e::Result;
use wasmrt_e2e::command::{Running, run};
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::Program;
use wasmrt_e2e::trials::{ALL, Question, WASM};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "crowds::in_a_row", runtimes: WASM, ask: in_a_row },
    Question { name: "crowds::at_once", runtimes: ALL, ask: at_once },
];

fn in_a_row(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Hello])?;
    for number in 0..200 {
        let container = machine.container_of(&format!("row{number}"), &image, &Program::Hello);
        container.run()?.success()?.says("hello\n")?;
        if number % 50 == 0 {
            machine.is_clean()?;
        }
    }
    Ok(())
}

/// Fifty that run at the same time: all of them are there, and all of them end when they are told to.
fn at_once(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Wait])?;
    let ids: Vec<_> = (0..50).map(|number| format!("crowd{number}")).collect();
    let containers: Vec<_> = ids.iter().map(|id| machine.container_of(id, &image, &Program::Wait)).collect();
    let since = Instant::now();
    // Ten clients at a time, or the machine is busy with clients only.
    for group in containers.chunks(10) {
        let starting: Vec<_> = group
            .iter()
            .map(|container| Running::start(container.command(&["--detach"]), std::process::Stdio::null()))
            .collect::<Result<_>>()?;
        for running in starting {
            running.finish()?.success()?;
        }
    }
    let listed = machine.ctr(&["task", "ls"])?.success()?;
    let alive = listed.stdout.lines().filter(|line| line.ends_with("RUNNING")).count();
    if alive != ids.len() {
        return Err(format!("{alive} of {} run after {:?}\n{listed}", ids.len(), since.elapsed()));
    }
    for id in &ids {
        run(wasmrt_e2e::containerd::client(&machine.world, &["task", "kill", "--signal", "SIGKILL", id]))?.success()?;
    }
    for id in &ids {
        wasmrt_e2e::eventually(Duration::from_secs(20), || {
            machine.ctr(&["task", "delete", id])?.success()?.complains("137").map(drop)
        })?;
        machine.ctr(&["container", "delete", id])?.success()?;
    }
    Ok(())
}
