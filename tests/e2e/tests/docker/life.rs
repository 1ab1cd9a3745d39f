//! What is done with a Docker container that runs.

use super::with;
use std::time::{Duration, Instant};
use wasmrt_e2e::command::run;
use wasmrt_e2e::docker::Docker;
use wasmrt_e2e::program::{Program, with_busybox};
use wasmrt_e2e::trials::{ALL, Question, WASM};
use wasmrt_e2e::{Result, eventually};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "life::logs", runtimes: ALL, ask: |machine| with(machine, logs) },
    Question { name: "life::trap_in_logs", runtimes: WASM, ask: |machine| with(machine, trap_in_logs) },
    Question { name: "life::stop", runtimes: WASM, ask: |machine| with(machine, stop) },
    Question { name: "life::kill", runtimes: ALL, ask: |machine| with(machine, kill) },
    Question { name: "life::restart", runtimes: ALL, ask: |machine| with(machine, restart) },
    Question { name: "life::exec", runtimes: ALL, ask: |machine| with(machine, exec) },
    Question { name: "life::exec_linux", runtimes: WASM, ask: |machine| with(machine, exec_linux) },
    Question { name: "life::top", runtimes: ALL, ask: |machine| with(machine, top) },
    Question { name: "life::pause", runtimes: ALL, ask: |machine| with(machine, pause) },
];

fn logs(docker: &Docker<'_>) -> Result<()> {
    let image = docker.image(&[Program::Hello])?;
    run(docker.container_of(&image, &["--name", "said"], &Program::Hello))?.success()?.says("hello\n")?;
    docker.run(&["logs", "said"])?.success()?.says("hello\n")?;
    docker.remove("said")
}

/// Why it ended is where people look for it.
fn trap_in_logs(docker: &Docker<'_>) -> Result<()> {
    run(docker.container(&["--name", "trap"], &Program::Trap)?)?.expect(134)?;
    docker.run(&["logs", "trap"])?.success()?.complains("unreachable")?;
    let state = docker.inspect("trap")?["State"].clone();
    if state["ExitCode"] != 134 || state["OOMKilled"] != false {
        return Err(format!("docker says {state}"));
    }
    docker.remove("trap")
}

/// Nobody waits ten seconds for a guest that does not know signals.
fn stop(docker: &Docker<'_>) -> Result<()> {
    docker.start_container("stopped", &[], &Program::Wait, "ready")?;
    let since = Instant::now();
    docker.run(&["stop", "stopped"])?.success()?;
    let (took, state) = (since.elapsed(), docker.inspect("stopped")?["State"].clone());
    if took > Duration::from_secs(5) || state["ExitCode"] != 143 {
        return Err(format!("it took {took:?}: {state}"));
    }
    docker.remove("stopped")
}

fn kill(docker: &Docker<'_>) -> Result<()> {
    docker.start_container("killed", &[], &Program::Wait, "ready")?;
    docker.run(&["kill", "killed"])?.success()?;
    docker.run(&["wait", "killed"])?.success()?.says("137\n")?;
    docker.remove("killed")
}

fn restart(docker: &Docker<'_>) -> Result<()> {
    docker.start_container("again", &[], &Program::Wait, "ready")?;
    docker.run(&["restart", "--time", "1", "again"])?.success()?;
    eventually(Duration::from_secs(20), || docker.run(&["logs", "again"])?.success()?.says("ready\nready\n"))?;
    docker.remove("again")
}

fn exec(docker: &Docker<'_>) -> Result<()> {
    let image = docker.image(&[Program::Wait, Program::Hello, Program::Exit(7), Program::Cat])?;
    run(docker.container_of(&image, &["--detach", "--name", "host"], &Program::Wait))?.success()?;
    let wasm = docker.machine().runtime.is_wasm();
    let command = |flags: &[&str], program: &Program| {
        let mut command = docker.command(&["exec"]);
        command.args(flags).arg("host").args(program.argv(wasm));
        command
    };
    run(command(&[], &Program::Hello))?.success()?.says("hello\n")?;
    run(command(&[], &Program::Exit(7)))?.expect(7)?;
    wasmrt_e2e::command::feed(command(&["--interactive"], &Program::Cat), "through\n")?.success()?.says("through\n")?;
    // The client prints why on either stream, and gives 126 or 127 for it, by the words that the runtime found.
    let missing = docker.run(&["exec", "host", "/none.wasm"])?;
    if !matches!(missing.code, 126 | 127) || !format!("{}{}", missing.stdout, missing.stderr).contains("none.wasm") {
        return Err(format!("expected that it is missing\n{missing}"));
    }
    docker.remove("host")
}

fn exec_linux(docker: &Docker<'_>) -> Result<()> {
    let image = with_busybox(docker.machine().unimported(&[Program::Wait])?)?;
    docker.load(&image)?;
    run(docker.container_of(image.name(), &["--detach", "--name", "host"], &Program::Wait))?.success()?;
    docker.run(&["exec", "host", "/bin/busybox", "ls", "/app"])?.success()?.says("wait.wasm\n")?;
    docker.remove("host")
}

fn top(docker: &Docker<'_>) -> Result<()> {
    docker.start_container("shown", &[], &Program::Wait, "ready")?;
    let shown = docker.run(&["top", "shown"])?.success()?;
    if shown.stdout.lines().count() < 2 {
        return Err(format!("no process is shown\n{shown}"));
    }
    docker.remove("shown")
}

fn pause(docker: &Docker<'_>) -> Result<()> {
    docker.start_container("paused", &[], &Program::Wait, "ready")?;
    docker.run(&["pause", "paused"])?.success()?;
    let status = docker.inspect("paused")?["State"]["Status"].clone();
    docker.run(&["unpause", "paused"])?.success()?;
    let after = docker.inspect("paused")?["State"]["Status"].clone();
    if status != "paused" || after != "running" {
        return Err(format!("it was {status}, then {after}"));
    }
    docker.remove("paused")
}
