//! `docker build` and `docker run` with what people give them.

use super::with;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;
use std::time::Duration;
use wasmrt_e2e::command::{Running, run};
use wasmrt_e2e::docker::Docker;
use wasmrt_e2e::image::guest;
use wasmrt_e2e::program::{Program, Step, with_busybox};
use wasmrt_e2e::terminal::Terminal;
use wasmrt_e2e::trials::{ALL, Question};
use wasmrt_e2e::{Result, eventually};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "run::build_from_scratch", runtimes: ALL, ask: |machine| with(machine, build_from_scratch) },
    Question { name: "run::exit_code", runtimes: ALL, ask: |machine| with(machine, exit_code) },
    Question { name: "run::missing_program", runtimes: ALL, ask: |machine| with(machine, missing_program) },
    Question { name: "run::environment", runtimes: ALL, ask: |machine| with(machine, environment) },
    Question { name: "run::volumes", runtimes: ALL, ask: |machine| with(machine, volumes) },
    Question { name: "run::named_volume", runtimes: ALL, ask: |machine| with(machine, named_volume) },
    Question { name: "run::read_only", runtimes: ALL, ask: |machine| with(machine, read_only) },
    Question { name: "run::user", runtimes: ALL, ask: |machine| with(machine, user) },
    Question { name: "run::user_of_the_process", runtimes: ALL, ask: |machine| with(machine, user_of_the_process) },
    Question { name: "run::input", runtimes: ALL, ask: |machine| with(machine, input) },
    Question { name: "run::terminal", runtimes: ALL, ask: |machine| with(machine, terminal) },
    Question { name: "run::published_port", runtimes: ALL, ask: |machine| with(machine, published_port) },
    Question { name: "run::no_network", runtimes: ALL, ask: |machine| with(machine, no_network) },
];

