//! Control groups that systemd makes: where they are, what holds in them, and what is left of them.

use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;
use wasmrt_e2e::Result;
use wasmrt_e2e::command::{Running, run};
use wasmrt_e2e::containerd::{client, linux};
use wasmrt_e2e::image::Image;
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::{Program, with_busybox};
use wasmrt_e2e::trials::{ALL, Question, WASM};

/// Asked where systemd makes control groups.
pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "scopes::limits", runtimes: ALL, ask: limits },
    Question { name: "scopes::listed_and_killed", runtimes: ALL, ask: listed_and_killed },
    Question { name: "scopes::same_name_again", runtimes: ALL, ask: same_name_again },
    Question { name: "scopes::devices", runtimes: ALL, ask: devices },
    Question { name: "scopes::without_a_bus", runtimes: ALL, ask: without_a_bus },
    Question { name: "scopes::connections", runtimes: WASM, ask: connections },
    Question { name: "scopes::shim_killed", runtimes: ALL, ask: shim_killed },
    Question { name: "scopes::wrong_names", runtimes: ALL, ask: wrong_names },
];

/// Asked where there is no systemd.
pub(crate) const ELSEWHERE: &[Question] =
    &[Question { name: "limits::systemd_that_is_not_there", runtimes: WASM, ask: not_there }];

const MIB: u64 = 1 << 20;

fn group(machine: &Machine, place: &str) -> PathBuf {
    machine.world.path(&format!("/sys/fs/cgroup/{place}"))
}

fn has(machine: &Machine, place: &str, file: &str, expected: &str) -> Result<()> {
    let path = group(machine, place).join(file);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if text.trim() == expected { Ok(()) } else { Err(format!("{place}/{file} is {text:?} and not {expected:?}")) }
}

/// The processes in a group, as the world numbers them.
fn members(machine: &Machine, place: &str) -> Result<Vec<u32>> {
    let mut command = machine.world.command("cat");
    command.arg(format!("/sys/fs/cgroup/{place}/cgroup.procs"));
    let listed = run(command)?.success()?;
    Ok(listed.stdout.lines().filter_map(|pid| pid.parse().ok()).collect())
}

/// The figures that a unit has, as systemd tells them.
fn shows(machine: &Machine, unit: &str, expected: &[&str]) -> Result<()> {
    let names: Vec<_> = expected.iter().filter_map(|pair| pair.split_once('=')).map(|(name, _)| name).collect();
    let shown = run(machine.world.systemctl(&["show", unit, "--property", &names.join(",")]))?.success()?;
    expected.iter().try_fold(shown, |shown, pair| shown.says(pair)).map(drop)
}

/// The group is below the slices that its slice's name says, systemd and the kernel have the same limits, and they stay when systemd reads all units
/// again.
fn limits(machine: &Machine) -> Result<()> {
    let memory = (128 * MIB).to_string();
    let container = machine.container("limited", &Program::Wait)?;
    let container = container.with(&[
        "--cgroup",
        "one-two.slice:pre:limited",
        "--memory-limit",
        &memory,
        "--cpu-quota",
        "50000",
        "--cpu-period",
        "100000",
        "--cpu-shares",
        "512",
    ]);
    let running = container.start("ready")?;
    let place = "one.slice/one-two.slice/pre-limited.scope";
    let pid = machine.pid_of("limited")?;
    let inside = members(machine, place)?;
    let outside = fs::read_to_string(machine.world.path(&format!("/proc/{pid}/cgroup"))).unwrap_or_default();
    if !inside.contains(&pid) || !outside.trim().ends_with(place) {
        return Err(format!("process {pid} is in {outside:?}, and in {place} are {inside:?}"));
    }
    let kernel = || {
        has(machine, place, "memory.max", &memory)?;
        has(machine, place, "cpu.max", "50000 100000")
    };
    kernel()?;
    let memory = format!("MemoryMax={memory}");
    let told = ["Slice=one-two.slice", "ActiveState=active", "Delegate=yes", &memory, "CPUQuotaPerSecUSec=500ms"];
    shows(machine, "pre-limited.scope", &told)?;
    run(machine.world.systemctl(&["daemon-reload"]))?.success()?;
    kernel()?;
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "limited"])?.success()?;
    running.finish()?.expect(137).map(drop)
}

