//! Where programs of containers are: below volumes, behind an init, in images without files; and what they are not given.

use super::with;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use wasmrt_e2e::command::run;
use wasmrt_e2e::containerd::SOCKET;
use wasmrt_e2e::docker::Docker;
use wasmrt_e2e::image::{ArtifactLayer, Image, guest};
use wasmrt_e2e::program::Program;
use wasmrt_e2e::trials::{ALL, Question, WASM};
use wasmrt_e2e::{Result, eventually};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "programs::in_a_volume", runtimes: ALL, ask: |machine| with(machine, in_a_volume) },
    Question { name: "programs::behind_an_init", runtimes: ALL, ask: |machine| with(machine, behind_an_init) },
    Question { name: "programs::listed", runtimes: WASM, ask: |machine| with(machine, listed) },
    Question { name: "programs::artifact", runtimes: WASM, ask: |machine| with(machine, artifact) },
    Question { name: "programs::server", runtimes: WASM, ask: |machine| with(machine, server) },
    Question { name: "programs::one_process", runtimes: WASM, ask: |machine| with(machine, one_process) },
    Question { name: "programs::few_descriptors", runtimes: WASM, ask: |machine| with(machine, few_descriptors) },
    Question { name: "programs::protected_score", runtimes: WASM, ask: |machine| with(machine, protected_score) },
    Question { name: "programs::processor_time", runtimes: ALL, ask: |machine| with(machine, processor_time) },
];

/// `docker run` with these flags.
fn docker_run(docker: &Docker<'_>, flags: &[&str], image: &str, argv: &[&str]) -> Result<wasmrt_e2e::command::Output> {
    let runtime = docker.machine().runtime;
    let mut command = docker.command(&["run", "--runtime", runtime.handler(), "--platform", runtime.platform()]);
    command.args(["--pull", "never"]).args(flags).arg(image).args(argv);
    run(command)
}

/// The program is where the image has no directory, and comes with the volume that is mounted there.
fn in_a_volume(docker: &Docker<'_>) -> Result<()> {
    let machine = docker.machine();
    let image = docker.image(&[Program::Exit(1)])?;
    let directory = machine.world.directory().join("brought");
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    fs::create_dir(&directory).map_err(failed)?;
    let bytes =
        if machine.runtime.is_wasm() { Program::Hello.module()? } else { fs::read("/bin/busybox").map_err(failed)? };
    fs::write(directory.join("brought"), bytes).map_err(failed)?;
    fs::set_permissions(directory.join("brought"), fs::Permissions::from_mode(0o755)).map_err(failed)?;
    let args: &[&str] = if machine.runtime.is_wasm() { &[] } else { &["echo", "hello"] };
    let whole = format!("{}:/new/place", directory.display());
    let flags = ["--rm", "--volume", &whole, "--entrypoint", "/new/place/brought"];
    if machine.runtime.is_wasm() {
        docker_run(docker, &flags, &image, args)?.success()?.says("hello\n")?;
    }
    let name = if machine.runtime.is_wasm() { "/new/app.wasm" } else { "/new/busybox" };
    let file = format!("{}/brought:{name}", directory.display());
    let flags = ["--rm", "--volume", &file, "--entrypoint", name];
    docker_run(docker, &flags, &image, args)?.success()?.says("hello\n").map(drop)
}

fn behind_an_init(docker: &Docker<'_>) -> Result<()> {
    run(docker.container(&["--rm", "--init"], &Program::Exit(7))?)?.expect(7)?;
    docker.start_container("waits", &["--init"], &Program::Wait, "ready")?;
    docker.run(&["stop", "--time", "20", "waits"])?.success()?;
    let code = docker.inspect("waits")?["State"]["ExitCode"].as_i64();
    docker.remove("waits")?;
    if code == Some(143) { Ok(()) } else { Err(format!("expected 143: {code:?}")) }
}

/// Lists of processes show the guest, and not who made its process.
fn listed(docker: &Docker<'_>) -> Result<()> {
    let program = Program::Wait;
    docker.start_container("listed", &[], &program, "ready")?;
    let top = docker.run(&["top", "listed", "-eo", "pid,args"])?.success()?;
    let lines: Vec<&str> = top.stdout.lines().skip(1).collect();
    let as_asked = lines.iter().all(|line| line.split_whitespace().skip(1).eq(program.argv(true)));
    docker.remove("listed")?;
    if as_asked && !lines.is_empty() { Ok(()) } else { Err(format!("expected {:?}\n{top}", program.argv(true))) }
}

