//! Deaths of every process at every step, and disks that are full: nothing stays, and what can go on goes on.

use rustix::process::Signal;
use std::process::Stdio;
use std::time::{Duration, Instant};
use wasmrt_e2e::Result;
use wasmrt_e2e::command::{Running, run};
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::Program;
use wasmrt_e2e::trials::{ALL, Question, WASM};

// runc leaves cgroups behind when it is killed while it creates a container, so it is not asked of these moments.
pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "faults::guest_killed", runtimes: ALL, ask: guest_killed },
    Question { name: "faults::containerd_killed_under_a_container", runtimes: ALL, ask: containerd_killed },
    Question { name: "faults::containerd_ended_under_a_container", runtimes: ALL, ask: containerd_ended },
    Question { name: "faults::guest_ends_without_containerd", runtimes: ALL, ask: guest_ends_without_containerd },
    Question { name: "faults::client_killed", runtimes: ALL, ask: client_killed },
    Question {
        name: "faults::shim_killed_at_its_start",
        runtimes: WASM,
        ask: |machine| at(machine, Step::ShimIsThere, Victim::Shim),
    },
    Question {
        name: "faults::shim_killed_at_create",
        runtimes: WASM,
        ask: |machine| at(machine, Step::CgroupIsThere, Victim::Shim),
    },
    Question {
        name: "faults::shim_killed_while_running",
        runtimes: ALL,
        ask: |machine| at(machine, Step::Running, Victim::Shim),
    },
    Question {
        name: "faults::shim_killed_before_delete",
        runtimes: ALL,
        ask: |machine| at(machine, Step::Stopped, Victim::Shim),
    },
    Question {
        name: "faults::children_killed_at_create",
        runtimes: WASM,
        ask: |machine| at(machine, Step::CgroupIsThere, Victim::Children),
    },
    Question {
        name: "faults::children_killed_while_running",
        runtimes: ALL,
        ask: |machine| at(machine, Step::Running, Victim::Children),
    },
    Question {
        name: "faults::zygote_killed_at_create",
        runtimes: WASM,
        ask: |machine| at(machine, Step::CgroupIsThere, Victim::Zygote),
    },
    Question {
        name: "faults::zygote_killed_while_running",
        runtimes: WASM,
        ask: |machine| at(machine, Step::Running, Victim::Zygote),
    },
    Question {
        name: "faults::zygote_killed_before_delete",
        runtimes: WASM,
        ask: |machine| at(machine, Step::Stopped, Victim::Zygote),
    },
    Question { name: "faults::zygote_killed_in_a_pod", runtimes: WASM, ask: zygote_killed_in_a_pod },
    Question {
        name: "faults::all_killed_while_running",
        runtimes: ALL,
        ask: |machine| at(machine, Step::Running, Victim::All),
    },
    Question {
        name: "faults::containerd_killed_at_the_shims_start",
        runtimes: WASM,
        ask: |machine| at(machine, Step::ShimIsThere, Victim::Containerd),
    },
    Question {
        name: "faults::containerd_killed_at_create",
        runtimes: WASM,
        ask: |machine| at(machine, Step::CgroupIsThere, Victim::Containerd),
    },
    Question {
        name: "faults::containerd_killed_before_delete",
        runtimes: ALL,
        ask: |machine| at(machine, Step::Stopped, Victim::Containerd),
    },
    Question { name: "faults::no_root_filesystem", runtimes: ALL, ask: no_root_filesystem },
    Question { name: "faults::no_space_for_artifacts", runtimes: WASM, ask: no_space_for_artifacts },
    // runc says of some of these only that it did not succeed.
    Question { name: "faults::no_space_for_state", runtimes: WASM, ask: no_space_for_state },
];

/// How often each death is died: few times in every run of the suite, more when somebody asks.
fn rounds() -> u32 {
    std::env::var("WASMRT_E2E_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2)
}

fn guest_killed(machine: &Machine) -> Result<()> {
    let running = machine.container("guest", &Program::Wait)?.start("ready")?;
    machine.world.kill(machine.pid_of("guest")?, Signal::KILL)?;
    running.finish()?.expect(137).map(drop)
}

fn containerd_killed(machine: &Machine) -> Result<()> {
    survives(machine, Signal::KILL)
}

fn containerd_ended(machine: &Machine) -> Result<()> {
    survives(machine, Signal::TERM)
}

/// A container goes on while containerd does not, and is there when it comes back.
fn survives(machine: &Machine, signal: Signal) -> Result<()> {
    machine.container("kept", &Program::Wait)?.detach()?;
    machine.wait_for_state("kept", "RUNNING")?;
    let pid = machine.pid_of("kept")?;
    machine.containerd.end(&machine.world, signal)?;
    machine.containerd.start_again(&machine.world)?;
    machine.wait_for_state("kept", "RUNNING")?;
    if machine.pid_of("kept")? != pid {
        return Err("another process runs now".to_owned());
    }
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "kept"])?.success()?;
    machine.wait_for_state("kept", "STOPPED")?;
    machine.ctr(&["task", "delete", "kept"])?.success()?.complains("137")?;
    machine.ctr(&["container", "delete", "kept"])?.success().map(drop)
}

