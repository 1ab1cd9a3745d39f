//! Containers of pods that run: exec, figures, changes, what they are given.

use super::with;
use rustix::process::Signal;
use std::fs;
use std::time::Duration;
use wasmrt_e2e::cri::{Cri, container_config, v1};
use wasmrt_e2e::program::{Program, Step, with_busybox};
use wasmrt_e2e::trials::{ALL, Question, WASM};
use wasmrt_e2e::{Result, eventually};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "life::exec", runtimes: ALL, ask: |machine| with(machine, exec) },
    Question { name: "life::exec_linux", runtimes: WASM, ask: |machine| with(machine, exec_linux) },
    Question { name: "life::image_without_path", runtimes: ALL, ask: |machine| with(machine, image_without_path) },
    Question { name: "life::shared_processes", runtimes: ALL, ask: |machine| with(machine, shared_processes) },
    Question { name: "life::stats", runtimes: ALL, ask: |machine| with(machine, stats) },
    Question { name: "life::update", runtimes: ALL, ask: |machine| with(machine, update) },
    Question { name: "life::given", runtimes: ALL, ask: |machine| with(machine, given) },
    Question { name: "life::several_containers", runtimes: ALL, ask: |machine| with(machine, several_containers) },
    Question { name: "life::restarted_container", runtimes: ALL, ask: |machine| with(machine, restarted_container) },
    Question { name: "life::containerd_restarts", runtimes: ALL, ask: |machine| with(machine, containerd_restarts) },
];

fn exec(cri: &Cri<'_>) -> Result<()> {
    let wasm = cri.machine().runtime.is_wasm();
    let pod = cri.pod()?;
    let image = cri.image(&[Program::Wait, Program::Hello, Program::Exit(7)])?;
    let id = pod.create_from(container_config("host", &image, Program::Wait.argv(wasm)))?;
    pod.start(&id)?;
    pod.logged("host", "ready")?;
    let hello = pod.exec(&id, &Program::Hello.argv(wasm))?;
    let seven = pod.exec(&id, &Program::Exit(7).argv(wasm))?;
    if (hello.exit_code, hello.stdout.as_slice()) != (0, b"hello\n") || seven.exit_code != 7 {
        return Err(format!("{hello:?}, {seven:?}"));
    }
    pod.remove()
}

fn exec_linux(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let image = with_busybox(cri.machine().unimported_of(wasmrt_e2e::containerd::linux(), &[Program::Wait])?)?;
    cri.import(&image)?;
    let id = eventually(Duration::from_secs(20), || {
        pod.create_from(container_config("host", image.name(), Program::Wait.argv(true)))
    })?;
    pod.start(&id)?;
    pod.logged("host", "ready")?;
    let listed = pod.exec(&id, &["/bin/busybox", "ls", "/app"].map(str::to_owned))?;
    if (listed.exit_code, listed.stdout.as_slice()) != (0, b"wait.wasm\n") {
        return Err(format!("{listed:?}"));
    }
    pod.remove()
}

/// An image that was not built by Docker may have no variables at all, and its Linux programs start by their paths.
fn image_without_path(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let image = with_busybox(cri.machine().unimported_of(wasmrt_e2e::containerd::linux(), &[])?)?;
    cri.import(&image)?;
    let config = container_config("plain", image.name(), Program::Hello.argv(false));
    let id = eventually(Duration::from_secs(20), || pod.create_from(config.clone()))?;
    pod.start(&id)?;
    pod.logged("plain", " stdout F hello\n")?;
    pod.remove()
}

fn stats(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let id = pod.run_container("busy", &Program::Spin)?;
    eventually(Duration::from_secs(30), || {
        let (processor, memory) = pod.stats(&id)?;
        let plausible = (300_000_000..60_000_000_000).contains(&processor) && (64 << 10..512 << 20).contains(&memory);
        if plausible { Ok(()) } else { Err(format!("{processor} ns, {memory} bytes")) }
    })?;
    pod.remove()
}

/// What the kubelet changes in place is the cgroup's, and is told of where it is asked for.
fn update(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let id = pod.create_with("changed", &Program::Wait, |config| {
        if let Some(resources) = config.linux.as_mut().and_then(|linux| linux.resources.as_mut()) {
            resources.memory_limit_in_bytes = 256 << 20;
        }
    })?;
    pod.start(&id)?;
    let changed = v1::LinuxContainerResources {
        memory_limit_in_bytes: 128 << 20,
        cpu_period: 100_000,
        cpu_quota: 25_000,
        ..Default::default()
    };
    pod.update(&id, changed)?;
    let world = &cri.machine().world;
    let scope = format!("/sys/fs/cgroup/kubepods.slice/kubepods-pod0.slice/cri-containerd-{id}.scope");
    let read = |paths: [String; 3]| {
        let found = paths.iter().find_map(|path| fs::read_to_string(world.path(path)).ok());
        found.ok_or_else(|| format!("there is none of {paths:?}"))
    };
    let memory = read([
        format!("/sys/fs/cgroup/memory/kubepods/{id}/memory.limit_in_bytes"),
        format!("/sys/fs/cgroup/kubepods/{id}/memory.max"),
        format!("{scope}/memory.max"),
    ])?;
    let quota = read([
        format!("/sys/fs/cgroup/cpu/kubepods/{id}/cpu.cfs_quota_us"),
        format!("/sys/fs/cgroup/kubepods/{id}/cpu.max"),
        format!("{scope}/cpu.max"),
    ])?;
    if memory.trim() != (128 << 20).to_string() || !quota.starts_with("25000") {
        return Err(format!("memory {memory}, quota {quota}"));
    }
    pod.remove()
}

