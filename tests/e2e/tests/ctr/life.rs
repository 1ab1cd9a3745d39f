//! The life of a container: signals, processes, exec, pause, what is reported of it, events.

use std::process::Stdio;
use std::time::{Duration, Instant};
use wasmrt_e2e::Result;
use wasmrt_e2e::command::Running;
use wasmrt_e2e::containerd::{client, linux};
use wasmrt_e2e::image::Image;
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::Program;
use wasmrt_e2e::trials::{ALL, Question, WASM};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "life::listed", runtimes: ALL, ask: listed },
    Question { name: "life::kill", runtimes: ALL, ask: kill },
    Question { name: "life::terminate", runtimes: WASM, ask: terminate },
    Question { name: "life::terminate_while_computing", runtimes: WASM, ask: terminate_while_computing },
    Question { name: "life::pause", runtimes: ALL, ask: pause },
    Question { name: "life::kill_paused", runtimes: ALL, ask: kill_paused },
    Question { name: "life::checkpoint", runtimes: WASM, ask: checkpoint },
    Question { name: "life::delete_running", runtimes: ALL, ask: delete_running },
    Question { name: "life::create_only", runtimes: ALL, ask: create_only },
    Question { name: "life::events", runtimes: ALL, ask: events },
    Question { name: "life::metrics", runtimes: ALL, ask: metrics },
];

fn listed(machine: &Machine) -> Result<()> {
    let running = machine.container("listed", &Program::Wait)?.start("ready")?;
    machine.wait_for_state("listed", "RUNNING")?;
    let pid = machine.pid_of("listed")?;
    if !machine.world.processes()?.iter().any(|process| process.pid == pid) {
        return Err(format!("the task's process {pid} does not exist"));
    }
    let listed = machine.ctr(&["task", "ps", "listed"])?.success()?.says(&pid.to_string())?;
    if listed.stdout.lines().count() < 2 {
        return Err(format!("no process is listed\n{listed}"));
    }
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "listed"])?.success()?;
    running.finish()?.expect(137).map(drop)
}

fn kill(machine: &Machine) -> Result<()> {
    let running = machine.container("killed", &Program::Spin)?.command(&["--rm"]);
    let running = Running::start(running, Stdio::null())?;
    machine.wait_for_state("killed", "RUNNING")?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "killed"])?.success()?;
    running.finish()?.expect(137).map(drop)
}

/// How long an ending may take to come through containerd and its client.
const AT_ONCE: Duration = Duration::from_secs(3);

fn terminate(machine: &Machine) -> Result<()> {
    let running = machine.container("ended", &Program::Wait)?.start("ready")?;
    let since = Instant::now();
    machine.ctr(&["task", "kill", "--signal", "SIGTERM", "ended"])?.success()?;
    running.finish()?.expect(143)?;
    let took = since.elapsed();
    if took < AT_ONCE { Ok(()) } else { Err(format!("it took {took:?}")) }
}

fn terminate_while_computing(machine: &Machine) -> Result<()> {
    let running = Running::start(machine.container("ended", &Program::Spin)?.command(&["--rm"]), Stdio::null())?;
    machine.wait_for_state("ended", "RUNNING")?;
    machine.ctr(&["task", "kill", "--signal", "SIGTERM", "ended"])?.success()?;
    running.finish()?.expect(143).map(drop)
}

fn pause(machine: &Machine) -> Result<()> {
    let mut running = machine.container("paused", &Program::Cat)?.command(&["--rm"]);
    let mut running = Running::start(
        {
            running.env("LC_ALL", "C");
            running
        },
        Stdio::piped(),
    )?;
    running.write("before\n")?;
    running.wait_for("before\n")?;
    machine.ctr(&["task", "pause", "paused"])?.success()?;
    machine.wait_for_state("paused", "PAUSED")?;
    running.write("after\n")?;
    // Nothing can come while it is frozen: half a second is enough for what would come at once.
    std::thread::sleep(Duration::from_millis(500));
    if running.stdout().contains("after") {
        return Err("a paused container answered".to_owned());
    }
    machine.ctr(&["task", "resume", "paused"])?.success()?;
    running.wait_for("after\n")?;
    machine.wait_for_state("paused", "RUNNING")?;
    running.close_input();
    running.finish()?.success().map(drop)
}

/// What is frozen can be killed all the same.
fn kill_paused(machine: &Machine) -> Result<()> {
    let running = machine.container("frozen", &Program::Spin)?.command(&["--rm"]);
    let running = Running::start(running, Stdio::null())?;
    machine.wait_for_state("frozen", "RUNNING")?;
    machine.ctr(&["task", "pause", "frozen"])?.success()?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "frozen"])?.success()?;
    running.finish()?.expect(137).map(drop)
}

fn checkpoint(machine: &Machine) -> Result<()> {
    let running = machine.container("kept", &Program::Wait)?.start("ready")?;
    machine.ctr(&["task", "checkpoint", "kept"])?.refused(&["not implemented"])?;
    machine.wait_for_state("kept", "RUNNING")?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "kept"])?.success()?;
    running.finish()?.expect(137).map(drop)
}

