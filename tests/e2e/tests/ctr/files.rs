//! What a container sees: arguments, variables, directories and files.

use std::fs;
use wasmrt_e2e::Result;
use wasmrt_e2e::command::Output;
use wasmrt_e2e::containerd::linux;
use wasmrt_e2e::image::{Content, Image};
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::{Program, Step};
use wasmrt_e2e::trials::{ALL, Question, WASM};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "files::arguments", runtimes: ALL, ask: arguments },
    Question { name: "files::environment", runtimes: ALL, ask: environment },
    Question { name: "files::working_directory", runtimes: ALL, ask: working_directory },
    Question { name: "files::root", runtimes: ALL, ask: root },
    Question { name: "files::root_read_only", runtimes: ALL, ask: root_read_only },
    Question { name: "files::mount", runtimes: ALL, ask: mount },
    Question { name: "files::mount_read_only", runtimes: ALL, ask: mount_read_only },
    Question { name: "files::mount_of_a_file", runtimes: ALL, ask: mount_of_a_file },
    Question { name: "files::outside", runtimes: ALL, ask: outside },
    Question { name: "files::image_defaults", runtimes: ALL, ask: image_defaults },
    Question { name: "files::export", runtimes: WASM, ask: export },
    Question { name: "files::path_search", runtimes: WASM, ask: path_search },
    Question { name: "files::platforms", runtimes: WASM, ask: platforms },
];

fn arguments(machine: &Machine) -> Result<()> {
    let args = ["plain", "two words", "", "'quoted' \"$x\""].map(str::to_owned);
    let output = machine.container("arguments", &Program::Args(args.to_vec()))?.run()?.success()?;
    args.iter()
        .filter(|arg| !arg.is_empty())
        .try_fold(output, |output, arg| output.says(&format!(": {arg}\n")))
        .map(drop)
}

fn environment(machine: &Machine) -> Result<()> {
    let container = machine.container("environment", &Program::Env)?;
    let output = container.with(&["--env", "COLOUR=deep blue", "--env", "EMPTY="]).run()?.success()?;
    let output = output.says("COLOUR=deep blue\n")?.says("EMPTY=\n")?.says("PATH=")?;
    // The daemon's own variables are nobody else's business.
    if output.stdout.contains("TMPDIR") {
        Err(format!("a variable of the daemon's came through\n{output}"))
    } else {
        Ok(())
    }
}

/// The C library of WASI has no working directory: it takes relative names from the root, so only Linux programs are asked for these.
fn working_directory(machine: &Machine) -> Result<()> {
    let relative = !machine.runtime.is_wasm();
    let read = if relative { Step::Read("note") } else { Step::Read("/data/note") };
    let write = if relative { Step::Write("made", "here") } else { Step::Write("/data/made", "here") };
    let program = Program::Files(vec![read, write, Step::Read("/data/made")]);
    let image = machine.image_with(std::slice::from_ref(&program), |image| {
        Ok(image.with("data/note", Content::File(b"in the directory".to_vec(), 0o644)))
    })?;
    let output = machine.container_of("cwd", &image, &program).with(&["--cwd", "/data"]).run()?;
    lines(output, &["note -> in the directory", "made:here -> done", "read:/data/made -> here"])?;
    // A directory that is not there is made, as runc makes it.
    let container = machine.container("missing", &Program::Hello)?.with(&["--cwd", "/new/directory"]);
    container.run()?.success()?.says("hello\n").map(drop)
}

/// Asserts each line; the code says whether all went well, which not every shell does.
fn lines(output: Output, expected: &[&str]) -> Result<()> {
    expected.iter().try_fold(output, |output, line| output.says(&format!("{line}\n"))).map(drop)
}

/// Asserts that this step failed, with whatever error.
fn fails(output: Output, step: &str) -> Result<Output> {
    output.says(&format!("{step} -> failed"))
}

fn root(machine: &Machine) -> Result<()> {
    let program = Program::Files(vec![Step::Write("/made", "text"), Step::Read("/made"), Step::Read("/data/note")]);
    let image = machine.image_with(std::slice::from_ref(&program), |image| {
        Ok(image.with("data/note", Content::File(b"from the image".to_vec(), 0o644)))
    })?;
    let output = machine.container_of("root", &image, &program).run()?.success()?;
    lines(output, &["write:/made:text -> done", "read:/made -> text", "read:/data/note -> from the image"])?;
    // The next container of the image has the image's files again.
    let again = machine.container_of("again", &image, &Program::Files(vec![Step::Read("/made")])).run()?;
    fails(again, "read:/made").map(drop)
}

fn root_read_only(machine: &Machine) -> Result<()> {
    let program = Program::Files(vec![Step::Write("/made", "text"), Step::Read("/etc/note")]);
    let image = machine.image_with(std::slice::from_ref(&program), |image| {
        Ok(image.with("etc/note", Content::File(b"readable".to_vec(), 0o644)))
    })?;
    let output = machine.container_of("read-only", &image, &program).with(&["--read-only"]).run()?;
    fails(output, "write:/made:text")?.says("read:/etc/note -> readable\n").map(drop)
}

/// A directory of the machine's with a file in it, in the world's own directory.
fn shared(machine: &Machine) -> Result<String> {
    let directory = machine.world.directory().join("shared");
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    fs::create_dir_all(&directory).map_err(failed)?;
    fs::write(directory.join("note"), "from outside").map_err(failed)?;
    Ok(directory.display().to_string())
}