/// A shim whose container ended while containerd was away is told to go when it is back, which is all that this version does for it.
fn guest_ends_without_containerd(machine: &Machine) -> Result<()> {
    machine.container("ends", &Program::Wait)?.detach()?;
    machine.wait_for_state("ends", "RUNNING")?;
    let pid = machine.pid_of("ends")?;
    machine.containerd.end(&machine.world, Signal::KILL)?;
    machine.world.kill(pid, Signal::KILL)?;
    machine.containerd.start_again(&machine.world)?;
    let listed = machine.ctr(&["task", "ls"])?.success()?;
    if listed.stdout.contains("RUNNING") {
        return Err(format!("it is said to run\n{listed}"));
    }
    machine.remove("ends")
}

/// Containers do not depend on who made them, and their shim has others made.
fn zygote_killed_in_a_pod(machine: &Machine) -> Result<()> {
    let pod = ["--annotation", "io.containerd.runc.v2.group=pod"];
    let image = machine.image(&[Program::Wait, Program::Hello])?;
    machine.container_of("first", &image, &Program::Wait).with(&pod).detach()?;
    // A shim gives up where something ends its zygotes again and again: eight times within ten seconds.
    for round in 0..rounds().min(7) {
        let [zygote] = machine.zygotes()?[..] else { return Err(format!("round {round}: there is not one zygote")) };
        machine.world.kill(zygote, Signal::KILL)?;
        let next = format!("next{round}");
        machine.container_of(&next, &image, &Program::Hello).with(&pod).run()?.success()?.says("hello\n")?;
        let mut exec = wasmrt_e2e::containerd::client(&machine.world, &["task", "exec", "--exec-id", &next, "first"]);
        exec.args(Program::Hello.argv(true));
        run(exec)?.success()?.says("hello\n")?;
        machine.wait_for_state("first", "RUNNING")?;
        if machine.shims()?.len() != 1 || machine.zygotes()? == [zygote] {
            return Err(format!("round {round}: the pod has not one shim with another zygote"));
        }
    }
    machine.remove("first")
}

/// The client's streams end with it; the container can be ended and removed by another client.
fn client_killed(machine: &Machine) -> Result<()> {
    let mut running = machine.container("orphan", &Program::Wait)?.start("ready")?;
    running.kill()?;
    machine.wait_for_state("orphan", "RUNNING")?;
    machine.remove("orphan")
}

/// How far a container has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    ShimIsThere,
    CgroupIsThere,
    Running,
    Stopped,
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// The shim itself.
    Shim,
    /// The process that the shim has containers made by.
    Zygote,
    /// Whatever the shim has started, but itself.
    Children,
    /// The shim and whatever it has started, at once.
    All,
    /// The daemon.
    Containerd,
}

/// Starts a container, kills at a step, removes what containerd still knows of it, and looks for leftovers: in rounds.
fn at(machine: &Machine, step: Step, victim: Victim) -> Result<()> {
    let image = machine.image(&[Program::Wait])?;
    for round in 0..rounds() {
        let id = format!("victim{round}");
        let container = machine.container_of(&id, &image, &Program::Wait);
        let starting = Running::start(container.command(&["--detach"]), Stdio::null())?;
        reach(machine, &id, step)?;
        strike(machine, victim)?;
        // Whether the client was successful depends on how far it had come.
        let said =
            starting.finish_within(Duration::from_secs(30)).map_err(|error| format!("round {round}: {error}"))?;
        if victim == Victim::Containerd {
            machine.containerd.start_again(&machine.world)?;
        }
        forget(machine, &id).map_err(|error| format!("round {round}: {error}\n{said}"))?;
        machine.is_clean().map_err(|error| format!("round {round}: {error}\n{said}"))?;
    }
    Ok(())
}