fn build_from_scratch(docker: &Docker<'_>) -> Result<()> {
    let machine = docker.machine();
    let context = machine.world.directory().join("context");
    let failed = |error: std::io::Error| format!("{}: {error}", context.display());
    fs::create_dir(&context).map_err(failed)?;
    let (file, program, entry) = if machine.runtime.is_wasm() {
        ("hello.wasm", Program::Hello.module()?, r#"["/hello.wasm"]"#)
    } else {
        ("busybox", fs::read("/bin/busybox").map_err(failed)?, r#"["/busybox", "echo", "hello"]"#)
    };
    fs::write(context.join(file), program).map_err(failed)?;
    fs::set_permissions(context.join(file), fs::Permissions::from_mode(0o755)).map_err(failed)?;
    fs::write(context.join("Dockerfile"), format!("FROM scratch\nCOPY {file} /\nENTRYPOINT {entry}\n"))
        .map_err(failed)?;
    let platform = machine.runtime.platform();
    let context = context.display().to_string();
    docker.run(&["build", "--platform", platform, "--provenance=false", "--tag", "built", &context])?.success()?;
    let handler = machine.runtime.handler();
    docker
        .run(&["run", "--rm", "--runtime", handler, "--platform", platform, "built"])?
        .success()?
        .says("hello\n")
        .map(drop)
}

fn exit_code(docker: &Docker<'_>) -> Result<()> {
    run(docker.container(&["--rm"], &Program::Exit(7))?)?.expect(7).map(drop)
}

/// Docker gives 127 to what is not found, and its own 125 or 126 to other failures to start.
fn missing_program(docker: &Docker<'_>) -> Result<()> {
    let image = docker.image(&[Program::Hello])?;
    let runtime = docker.machine().runtime;
    let args = [
        "run",
        "--rm",
        "--runtime",
        runtime.handler(),
        "--platform",
        runtime.platform(),
        "--pull",
        "never",
        &image,
        "/none.wasm",
    ];
    docker.run(&args)?.expect(127)?.complains("none.wasm").map(drop)
}

fn environment(docker: &Docker<'_>) -> Result<()> {
    let output = run(docker.container(&["--rm", "--env", "COLOUR=deep blue", "--hostname", "box"], &Program::Env)?)?
        .success()?;
    output.says("COLOUR=deep blue\n")?.says("HOSTNAME=box\n").map(drop)
}

fn volumes(docker: &Docker<'_>) -> Result<()> {
    let directory = docker.machine().world.directory().join("shared");
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    fs::create_dir(&directory).map_err(failed)?;
    fs::write(directory.join("note"), "from outside").map_err(failed)?;
    let (writable, fixed) = (format!("{}:/volume", directory.display()), format!("{}:/fixed:ro", directory.display()));
    let steps = vec![
        Step::Read("/volume/note"),
        Step::Write("/volume/made", "inside"),
        Step::Read("/fixed/made"),
        Step::Write("/fixed/no", "no"),
    ];
    let output = run(docker.container(&["--rm", "--volume", &writable, "--volume", &fixed], &Program::Files(steps))?)?;
    let output = output.says("read:/volume/note -> from outside\n")?.says("write:/volume/made:inside -> done\n")?;
    output.says("read:/fixed/made -> inside\n")?.says("write:/fixed/no:no -> failed")?;
    let made = fs::read_to_string(directory.join("made")).map_err(failed)?;
    if made == "inside" { Ok(()) } else { Err(format!("the file outside holds {made:?}")) }
}

fn named_volume(docker: &Docker<'_>) -> Result<()> {
    let image = docker.image(&[Program::Files(Vec::new())])?;
    let flags = ["--rm", "--volume", "kept:/volume"];
    let steps = |step| Program::Files(vec![step]);
    run(docker.container_of(&image, &flags, &steps(Step::Write("/volume/made", "kept"))))?
        .success()?
        .says("-> done\n")?;
    run(docker.container_of(&image, &flags, &steps(Step::Read("/volume/made"))))?.success()?.says("-> kept\n")?;
    docker.run(&["volume", "rm", "kept"])?.success().map(drop)
}

fn read_only(docker: &Docker<'_>) -> Result<()> {
    let steps = vec![Step::Write("/made", "no"), Step::Write("/scratch/made", "yes")];
    let output = run(docker.container(&["--rm", "--read-only", "--tmpfs", "/scratch"], &Program::Files(steps))?)?;
    output.says("write:/made:no -> failed")?.says("write:/scratch/made:yes -> done\n").map(drop)
}

/// What a container makes belongs to its user, and what is not its user's is closed to it.
fn user(docker: &Docker<'_>) -> Result<()> {
    let directory = docker.machine().world.directory().join("open");
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    fs::create_dir(&directory).map_err(failed)?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).map_err(failed)?;
    fs::write(directory.join("secret"), "root's").map_err(failed)?;
    fs::set_permissions(directory.join("secret"), fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let volume = format!("{}:/volume", directory.display());
    let steps = vec![Step::Write("/volume/made", "mine"), Step::Read("/volume/secret"), Step::Write("/made", "no")];
    let output = run(docker.container(&["--rm", "--user", "1234:2345", "--volume", &volume], &Program::Files(steps))?)?;
    output
        .says("write:/volume/made:mine -> done\n")?
        .says("read:/volume/secret -> failed")?
        .says("write:/made:no -> failed")?;
    let made = fs::metadata(directory.join("made")).map_err(failed)?;
    if (made.uid(), made.gid()) == (1234, 2345) {
        Ok(())
    } else {
        Err(format!("it belongs to {}:{}", made.uid(), made.gid()))
    }
}

/// The kernel says who the guest is, and that it may do nothing that others may not.
fn user_of_the_process(docker: &Docker<'_>) -> Result<()> {
    docker.start_container("somebody", &["--user", "1234:2345"], &Program::Wait, "ready")?;
    let pid = docker.inspect("somebody")?["State"]["Pid"].clone();
    let path = docker.machine().world.path(&format!("/proc/{pid}/status"));
    let status = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let expected = ["Uid:\t1234\t1234\t1234\t1234", "Gid:\t2345\t2345\t2345\t2345", "CapEff:\t0000000000000000"];
    if let Some(missing) = expected.iter().find(|line| !status.contains(**line)) {
        return Err(format!("expected {missing:?}: {status}"));
    }
    docker.remove("somebody")
}

fn input(docker: &Docker<'_>) -> Result<()> {
    let command = docker.container(&["--rm", "--interactive"], &Program::Cat)?;
    wasmrt_e2e::command::feed(command, "one\ntwo\n")?.success()?.says("one\ntwo\n").map(drop)
}

fn terminal(docker: &Docker<'_>) -> Result<()> {
    let command = docker.container(&["--rm", "--interactive", "--tty", "--name", "typed"], &Program::Cat)?;
    let mut terminal = Terminal::start(command, 100, 40)?;
    eventually(Duration::from_secs(30), || match docker.inspect("typed")?["State"]["Running"].as_bool() {
        Some(true) => Ok(()),
        _ => Err("it does not run".to_owned()),
    })?;
    terminal.write("typed\n")?;
    terminal.wait_for("typed\ntyped\n")?;
    terminal.write("\x04")?;
    let (code, shown) = terminal.finish()?;
    if code == 0 { Ok(()) } else { Err(format!("exit code {code}; the terminal shows {shown:?}")) }
}

/// The image of a server on port 8080 that answers `/health`, and its arguments.
fn server(docker: &Docker<'_>) -> Result<(String, &'static [&'static str])> {
    let machine = docker.machine();
    let image = machine.unimported(&[])?;
    let (image, argv): (_, &[&str]) = if machine.runtime.is_wasm() {
        (image.with_program("app/server.wasm", guest("rust/http-server")?), &["/app/server.wasm"])
    } else {
        (
            with_busybox(image)?,
            &["/bin/busybox", "sh", "-c", "while :; do echo 'HTTP/1.0 200 OK\r\n\r\nok' | nc -l -p 8080; done"],
        )
    };
    docker.load(&image)?;
    Ok((image.name().to_owned(), argv))
}

fn published_port(docker: &Docker<'_>) -> Result<()> {
    let (image, argv) = server(docker)?;
    let runtime = docker.machine().runtime;
    let mut command = docker.command(&["run", "--detach", "--name", "server", "--runtime", runtime.handler()]);
    command.args(["--platform", runtime.platform(), "--pull", "never", "--publish", "18080:8080"]);
    command.args(["--env", "HOST=0.0.0.0", "--env", "PORT=8080"]).arg(image).args(argv);
    run(command)?.success()?;
    let answered = eventually(Duration::from_secs(20), || {
        let mut curl = docker.machine().world.command("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "5", "http://127.0.0.1:18080/health"]);
        run(curl)?.success()
    });
    let logs = docker.run(&["logs", "server"])?;
    docker.remove("server")?;
    answered.map(drop).map_err(|error| format!("{error}\n{logs}"))
}

fn no_network(docker: &Docker<'_>) -> Result<()> {
    let flags = ["--rm", "--network", "none"];
    let running = Running::start(docker.container(&flags, &Program::Hello)?, Stdio::null())?;
    running.finish()?.success()?.says("hello\n").map(drop)
}