fn delete_running(machine: &Machine) -> Result<()> {
    machine.container("running", &Program::Spin)?.detach()?;
    machine.wait_for_state("running", "RUNNING")?;
    machine.ctr(&["task", "delete", "running"])?.refused(&["running"])?;
    machine.wait_for_state("running", "RUNNING")?;
    machine.ctr(&["task", "delete", "--force", "running"])?;
    machine.ctr(&["container", "delete", "running"])?.success().map(drop)
}

/// A container's record without a task: nothing runs, and it is gone when it is deleted.
fn create_only(machine: &Machine) -> Result<()> {
    // This command knows images of the machine's own platform only.
    let image = Program::Hello.add_to(Image::new("localhost/made:latest", linux()), machine.runtime.is_wasm())?;
    machine.import(&image)?;
    let argv = Program::Hello.argv(machine.runtime.is_wasm());
    let mut args = vec!["container", "create", "--runtime", machine.runtime.handler(), image.name(), "made"];
    args.extend(argv.iter().map(String::as_str));
    machine.ctr(&args)?.success()?;
    machine.ctr(&["task", "start", "made"])?.success()?.says("hello\n")?;
    machine.ctr(&["container", "delete", "made"])?.success().map(drop)
}

/// The topics of a container's life come once each and in order.
fn events(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Exit(7)])?;
    let events = Running::start(client(&machine.world, &["events"]), Stdio::null())?;
    wasmrt_e2e::eventually(Duration::from_secs(20), || {
        // Whatever happens shows that events arrive.
        machine.ctr(&["namespace", "label", "e2e", "seen=yes"])?.success()?;
        events.wait_for_within("/namespaces/update", Duration::from_millis(200))
    })?;
    machine.container_of("told", &image, &Program::Exit(7)).run()?.expect(7)?;
    events.wait_for("/containers/delete")?;
    // Until the shim is gone, it may have something to say.
    eventually_no_shims(machine)?;
    let shown = events.stdout();
    let topics: Vec<_> = shown.lines().filter(|line| line.contains(" /tasks/")).filter_map(topic).collect();
    let expected = ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"];
    if topics != expected {
        return Err(format!("expected {expected:?}, got {topics:?}\n{shown}"));
    }
    let exit = shown.lines().find(|line| line.contains("/tasks/exit")).unwrap_or_default();
    if exit.contains(r#""exit_status":7"#) { Ok(()) } else { Err(format!("no exit status in {exit}")) }
}

fn eventually_no_shims(machine: &Machine) -> Result<()> {
    wasmrt_e2e::eventually(Duration::from_secs(20), || {
        let shims = machine.shims()?;
        if shims.is_empty() { Ok(()) } else { Err(format!("shims stay: {shims:?}")) }
    })
}

fn topic(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| word.starts_with("/tasks/"))
}

/// Figures of a container that computes: processor time, memory and processes, of the right magnitude.
fn metrics(machine: &Machine) -> Result<()> {
    let container = machine.container("measured", &Program::Spin)?.with(&["--memory-limit", "268435456"]);
    let running = Running::start(container.command(&["--rm"]), Stdio::null())?;
    machine.wait_for_state("measured", "RUNNING")?;
    let since = Instant::now();
    let figures = wasmrt_e2e::eventually(Duration::from_secs(20), || {
        let shown = machine.ctr(&["task", "metrics", "--format", "json", "measured"])?.success()?;
        let figures: serde_json::Value =
            serde_json::from_str(&shown.stdout).map_err(|error| format!("{error}\n{shown}"))?;
        let used =
            figures["cpu"]["usage"]["total"].as_u64().or(figures["cpu"]["usage_usec"].as_u64().map(|usec| usec * 1000));
        match used {
            Some(used) if used > 500_000_000 => Ok(figures),
            _ => Err(format!("half a second of processor time is not reported: {figures}")),
        }
    })?;
    let elapsed = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let figure = |path: &str| figures.pointer(path).and_then(serde_json::Value::as_u64);
    let cpu = figure("/cpu/usage/total").or(figure("/cpu/usage_usec").map(|usec| usec * 1000)).unwrap_or_default();
    let memory = figure("/memory/usage/usage").or(figure("/memory/usage")).unwrap_or_default();
    let limit = figure("/memory/usage/limit").or(figure("/memory/usage_limit")).unwrap_or_default();
    let pids = figure("/pids/current").unwrap_or_default();
    // It started a little before it was first seen.
    if cpu > 2 * elapsed + 3_000_000_000 {
        return Err(format!("{cpu} ns of processor time within {elapsed} ns"));
    }
    if !(100 << 10..256 << 20).contains(&memory) || limit != 256 << 20 || !(1..=32).contains(&pids) {
        return Err(format!("memory {memory} of {limit}, {pids} processes: {figures}"));
    }
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "measured"])?.success()?;
    running.finish()?.expect(137).map(drop)
}