fn mount(machine: &Machine) -> Result<()> {
    let directory = shared(machine)?;
    let program = Program::Files(vec![Step::Read("/volume/note"), Step::Write("/volume/made", "inside")]);
    let mount = format!("type=bind,src={directory},dst=/volume,options=rbind:rw");
    let output = machine.container("mount", &program)?.with(&["--mount", &mount]).run()?.success()?;
    lines(output, &["read:/volume/note -> from outside", "write:/volume/made:inside -> done"])?;
    let made = fs::read_to_string(format!("{directory}/made")).map_err(|error| format!("{directory}/made: {error}"))?;
    if made == "inside" { Ok(()) } else { Err(format!("the file outside holds {made:?}")) }
}

fn mount_read_only(machine: &Machine) -> Result<()> {
    let directory = shared(machine)?;
    let steps = vec![Step::Read("/volume/note"), Step::Write("/volume/made", "no"), Step::Write("/volume/note", "no")];
    let mount = format!("type=bind,src={directory},dst=/volume,options=rbind:ro");
    let output = machine.container("mount", &Program::Files(steps))?.with(&["--mount", &mount]).run()?;
    let output = fails(fails(output, "write:/volume/made:no")?, "write:/volume/note:no")?;
    lines(output, &["read:/volume/note -> from outside"])?;
    let note = fs::read_to_string(format!("{directory}/note")).map_err(|error| format!("{directory}/note: {error}"))?;
    if note == "from outside" { Ok(()) } else { Err(format!("the file outside holds {note:?}")) }
}

fn mount_of_a_file(machine: &Machine) -> Result<()> {
    let directory = shared(machine)?;
    let program = Program::Files(vec![Step::Read("/etc/app/settings"), Step::Write("/etc/app/settings", "no")]);
    let mount = format!("type=bind,src={directory}/note,dst=/etc/app/settings,options=rbind:ro");
    let output = machine.container("mount", &program)?.with(&["--mount", &mount]).run()?;
    fails(output, "write:/etc/app/settings:no")?.says("read:/etc/app/settings -> from outside\n").map(drop)
}

/// Files of the machine's are out of reach, by name, by `..` and by links that the image brings along.
fn outside(machine: &Machine) -> Result<()> {
    let directory = shared(machine)?;
    let target = format!("../../../../../../../..{directory}/note");
    let absolute = format!("{directory}/note");
    let program =
        Program::Files(vec![Step::Read("/up"), Step::Read("/absolute"), Step::Read("/../../../../etc/hostname")]);
    let image = machine.image_with(std::slice::from_ref(&program), |image| {
        Ok(image.with("up", Content::Link(target)).with("absolute", Content::Link(absolute)))
    })?;
    let output = machine.container_of("outside", &image, &program).run()?;
    ["read:/up", "read:/absolute", "read:/../../../../etc/hostname"]
        .iter()
        .try_fold(output, |output, step| fails(output, step))
        .map(drop)
}

/// What an image says of itself holds when nobody says otherwise: entry point, arguments, variables.
fn image_defaults(machine: &Machine) -> Result<()> {
    let program = Program::Args(vec!["from the image".to_owned()]);
    let image = machine.image_with(std::slice::from_ref(&program), |image| {
        let argv = program.argv(machine.runtime.is_wasm());
        Ok(image
            .with_config("Entrypoint", serde_json::json!([argv[0]]))
            .with_config("Cmd", serde_json::json!(argv[1..])))
    })?;
    let container = machine.container_of("defaults", &image, &program).doing(&[]);
    container.run()?.success()?.says(": from the image\n").map(drop)
}

/// A function of a module's own can be what runs.
fn export(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Hello])?;
    let named = |name: &str| {
        machine.container_of("export", &image, &Program::Hello).doing(&[&format!("/app/hello.wasm#{name}")])
    };
    named("greet").run()?.success()?.says("hello\n")?;
    let missing = named("nothing").run()?;
    if missing.code == 0 || !missing.stderr.contains("nothing") {
        return Err(format!("expected that it is missing\n{missing}"));
    }
    machine.ctr(&["container", "delete", "export"]).map(drop)
}

fn path_search(machine: &Machine) -> Result<()> {
    let module = Program::Hello.module()?;
    let image = machine.image_with(&[], |image| Ok(image.with_program("opt/tools/greet.wasm", module)))?;
    let container = machine.container_of("search", &image, &Program::Hello).doing(&["greet.wasm"]);
    container.with(&["--env", "PATH=/nowhere:/opt/tools"]).run()?.success()?.says("hello\n").map(drop)
}

/// Images say in several words that they are WebAssembly, or not at all.
fn platforms(machine: &Machine) -> Result<()> {
    for (number, platform) in ["wasi/wasm", "wasip1/wasm", "wasip2/wasm", linux()].iter().enumerate() {
        let image = Image::new(&format!("localhost/platform{number}:latest"), platform);
        let image = Program::Hello.add_to(image, true)?;
        machine.import(&image)?;
        let id = format!("platform{number}");
        let container = machine.container_of(&id, image.name(), &Program::Hello).on(platform);
        container.run()?.success()?.says("hello\n")?;
    }
    Ok(())
}
