//! How containers of pods end, and what `kubectl` would say of it.

use super::with;
use std::time::{Duration, Instant};
use wasmrt_e2e::Result;
use wasmrt_e2e::cri::{Cri, container_config, memory_directory, v1};
use wasmrt_e2e::program::Program;
use wasmrt_e2e::trials::{ALL, Question, WASM};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "ends::completed", runtimes: ALL, ask: |machine| with(machine, completed) },
    Question { name: "ends::error", runtimes: ALL, ask: |machine| with(machine, error) },
    Question { name: "ends::trap", runtimes: WASM, ask: |machine| with(machine, trap) },
    Question { name: "ends::timeout", runtimes: WASM, ask: |machine| with(machine, timeout) },
    Question { name: "ends::out_of_memory", runtimes: ALL, ask: |machine| with(machine, out_of_memory) },
    Question { name: "ends::missing_program", runtimes: ALL, ask: |machine| with(machine, missing_program) },
    Question { name: "ends::stopped", runtimes: WASM, ask: |machine| with(machine, stopped) },
];

fn expect(status: &v1::ContainerStatus, code: i32, reason: &str) -> Result<()> {
    if (status.exit_code, status.reason.as_str()) == (code, reason) {
        return Ok(());
    }
    Err(format!("expected {code} and {reason}: {status:?}"))
}

fn completed(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let id = pod.run_container("hello", &Program::Hello)?;
    expect(&pod.ended(&id)?, 0, "Completed")?;
    pod.logged("hello", " stdout F hello\n")?;
    pod.remove_container(&id)?;
    pod.remove()
}

fn error(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let id = pod.run_container("seven", &Program::Exit(7))?;
    expect(&pod.ended(&id)?, 7, "Error")?;
    pod.remove()
}

fn trap(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let id = pod.run_container("trap", &Program::Trap)?;
    expect(&pod.ended(&id)?, 134, "Error")?;
    pod.logged("trap", "unreachable")?;
    pod.logged("trap", " stderr F ")?;
    pod.remove()
}

/// Annotations reach the shim when containerd's configuration names them for its runtime.
fn timeout(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let id = pod.create_with("slow", &Program::Wait, |config| {
        config.annotations.insert("wasmrt.dev/timeout".to_owned(), "1s".to_owned());
    })?;
    pod.start(&id)?;
    expect(&pod.ended(&id)?, 124, "Error")?;
    pod.remove()
}

/// A volume in memory counts for whoever fills it.
fn out_of_memory(cri: &Cri<'_>) -> Result<()> {
    let world = &cri.machine().world;
    let directory = memory_directory(world)?;
    let pod = cri.pod()?;
    let program = Program::Fill("/volume/file".to_owned(), 200);
    let id = pod.create_with("hog", &program, |config| {
        let host_path = directory.display().to_string();
        config.mounts.push(v1::Mount { container_path: "/volume".to_owned(), host_path, ..Default::default() });
        if let Some(resources) = config.linux.as_mut().and_then(|linux| linux.resources.as_mut()) {
            resources.memory_limit_in_bytes = 96 << 20;
        }
    })?;
    pod.start(&id)?;
    expect(&pod.ended(&id)?, 137, "OOMKilled")?;
    pod.remove()?;
    let mut command = world.command("umount");
    command.arg(&directory);
    wasmrt_e2e::command::run(command)?.success().map(drop)
}

/// The kubelet shows the message of a start that failed, so it has to name what is missing.
fn missing_program(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let image = cri.image(&[Program::Hello])?;
    let id = pod.create_from(container_config("missing", &image, vec!["/none.wasm".to_owned()]))?;
    match pod.start(&id) {
        Err(complaint) if complaint.contains("none.wasm") => {}
        other => return Err(format!("expected a complaint of none.wasm, got {other:?}")),
    }
    pod.remove()
}

fn stopped(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let id = pod.run_container("waits", &Program::Wait)?;
    pod.logged("waits", "ready")?;
    let since = Instant::now();
    pod.stop(&id, 30)?;
    let took = since.elapsed();
    expect(&pod.ended(&id)?, 143, "Error")?;
    if took > Duration::from_secs(5) {
        return Err(format!("it took {took:?}"));
    }
    pod.remove()
}
