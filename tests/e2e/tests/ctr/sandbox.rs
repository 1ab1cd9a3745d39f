//! What keeps a container in: its user, privileges, namespaces, and what it does not see.

use std::fs;
use std::process::Stdio;
use wasmrt_e2e::Result;
use wasmrt_e2e::command::{Running, run};
use wasmrt_e2e::image::guest;
use wasmrt_e2e::machine::{Machine, write_settings};
use wasmrt_e2e::program::{Program, Step};
use wasmrt_e2e::trials::{ALL, Question, WASM};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "sandbox::user", runtimes: ALL, ask: user },
    Question { name: "sandbox::privileges", runtimes: WASM, ask: privileges },
    Question { name: "sandbox::namespaces", runtimes: ALL, ask: namespaces },
    Question { name: "sandbox::processes_of_another", runtimes: ALL, ask: processes_of_another },
    Question { name: "sandbox::kernel_files", runtimes: WASM, ask: kernel_files },
    Question { name: "sandbox::own_network", runtimes: WASM, ask: own_network },
    Question { name: "sandbox::host_network", runtimes: WASM, ask: host_network },
    Question { name: "sandbox::denied_network", runtimes: WASM, ask: denied_network },
];

/// Runs a container that waits, and looks at its process.
fn look(machine: &Machine, flags: &[&str], at: impl FnOnce(u32) -> Result<()>) -> Result<()> {
    let running = machine.container("seen", &Program::Wait)?.with(flags).start("ready")?;
    at(machine.pid_of("seen")?)?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "seen"])?.success()?;
    running.finish()?.expect(137).map(drop)
}

fn expect_status(machine: &Machine, pid: u32, expected: &[&str]) -> Result<()> {
    let path = machine.world.path(&format!("/proc/{pid}/status"));
    let status = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    match expected.iter().find(|line| !status.contains(**line)) {
        Some(missing) => Err(format!("expected {missing:?}:\n{status}")),
        None => Ok(()),
    }
}

fn user(machine: &Machine) -> Result<()> {
    let expected = ["Uid:\t1234\t1234\t1234\t1234", "Gid:\t2345\t2345\t2345\t2345", "CapEff:\t0000000000000000"];
    look(machine, &["--user", "1234:2345"], |pid| expect_status(machine, pid, &expected))
}

/// Root of a container may open what root may open, and nothing else; what a guest needs no more is filtered away.
fn privileges(machine: &Machine) -> Result<()> {
    let expected = ["NoNewPrivs:\t1", "Seccomp:\t2", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000"];
    look(machine, &[], |pid| {
        expect_status(machine, pid, &expected)?;
        let path = machine.world.path(&format!("/proc/{pid}/status"));
        let status = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:\t"));
        let effective =
            effective.and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or("no capabilities are shown")?;
        // Reading and changing files of others: CAP_CHOWN to CAP_FSETID, by their bits.
        if effective & !0b1_1111 == 0 { Ok(()) } else { Err(format!("capabilities {effective:#x}")) }
    })
}

fn namespaces(machine: &Machine) -> Result<()> {
    look(machine, &[], |pid| {
        for kind in ["pid", "mnt", "net", "uts", "ipc"] {
            let of = |pid: u32| {
                let path = machine.world.path(&format!("/proc/{pid}/ns/{kind}"));
                fs::read_link(&path).map_err(|error| format!("{}: {error}", path.display()))
            };
            if of(pid)? == of(1)? {
                return Err(format!("its {kind} namespace is the machine's"));
            }
        }
        Ok(())
    })
}

/// `/proc`, `/sys` and `/dev` tell of the machine and of other processes.
fn kernel_files(machine: &Machine) -> Result<()> {
    let paths = [
        "/proc/1/environ",
        "/proc/self/status",
        "/proc/cpuinfo",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/dev/zero",
    ];
    let steps = paths.map(Step::Read).to_vec();
    let output = machine.container("curious", &Program::Files(steps))?.run()?;
    paths.iter().try_fold(output, |output, path| output.says(&format!("read:{path} -> failed"))).map(drop)
}

/// A server that says when it listens, and ends with 1 when it may not.
fn serve(machine: &Machine, flags: &[&str]) -> Result<Running> {
    let image = machine.unimported(&[])?.with_program("app/server.wasm", guest("rust/http-server")?);
    machine.import(&image)?;
    let container =
        machine.container_of("server", image.name(), &Program::Hello).doing(&["/app/server.wasm"]).with(flags);
    let container = container.with(&["--env", "HOST=127.0.0.1", "--env", "PORT=8080"]);
    Running::start(container.command(&["--rm"]), Stdio::null())
}

/// A network of its own is its own: it may do there what it likes.
fn own_network(machine: &Machine) -> Result<()> {
    let running = serve(machine, &[])?;
    running.wait_for("listening on ")?;
    machine.ctr(&["task", "kill", "--signal", "SIGTERM", "server"])?.success()?;
    running.finish()?.expect(143).map(drop)
}

/// The machine's network is not a container's, unless it says so and the machine's owner does not forbid it.
fn host_network(machine: &Machine) -> Result<()> {
    serve(machine, &["--net-host"])?.finish()?.expect(1)?;
    let asked = ["--net-host", "--annotation", "wasmrt.dev/network.allow=listen=127.0.0.1:8080"];
    let running = serve(machine, &asked)?;
    running.wait_for("listening on ")?;
    let mut curl = machine.world.command("curl");
    curl.args(["--silent", "--show-error", "--fail", "--max-time", "5", "http://127.0.0.1:8080/health"]);
    run(curl)?.success()?;
    machine.ctr(&["task", "kill", "--signal", "SIGTERM", "server"])?.success()?;
    running.finish()?.expect(143)?;
    write_settings(machine, "[ceiling]\nnetwork = false\n")?;
    serve(machine, &asked)?.finish()?.refused(&["network"])?;
    machine.ctr(&["container", "delete", "server"]).map(drop)
}

/// What was refused is told at the end, and what is told there holds.
fn denied_network(machine: &Machine) -> Result<()> {
    let denied = ["--annotation", "wasmrt.dev/network.deny=all"];
    let output = serve(machine, &denied)?.finish()?.expect(1)?;
    let allowed = "wasmrt.dev/network.listen=127.0.0.1:8080";
    output.complains("wasmrt: refused while it ran: ")?.complains(&format!("annotation {allowed} would"))?;
    let running = serve(machine, &[&denied[..], &["--annotation", allowed]].concat())?;
    running.wait_for("listening on ")?;
    machine.ctr(&["task", "kill", "--signal", "SIGTERM", "server"])?.success()?;
    running.finish()?.expect(143).map(drop)
}

/// A container can be one of those that see each other's processes, as those of a pod that shares them.
fn processes_of_another(machine: &Machine) -> Result<()> {
    let first = machine.container("first", &Program::Wait)?.start("ready")?;
    let shared = format!("pid:/proc/{}/ns/pid", machine.pid_of("first")?);
    let image = machine.image(&[Program::Hello])?;
    let second = machine.container_of("second", &image, &Program::Hello).with(&["--with-ns", &shared]);
    second.run()?.expect(0)?.says("hello").map(drop)?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "first"])?.success()?;
    first.finish()?.expect(137).map(drop)
}
