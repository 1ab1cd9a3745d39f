//! Limits that containers are given: memory, processor time, processes.

use std::process::Stdio;
use std::time::{Duration, Instant};
use wasmrt_e2e::Result;
use wasmrt_e2e::command::Running;
use wasmrt_e2e::containerd::{client, linux};
use wasmrt_e2e::image::Image;
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::{Program, with_busybox};
use wasmrt_e2e::trials::{ALL, Question, WASM};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "limits::memory_grow_fails_first", runtimes: WASM, ask: memory_grow_fails_first },
    Question { name: "limits::memory_annotation", runtimes: WASM, ask: memory_annotation },
    Question { name: "limits::memory_too_small", runtimes: WASM, ask: memory_too_small },
    Question { name: "limits::out_of_memory", runtimes: ALL, ask: out_of_memory },
    Question { name: "limits::processor", runtimes: ALL, ask: processor },
    Question { name: "limits::groups_of_its_own", runtimes: ALL, ask: groups_of_its_own },
    Question { name: "limits::group_of_all", runtimes: WASM, ask: group_of_all },
];

const MIB: u64 = 1 << 20;

/// A guest that asks for too much is told so, and lives. It ends with the number of MiB that it got.
fn memory_grow_fails_first(machine: &Machine) -> Result<()> {
    let limit = (96 * MIB).to_string();
    let output = machine.container("grows", &Program::Grow)?.with(&["--memory-limit", &limit]).run()?;
    // Some of the limit is the engine's own, but most has to be the guest's.
    if (48..96).contains(&output.code) { Ok(()) } else { Err(format!("expected 48 to 95 MiB\n{output}")) }
}

fn memory_annotation(machine: &Machine) -> Result<()> {
    let container = machine.container("grows", &Program::Grow)?;
    // One page is the guest's from the start, so the last MiB does not fit.
    container.with(&["--annotation", "wasmrt.dev/memory=16MiB"]).run()?.expect(15).map(drop)
}

/// A limit below what the engine needs for itself is refused with the least that would do.
fn memory_too_small(machine: &Machine) -> Result<()> {
    let container = machine.container("small", &Program::Hello)?.with(&["--memory-limit", "4194304"]);
    container.run()?.refused(&["memory", "MiB"])?;
    machine.ctr(&["container", "delete", "small"]).map(drop)
}

/// Files in memory count for a container's cgroup, and no engine can say no to them: the kernel ends it, and everybody is told why.
fn out_of_memory(machine: &Machine) -> Result<()> {
    let limit = (96 * MIB).to_string();
    let events = Running::start(client(&machine.world, &["events"]), Stdio::null())?;
    let program = Program::Fill("/volume/file".to_owned(), 200);
    let container = machine.container("hog", &program)?;
    let container =
        container.with(&["--memory-limit", &limit, "--mount", "type=tmpfs,src=tmpfs,dst=/volume,options=rw"]);
    let said = container.run()?.expect(137)?;
    if machine.runtime.is_wasm() {
        said.complains("out of memory")?;
    }
    events.wait_for_within("/tasks/oom", Duration::from_secs(10))
}

/// With half a processor, computing for three seconds takes half of that.
fn processor(machine: &Machine) -> Result<()> {
    let container = machine.container("half", &Program::Spin)?;
    let container = container.with(&["--cpu-quota", "50000", "--cpu-period", "100000"]);
    let running = Running::start(container.command(&["--rm"]), Stdio::null())?;
    machine.wait_for_state("half", "RUNNING")?;
    let (since, before) = (Instant::now(), processor_time(machine, "half")?);
    std::thread::sleep(Duration::from_secs(3));
    let (elapsed, used) = (since.elapsed(), processor_time(machine, "half")?.saturating_sub(before));
    machine.ctr(&["task", "kill", "--signal", "SIGKILL", "half"])?.success()?;
    running.finish()?.expect(137)?;
    let share = used.as_secs_f64() / elapsed.as_secs_f64();
    if (0.1..0.6).contains(&share) { Ok(()) } else { Err(format!("it used {used:?} within {elapsed:?}: {share:.2}")) }
}

fn processor_time(machine: &Machine, id: &str) -> Result<Duration> {
    let shown = machine.ctr(&["task", "metrics", "--format", "json", id])?.success()?;
    let figures: serde_json::Value =
        serde_json::from_str(&shown.stdout).map_err(|error| format!("{error}\n{shown}"))?;
    let used =
        figures["cpu"]["usage"]["total"].as_u64().or(figures["cpu"]["usage_usec"].as_u64().map(|usec| usec * 1000));
    used.map(Duration::from_nanos).ok_or_else(|| format!("no processor time in {figures}"))
}

/// A privileged program divides its control group; what it has made goes with it.
fn groups_of_its_own(machine: &Machine) -> Result<()> {
    let image = with_busybox(Image::new("localhost/linux:latest", linux()))?;
    machine.import(&image)?;
    let container = machine.container_of("divided", image.name(), &Program::Hello).on(linux());
    let mount = "type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=rw";
    // Of version 1 control groups it sees its own alone.
    let script = "cd /sys/fs/cgroup/memory || { read -r own </proc/self/cgroup; cd /sys/fs/cgroup${own#0::}; }; \
                  mkdir -p inner/deep && echo $$ >inner/deep/cgroup.procs; cat /proc/self/cgroup";
    let container = container.with(&["--privileged", "--mount", mount]).doing(&["/bin/busybox", "sh", "-c", script]);
    container.run()?.success()?.says("/inner/deep\n").map(drop)
}

/// A container in the group of all would be removed with everything else that is in it.
fn group_of_all(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Hello])?;
    for group in ["/", "/.."] {
        let container = machine.container_of("everywhere", &image, &Program::Hello);
        container.with(&["--cgroup", group]).run()?.refused(&["control group"])?;
        machine.ctr(&["container", "delete", "everywhere"])?;
    }
    Ok(())
}