/// Every process of the container is listed, and killed with it, the ones that were executed in it included.
fn listed_and_killed(machine: &Machine) -> Result<()> {
    let running = machine.container("crowded", &Program::Wait)?.start("ready")?;
    let mut exec = client(&machine.world, &["task", "exec", "--exec-id", "more", "crowded"]);
    exec.args(Program::Wait.argv(machine.runtime.is_wasm()));
    let more = Running::start(exec, std::process::Stdio::null())?;
    more.wait_for("ready")?;
    let there = members(machine, "system.slice/e2e-crowded.scope")?;
    let listed = machine.ctr(&["task", "ps", "crowded"])?.success()?;
    if there.len() < 2 || there.iter().any(|pid| !listed.stdout.contains(&pid.to_string())) {
        return Err(format!("in the group are {there:?}\n{listed}"));
    }
    machine.ctr(&["task", "kill", "--all", "--signal", "SIGKILL", "crowded"])?.success()?;
    more.finish()?.expect(137)?;
    running.finish()?.expect(137).map(drop)
}

/// What is deleted is gone: the next one may have its name at once.
fn same_name_again(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Hello])?;
    for _ in 0..5 {
        machine.container_of("again", &image, &Program::Hello).run()?.success()?.says("hello\n")?;
    }
    Ok(())
}

/// Systemd is told of no devices, and yet a program opens only those that it was given.
fn devices(machine: &Machine) -> Result<()> {
    let image = with_busybox(Image::new("localhost/linux:latest", linux()))?;
    machine.import(&image)?;
    let script = "cd /tmp; /bin/busybox mknod zero c 1 5 && /bin/busybox mknod kmsg c 1 11 || exit 3; \
                  (: <zero) && echo zero; (: <kmsg) && echo kmsg; exit 0";
    let container = machine.container_of("devices", image.name(), &Program::Hello).on(linux());
    let output = container.doing(&["/bin/busybox", "sh", "-c", script]).run()?.success()?.says("zero\n")?;
    if output.stdout.contains("kmsg\n") { Err(format!("a device was opened\n{output}")) } else { Ok(()) }
}

/// Systemd has a socket of its own, for machines that have no bus.
fn without_a_bus(machine: &Machine) -> Result<()> {
    run(machine.world.systemctl(&["stop", "dbus.socket", "dbus.service"]))?.success()?;
    machine.container("alone", &Program::Hello)?.run()?.success()?.says("hello\n").map(drop)
}

/// A shim that has spoken to systemd keeps no connection, and what it has made never had one.
fn connections(machine: &Machine) -> Result<()> {
    let running = machine.container("quiet", &Program::Wait)?.start("ready")?;
    let [shim] = &machine.shims()?[..] else { return Err("there is not one shim".to_owned()) };
    let guest = machine.pid_of("quiet")?;
    if let Some(socket) = open(machine, guest)?.iter().find(|file| file.starts_with("socket:")) {
        return Err(format!("the guest has {socket}"));
    }
    let round = || {
        machine.ctr(&["task", "metrics", "quiet"])?.success()?;
        machine.ctr(&["task", "pause", "quiet"])?.success()?;
        machine.ctr(&["task", "resume", "quiet"])?.success().map(drop)
    };
    round()?;
    let before = open(machine, shim.pid)?.len();
    (0..4).try_for_each(|_| round())?;
    let after = open(machine, shim.pid)?;
    if after.len() > before {
        return Err(format!("the shim had {before} files open, and now has {after:?}"));
    }
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "quiet"])?.success()?;
    running.finish()?.expect(137).map(drop)
}

/// What a process has open.
fn open(machine: &Machine, pid: u32) -> Result<Vec<String>> {
    let directory = machine.world.path(&format!("/proc/{pid}/fd"));
    let entries = fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    Ok(links.map(|link| link.display().to_string()).collect())
}

fn shim_killed(machine: &Machine) -> Result<()> {
    machine.container("orphan", &Program::Wait)?.detach()?;
    machine.wait_for_state("orphan", "RUNNING")?;
    for shim in machine.shims()? {
        machine.world.kill(shim.pid, Signal::KILL)?;
    }
    machine.remove("orphan")
}

/// What systemd would not take is refused by its name.
fn wrong_names(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Hello])?;
    for name in ["system:e2e:wrong", "a--b.slice:e2e:wrong", "a/b.slice:e2e:wrong"] {
        let container = machine.container_of("wrong", &image, &Program::Hello);
        let slice = name.split(':').next().unwrap_or_default();
        container.with(&["--cgroup", name]).run()?.refused(&[slice])?;
        machine.ctr(&["container", "delete", "wrong"])?;
    }
    Ok(())
}

/// A group that is not where it was asked to be would not be held to the limits of its slice.
fn not_there(machine: &Machine) -> Result<()> {
    let container = machine.container("nowhere", &Program::Hello)?;
    let container = container.with(&["--cgroup", "system.slice:e2e:nowhere"]);
    container.run()?.refused(&["systemd", "system.slice:e2e:nowhere"])?;
    machine.ctr(&["container", "delete", "nowhere"]).map(drop)
}