/// Polls without a pause: steps are short.
fn reach(machine: &Machine, id: &str, step: Step) -> Result<()> {
    match step {
        Step::Running => return machine.wait_for_state(id, "RUNNING"),
        Step::Stopped => {
            machine.wait_for_state(id, "RUNNING")?;
            machine.ctr(&["task", "kill", "--signal", "SIGKILL", id])?.success()?;
            return machine.wait_for_state(id, "STOPPED");
        }
        Step::ShimIsThere | Step::CgroupIsThere => {}
    }
    let cgroup = machine.world.path(&format!("/sys/fs/cgroup/memory/e2e/{id}"));
    let cgroup = if cgroup.parent().is_some_and(|above| above.ends_with("e2e"))
        && machine.world.path("/sys/fs/cgroup/memory").is_dir()
    {
        cgroup
    } else {
        machine.world.path(&format!("/sys/fs/cgroup/e2e/{id}"))
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let reached = match step {
            Step::CgroupIsThere => cgroup.is_dir(),
            _ => !machine.shims()?.is_empty(),
        };
        if reached {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{id} did not come as far as {step:?}"));
        }
    }
}

fn strike(machine: &Machine, victim: Victim) -> Result<()> {
    if victim == Victim::Containerd {
        return machine.containerd.end(&machine.world, Signal::KILL);
    }
    let shims: Vec<u32> = machine.shims()?.iter().map(|shim| shim.pid).collect();
    let children: Vec<u32> = machine.below(&shims)?;
    let targets = match victim {
        Victim::Shim => shims,
        Victim::Zygote => machine.zygotes()?,
        Victim::Children => children,
        _ => [shims, children].concat(),
    };
    for target in targets {
        // It may have ended by itself in the meantime.
        let _ = machine.world.kill(target, Signal::KILL);
    }
    Ok(())
}

/// Removes a container of which containerd may or may not know.
fn forget(machine: &Machine, id: &str) -> Result<()> {
    wasmrt_e2e::eventually(Duration::from_secs(20), || {
        let known = machine.ctr(&["container", "ls", "--quiet"])?.success()?;
        if known.stdout.lines().any(|line| line == id) { machine.remove(id) } else { Ok(()) }
    })
}

fn no_root_filesystem(machine: &Machine) -> Result<()> {
    let mut command =
        wasmrt_e2e::containerd::client(&machine.world, &["run", "--rm", "--runtime", machine.runtime.handler()]);
    let missing = machine.world.directory().join("no-such-directory");
    command.arg("--rootfs").arg(&missing).arg("nowhere").args(Program::Hello.argv(machine.runtime.is_wasm()));
    run(command)?.refused(&["no-such-directory"])?;
    machine.ctr(&["container", "delete", "nowhere"]).map(drop)
}

/// A container that cannot be prepared is refused with the reason; what can run without an artifact runs.
fn no_space_for_artifacts(machine: &Machine) -> Result<()> {
    let mut command = machine.world.command("sh");
    command.args(["-c", "mkdir -p /var/lib/wasmrt && mount -t tmpfs -o size=4k,mode=700 tmpfs /var/lib/wasmrt"]);
    run(command)?.success()?;
    let said = machine.container("full", &Program::Hello)?.run()?;
    let mut command = machine.world.command("umount");
    command.arg("/var/lib/wasmrt");
    run(command)?.success()?;
    if said.code == 0 {
        return said.says("hello\n").map(drop);
    }
    said.complains("No space left on device")?;
    machine.ctr(&["container", "delete", "full"]).map(drop)
}

/// Where containerd and its shims keep their state there is no room, or a little: containers are refused with that reason, leave nothing, and run again as
/// soon as there is room.
fn no_space_for_state(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Hello])?;
    let container = |id: &str| machine.container_of(id, &image, &Program::Hello);
    container("before").run()?.success()?;
    let room = |size: &str| {
        let mut command = machine.world.command("sh");
        let script = format!("used=$(df -k --output=used /run | tail -n 1); mount -o remount,size={size} /run");
        command.args(["-c", &script]);
        run(command)?.success()
    };
    // The mount is listed with its size from here on.
    room("50%")?;
    machine.adopt(&[])?;
    // As much as fits a bundle's configuration, the shim's files, some of the container's.
    for left in [4, 8, 12, 16, 24, 32, 48] {
        let id = format!("left{left}");
        room(&format!("$((used + {left}))k"))?;
        let said = container(&id).run()?;
        room("50%")?;
        if said.code != 0 {
            said.complains("o space left on device").map_err(|error| format!("with {left} KiB left: {error}"))?;
            forget(machine, &id)?;
        }
        machine.is_clean().map_err(|error| format!("with {left} KiB left: {error}"))?;
    }
    container("after").run()?.success().map(drop)
}
