//! Further processes of a container.

use std::process::{Command, Stdio};
use wasmrt_e2e::Result;
use wasmrt_e2e::command::Running;
use wasmrt_e2e::containerd::client;
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::{Program, with_busybox};
use wasmrt_e2e::terminal::Terminal;
use wasmrt_e2e::trials::{ALL, Question, WASM};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "exec::program", runtimes: ALL, ask: exec },
    Question { name: "exec::missing", runtimes: ALL, ask: exec_missing },
    Question { name: "exec::linux", runtimes: WASM, ask: exec_linux },
    Question { name: "exec::killed", runtimes: ALL, ask: killed },
    Question { name: "exec::ends_with_its_container", runtimes: ALL, ask: ends_with_its_container },
    Question { name: "exec::terminal", runtimes: ALL, ask: terminal },
    // The output of what ends at once may be lost under runc.
    Question { name: "exec::at_once", runtimes: WASM, ask: at_once },
];

/// A second program beside the first, with its own streams and exit code; the first one is not touched.
fn exec(machine: &Machine) -> Result<()> {
    let programs = [Program::Wait, Program::Hello, Program::Exit(7), Program::Cat];
    let image = machine.image(&programs)?;
    let running = machine.container_of("host", &image, &Program::Wait).start("ready")?;
    let wasm = machine.runtime.is_wasm();
    let command = |id: &str, program: &Program| {
        let mut command = client(&machine.world, &["task", "exec", "--exec-id", id, "host"]);
        command.args(program.argv(wasm));
        command
    };
    wasmrt_e2e::command::run(command("hello", &Program::Hello))?.success()?.says("hello\n")?;
    wasmrt_e2e::command::run(command("seven", &Program::Exit(7)))?.expect(7)?;
    let mut cat = Running::start(command("cat", &Program::Cat), Stdio::piped())?;
    cat.write("through\n")?;
    // The client forgets an end of its input that comes before the process is there.
    cat.wait_for("through\n")?;
    cat.close_input();
    cat.finish()?.success()?;
    machine.wait_for_state("host", "RUNNING")?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "host"])?.success()?;
    running.finish()?.expect(137).map(drop)
}

fn exec_missing(machine: &Machine) -> Result<()> {
    let running = machine.container("host", &Program::Wait)?.start("ready")?;
    machine.ctr(&["task", "exec", "--exec-id", "none", "host", "/nowhere/none.wasm"])?.refused(&["none.wasm"])?;
    machine.wait_for_state("host", "RUNNING")?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "host"])?.success()?;
    running.finish()?.expect(137).map(drop)
}

/// A Linux program of the root filesystem's, in the container's namespaces and cgroup.
fn exec_linux(machine: &Machine) -> Result<()> {
    let image = machine.image_with(&[Program::Wait], with_busybox)?;
    let running = machine.container_of("host", &image, &Program::Wait).start("ready")?;
    let command = ["task", "exec", "--exec-id", "linux", "host", "/bin/busybox", "sh", "-c", "ls /app; exit 3"];
    machine.ctr(&command)?.expect(3)?.says("wait.wasm\n")?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "host"])?.success()?;
    running.finish()?.expect(137).map(drop)
}

/// A command that runs this beside what the container does.
fn beside(machine: &Machine, id: &str, program: &Program) -> Command {
    let mut command = client(&machine.world, &["task", "exec", "--exec-id", id, "host"]);
    command.args(program.argv(machine.runtime.is_wasm()));
    command
}

/// A container that waits, and can do these things as well.
fn host(machine: &Machine, programs: &[Program]) -> Result<Running> {
    let image = machine.image(&[&[Program::Wait], programs].concat())?;
    machine.container_of("host", &image, &Program::Wait).start("ready")
}

fn end(machine: &Machine, host: Running) -> Result<()> {
    machine.wait_for_state("host", "RUNNING")?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "host"])?.success()?;
    host.finish()?.expect(137).map(drop)
}

fn killed(machine: &Machine) -> Result<()> {
    let host = host(machine, &[Program::Cat])?;
    let mut cat = Running::start(beside(machine, "cat", &Program::Cat), Stdio::piped())?;
    cat.write("there\n")?;
    cat.wait_for("there\n")?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "--exec-id", "cat", "host"])?.success()?;
    cat.finish()?.expect(137)?;
    end(machine, host)
}

fn ends_with_its_container(machine: &Machine) -> Result<()> {
    let host = host(machine, &[Program::Cat])?;
    let mut cat = Running::start(beside(machine, "cat", &Program::Cat), Stdio::piped())?;
    cat.write("there\n")?;
    cat.wait_for("there\n")?;
    end(machine, host)?;
    cat.finish()?.expect(137).map(drop)
}

/// A Linux program knows how large its terminal is.
fn terminal(machine: &Machine) -> Result<()> {
    let image = machine.image_with(&[Program::Wait], with_busybox)?;
    let host = machine.container_of("host", &image, &Program::Wait).start("ready")?;
    let args =
        ["task", "exec", "--tty", "--exec-id", "size", "host", "/bin/busybox", "sh", "-c", "read line; stty size"];
    let mut terminal = Terminal::start(client(&machine.world, &args), 100, 40)?;
    // The client tells the size after the start, so the program waits for a line.
    wasmrt_e2e::eventually(std::time::Duration::from_secs(20), || {
        let listed = machine.ctr(&["task", "ps", "host"])?.success()?;
        if listed.stdout.lines().count() >= 3 { Ok(()) } else { Err(format!("it is not there\n{listed}")) }
    })?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.write("\n")?;
    terminal.wait_for("40 100")?;
    let (code, shown) = terminal.finish()?;
    if code != 0 {
        return Err(format!("exit code {code}; the terminal shows {shown:?}"));
    }
    end(machine, host)
}

fn at_once(machine: &Machine) -> Result<()> {
    let host = host(machine, &[Program::Hello])?;
    let names: Vec<_> = (0..10).map(|number| format!("exec{number}")).collect();
    let started = names.iter().map(|name| Running::start(beside(machine, name, &Program::Hello), Stdio::null()));
    let started: Vec<_> = started.collect::<Result<_>>()?;
    for running in started {
        running.finish()?.success()?.says("hello\n")?;
    }
    end(machine, host)
}