/// An image whose layer is the program, with the type of configuration that Docker knows. It runs where Docker tells containerd which image a
/// container is of, as later ones than 26 do; elsewhere nobody can know the program.
fn artifact(docker: &Docker<'_>) -> Result<()> {
    let machine = docker.machine();
    let image = Image::new("localhost/artifact:latest", machine.runtime.platform())
        .with_config("Entrypoint", serde_json::json!(["/app.wasm"]));
    let layer = ArtifactLayer { media_type: "application/wasm", title: None, bytes: guest("rust/print")? };
    docker.load_artifact(&image, vec![layer])?;
    let flags = ["--rm", "--env", "COLOUR=blue"];
    let output = docker_run(docker, &flags, image.name(), &["args", "env", "one"])?;
    if !tells_images(docker)? {
        return output.expect(127)?.refused(&["/app.wasm", "no such file"]).map(drop);
    }
    output.success()?.says("arg 0: /app.wasm\n")?.says("arg 3: one\n")?.says("COLOUR=blue\n").map(drop)
}

/// Whether containerd hears of a container's image.
fn tells_images(docker: &Docker<'_>) -> Result<bool> {
    docker.start_container("asked", &[], &Program::Wait, "ready")?;
    let id = docker.inspect("asked")?["Id"].as_str().unwrap_or_default().to_owned();
    let mut ctr = docker.machine().world.command("ctr");
    ctr.args(["--address", SOCKET, "--namespace", "moby", "container", "info", &id]);
    let info = run(ctr)?.success()?;
    docker.remove("asked")?;
    let known: serde_json::Value = serde_json::from_str(&info.stdout).map_err(|error| format!("{error}\n{info}"))?;
    Ok(known["Image"].as_str().is_some_and(|image| !image.is_empty()))
}

fn server(docker: &Docker<'_>) -> Result<()> {
    let machine = docker.machine();
    let image = machine.unimported(&[])?.with_program("app/server.wasm", guest("rust/component-http")?);
    docker.load(&image)?;
    let flags = ["--detach", "--name", "server", "--publish", "18080:80", "--env", "PORT=80"];
    let started = docker_run(docker, &flags, image.name(), &["/app/server.wasm"])?;
    if !machine.runtime.has_components() {
        started.refused(&["component", "wasmtime"])?;
        return docker.remove("server");
    }
    started.success()?;
    let answered = eventually(Duration::from_secs(20), || {
        let mut curl = machine.world.command("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "5", "http://127.0.0.1:18080/health"]);
        run(curl)?.success()
    });
    let logs = docker.run(&["logs", "server"])?;
    answered.map_err(|error| format!("{error}\n{logs}"))?;
    logs.complains("wasmrt: listening on http://[::]:80\n")?;
    docker.run(&["logs", "server"])?.complains("/health")?;
    docker.run(&["stop", "--time", "20", "server"])?.success()?;
    let code = docker.inspect("server")?["State"]["ExitCode"].as_i64();
    docker.remove("server")?;
    if code == Some(0) { Ok(()) } else { Err(format!("expected 0: {code:?}")) }
}

fn one_process(docker: &Docker<'_>) -> Result<()> {
    let image = docker.image(&[Program::Hello])?;
    let argv = Program::Hello.argv(true);
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    docker_run(docker, &["--rm", "--pids-limit", "1"], &image, &argv)?.refused(&["1 process", "pids limit"])?;
    docker_run(docker, &["--rm", "--pids-limit", "2"], &image, &argv)?.success()?.says("hello\n").map(drop)
}

fn few_descriptors(docker: &Docker<'_>) -> Result<()> {
    let image = docker.image(&[Program::Hello])?;
    let argv = Program::Hello.argv(true);
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    docker_run(docker, &["--rm", "--ulimit", "nofile=3"], &image, &argv)?.refused(&["3 open files", "nofile"])?;
    docker_run(docker, &["--rm", "--ulimit", "nofile=24"], &image, &argv)?.success()?.says("hello\n").map(drop)
}

/// A guest that has used up its processor time has run into a limit; a Linux program is killed by the kernel.
fn processor_time(docker: &Docker<'_>) -> Result<()> {
    let code = if docker.machine().runtime.is_wasm() { 152 } else { 137 };
    run(docker.container(&["--rm", "--ulimit", "cpu=1"], &Program::Spin)?)?.expect(code).map(drop)
}

/// Who may not protect a process from the kernel is told what that takes.
fn protected_score(docker: &Docker<'_>) -> Result<()> {
    const SYS_RESOURCE: u64 = 1 << 24;
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default().trim();
    let capabilities = u64::from_str_radix(capabilities, 16).map_err(|error| format!("{error}: {capabilities}"))?;
    let output = run(docker.container(&["--rm", "--oom-score-adj", "-900"], &Program::Hello)?)?;
    if capabilities & SYS_RESOURCE == 0 {
        return output.refused(&["oom_score_adj to -900", "CAP_SYS_RESOURCE"]).map(drop);
    }
    output.success()?.says("hello\n").map(drop)
}
