//! Limits as Docker gives, changes and shows them.

use super::with;
use std::time::Duration;
use wasmrt_e2e::command::run;
use wasmrt_e2e::containerd::linux;
use wasmrt_e2e::docker::Docker;
use wasmrt_e2e::image::Image;
use wasmrt_e2e::program::{Program, with_busybox};
use wasmrt_e2e::trials::{ALL, Question, WASM};
use wasmrt_e2e::{Result, eventually};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "limits::memory_grow_fails_first", runtimes: WASM, ask: |machine| with(machine, memory) },
    Question { name: "limits::out_of_memory", runtimes: ALL, ask: |machine| with(machine, out_of_memory) },
    Question { name: "limits::processor", runtimes: ALL, ask: |machine| with(machine, processor) },
    Question { name: "limits::processes", runtimes: ALL, ask: |machine| with(machine, processes) },
    Question { name: "limits::update", runtimes: ALL, ask: |machine| with(machine, update) },
    Question {
        name: "limits::update_keeps_devices",
        runtimes: ALL,
        ask: |machine| with(machine, update_keeps_devices),
    },
    Question { name: "limits::stats", runtimes: ALL, ask: |machine| with(machine, stats) },
];

fn memory(docker: &Docker<'_>) -> Result<()> {
    let output = run(docker.container(&["--rm", "--memory", "96m"], &Program::Grow)?)?;
    if (48..96).contains(&output.code) { Ok(()) } else { Err(format!("expected 48 to 95 MiB\n{output}")) }
}

fn out_of_memory(docker: &Docker<'_>) -> Result<()> {
    let flags = ["--name", "hog", "--memory", "96m", "--tmpfs", "/volume:size=1g"];
    let output = run(docker.container(&flags, &Program::Fill("/volume/file".to_owned(), 200))?)?.expect(137)?;
    let state = docker.inspect("hog")?["State"].clone();
    if state["OOMKilled"] != true {
        return Err(format!("docker says {state}\n{output}"));
    }
    docker.remove("hog")
}

/// The share of a processor that a container uses, as `docker stats` says it.
fn share(docker: &Docker<'_>, name: &str) -> Result<f64> {
    let shown = docker.run(&["stats", "--no-stream", "--format", "{{.CPUPerc}}", name])?.success()?;
    shown.stdout.trim().trim_end_matches('%').parse().map_err(|error| format!("{error}\n{shown}"))
}

fn processor(docker: &Docker<'_>) -> Result<()> {
    run(docker.container(&["--detach", "--name", "half", "--cpus", "0.5"], &Program::Spin)?)?.success()?;
    let shares = [share(docker, "half")?, share(docker, "half")?];
    if !shares.iter().all(|share| (5.0..65.0).contains(share)) {
        return Err(format!("of a processor it used {shares:?} per cent"));
    }
    docker.remove("half")
}

/// A Linux program cannot have more processes than it is given; a guest needs few.
fn processes(docker: &Docker<'_>) -> Result<()> {
    let image = with_busybox(Image::new("localhost/linux:latest", linux()))?;
    docker.load(&image)?;
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all";
    let handler = docker.machine().runtime.handler();
    let args = ["run", "--rm", "--runtime", handler, "--pull", "never", "--pids-limit", "8", image.name()];
    let output = docker.run(&[&args[..], &["/bin/busybox", "sh", "-c", script]].concat())?;
    output.refused(&["fork"])?;
    run(docker.container(&["--rm", "--pids-limit", "8"], &Program::Hello)?)?.success()?.says("hello\n").map(drop)
}

fn update(docker: &Docker<'_>) -> Result<()> {
    docker.start_container("changed", &["--memory", "256m"], &Program::Wait, "ready")?;
    docker.run(&["update", "--memory", "128m", "--memory-swap", "128m", "--cpus", "0.25", "changed"])?.success()?;
    let shown = docker.run(&["stats", "--no-stream", "--format", "{{.MemUsage}}", "changed"])?.success()?;
    shown.says("/ 128MiB")?;
    docker.remove("changed")
}

/// Devices that were given stay given when other limits change.
fn update_keeps_devices(docker: &Docker<'_>) -> Result<()> {
    let image = with_busybox(Image::new("localhost/linux:latest", linux()))?;
    docker.load(&image)?;
    let handler = docker.machine().runtime.handler();
    let flags = ["run", "--detach", "--name", "opens", "--runtime", handler, "--pull", "never", "--memory", "256m"];
    let program = ["--device", "/dev/kmsg", image.name(), "/bin/busybox", "sleep", "1000"];
    docker.run(&[&flags[..], &program].concat())?.success()?;
    let opens = || docker.run(&["exec", "opens", "/bin/busybox", "sh", "-c", ": >>/dev/kmsg"])?.success();
    opens()?;
    docker.run(&["update", "--memory", "128m", "--memory-swap", "128m", "opens"])?.success()?;
    opens()?;
    docker.remove("opens")
}

fn stats(docker: &Docker<'_>) -> Result<()> {
    run(docker.container(&["--detach", "--name", "busy", "--memory", "256m"], &Program::Spin)?)?.success()?;
    eventually(Duration::from_secs(20), || {
        let used = share(docker, "busy")?;
        if used > 10.0 { Ok(()) } else { Err(format!("it computes, and docker shows {used} per cent")) }
    })?;
    let format = "{{.MemUsage}} {{.PIDs}}";
    let shown = docker.run(&["stats", "--no-stream", "--format", format, "busy"])?.success()?.says("/ 256MiB")?;
    let words: Vec<_> = shown.stdout.split_whitespace().collect();
    let processes: u32 = words.last().and_then(|word| word.parse().ok()).unwrap_or_default();
    if words[0].starts_with("0B") || !(1..=32).contains(&processes) {
        return Err(format!("no memory or processes\n{shown}"));
    }
    docker.remove("busy")
}