/// What a pod's manifest says of a container: variables, arguments, directory, mounts, user, root filesystem.
fn given(cri: &Cri<'_>) -> Result<()> {
    let directory = cri.machine().world.directory().join("volume");
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    fs::create_dir(&directory).map_err(failed)?;
    fs::write(directory.join("note"), "from outside").map_err(failed)?;
    let pod = cri.pod()?;
    let env = pod.create_with("env", &Program::Env, |config| {
        config.envs.push(v1::KeyValue { key: "COLOUR".to_owned(), value: "deep blue".to_owned() });
    })?;
    pod.start(&env)?;
    pod.logged("env", " stdout F COLOUR=deep blue\n")?;
    let steps = vec![
        Step::Read("/volume/note"),
        Step::Write("/volume/no", "no"),
        Step::Write("/made", "no"),
        Step::Read("/etc/hostname"),
    ];
    let files = pod.create_with("files", &Program::Files(steps), |config| {
        let host_path = directory.display().to_string();
        config.mounts.push(v1::Mount {
            container_path: "/volume".to_owned(),
            host_path,
            readonly: true,
            ..Default::default()
        });
        config.working_dir = "/volume".to_owned();
        if let Some(context) = config.linux.as_mut().and_then(|linux| linux.security_context.as_mut()) {
            context.readonly_rootfs = true;
            context.run_as_user = Some(v1::Int64Value { value: 1000 });
            context.run_as_group = Some(v1::Int64Value { value: 1000 });
            context.no_new_privs = true;
        }
    })?;
    pod.start(&files)?;
    pod.logged("files", "read:/volume/note -> from outside\n")?;
    pod.logged("files", "write:/volume/no:no -> failed")?;
    pod.logged("files", "write:/made:no -> failed")?;
    pod.logged("files", "read:/etc/hostname -> pod0\n")?;
    pod.remove()
}

/// Several containers of a pod live and end by themselves.
fn several_containers(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let waits = pod.run_container("waits", &Program::Wait)?;
    let busy = pod.run_container("busy", &Program::Spin)?;
    let ends = pod.run_container("ends", &Program::Exit(3))?;
    pod.logged("waits", "ready")?;
    let ended = pod.ended(&ends)?;
    pod.stop(&busy, 0)?;
    let running = i32::from(v1::ContainerState::ContainerRunning);
    if ended.exit_code != 3 || pod.status(&waits)?.state != running {
        return Err(format!("{ended:?}, {:?}", pod.status(&waits)?));
    }
    pod.remove()
}

/// As the kubelet does with a container that ended: a new one, with the next number of attempts.
fn restarted_container(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    for attempt in 0..3 {
        let id = pod.create_with("again", &Program::Exit(7), |config| {
            if let Some(metadata) = config.metadata.as_mut() {
                metadata.attempt = attempt;
            }
        })?;
        pod.start(&id)?;
        let ended = pod.ended(&id)?;
        if ended.exit_code != 7 {
            return Err(format!("attempt {attempt}: {ended:?}"));
        }
        pod.remove_container(&id)?;
    }
    pod.remove()
}

fn containerd_restarts(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let id = pod.run_container("waits", &Program::Wait)?;
    pod.logged("waits", "ready")?;
    let machine = cri.machine();
    machine.containerd.end(&machine.world, Signal::KILL)?;
    machine.containerd.start_again(&machine.world)?;
    cri.wait_until_ready()?;
    let status = eventually(Duration::from_secs(20), || pod.status(&id))?;
    if status.state != i32::from(v1::ContainerState::ContainerRunning) {
        return Err(format!("{status:?}"));
    }
    pod.stop(&id, 0)?;
    pod.remove()
}

/// `shareProcessNamespace`: the containers of a pod are in the process namespace of its first one.
fn shared_processes(cri: &Cri<'_>) -> Result<()> {
    let wasm = cri.machine().runtime.is_wasm();
    let shared = || v1::NamespaceOption { pid: v1::NamespaceMode::Pod.into(), ..v1::NamespaceOption::default() };
    let pod = cri.pod_with(|config| {
        let context = config.linux.as_mut().and_then(|linux| linux.security_context.as_mut());
        context.into_iter().for_each(|context| context.namespace_options = Some(shared()));
    })?;
    let image = cri.image(&[Program::Wait, Program::Exit(7)])?;
    let start = |name: &str, program: &Program| {
        let mut config = container_config(name, &image, program.argv(wasm));
        let context = config.linux.as_mut().and_then(|linux| linux.security_context.as_mut());
        context.into_iter().for_each(|context| context.namespace_options = Some(shared()));
        let id = pod.create_from(config)?;
        pod.start(&id).map(|()| id)
    };
    start("host", &Program::Wait)?;
    pod.logged("host", "ready")?;
    let ended = start("ends", &Program::Exit(7))?;
    let status = pod.ended(&ended)?;
    if status.exit_code != 7 {
        return Err(format!("{status:?}"));
    }
    pod.remove()
}
