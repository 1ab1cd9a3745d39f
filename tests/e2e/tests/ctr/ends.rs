//! How containers end: exit codes, traps, and what cannot be started at all.

use wasmrt_e2e::Result;
use wasmrt_e2e::command::run;
use wasmrt_e2e::containerd::find_shim;
use wasmrt_e2e::image::Content;
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::Program;
use wasmrt_e2e::trials::{ALL, Question, WASM};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "ends::hello", runtimes: ALL, ask: hello },
    Question { name: "ends::exit_code", runtimes: ALL, ask: exit_code },
    Question { name: "ends::exit_code_large", runtimes: ALL, ask: exit_code_large },
    Question { name: "ends::trap", runtimes: WASM, ask: trap },
    Question { name: "ends::missing_program", runtimes: ALL, ask: missing_program },
    Question { name: "ends::not_wasm", runtimes: WASM, ask: not_wasm },
    Question { name: "ends::broken_wasm", runtimes: WASM, ask: broken_wasm },
    Question { name: "ends::program_is_a_directory", runtimes: ALL, ask: program_is_a_directory },
    Question { name: "ends::program_is_a_pipe", runtimes: WASM, ask: program_is_a_pipe },
    Question { name: "ends::program_links_outside", runtimes: WASM, ask: program_links_outside },
    Question { name: "ends::named_like_a_file", runtimes: ALL, ask: named_like_a_file },
    Question { name: "ends::nothing_named", runtimes: WASM, ask: nothing_named },
    Question { name: "ends::taken_away", runtimes: WASM, ask: taken_away },
    Question { name: "ends::timeout", runtimes: WASM, ask: timeout },
    Question { name: "ends::fuel", runtimes: WASM, ask: fuel },
    Question { name: "ends::unknown_annotation", runtimes: WASM, ask: unknown_annotation },
    Question { name: "ends::bad_annotation", runtimes: WASM, ask: bad_annotation },
];

fn hello(machine: &Machine) -> Result<()> {
    machine.container("hello", &Program::Hello)?.run()?.success()?.says("hello\n").map(drop)
}

fn exit_code(machine: &Machine) -> Result<()> {
    machine.container("seven", &Program::Exit(7))?.run()?.expect(7).map(drop)
}

/// Codes from 126 on mean something else to hosts of WASI, and nothing to containers.
fn exit_code_large(machine: &Machine) -> Result<()> {
    machine.container("large", &Program::Exit(200))?.run()?.expect(200).map(drop)
}

fn trap(machine: &Machine) -> Result<()> {
    machine.container("trap", &Program::Trap)?.run()?.expect(134)?.complains("unreachable").map(drop)
}

fn missing_program(machine: &Machine) -> Result<()> {
    let container = machine.container("missing", &Program::Hello)?.doing(&["/nowhere/program.wasm"]);
    container.run()?.refused(&["program.wasm"]).map(drop)?;
    gone(machine, "missing")
}

/// What was refused is gone, or can be removed: `ctr` keeps the container's record of a start that failed.
fn gone(machine: &Machine, id: &str) -> Result<()> {
    machine.ctr(&["container", "delete", id]).map(drop)
}

/// A container may be called what a file of its bundle is called. What it runs from is the caller's, and stays.
fn named_like_a_file(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Hello])?;
    for id in ["rootfs", "config.json", "work", "address"] {
        machine.container_of(id, &image, &Program::Hello).run()?.success()?.says("hello\n")?;
    }
    let own = machine.world.directory().join("own");
    std::fs::create_dir_all(own.join("bin")).map_err(|error| error.to_string())?;
    std::fs::write(own.join("kept"), "kept").map_err(|error| error.to_string())?;
    let handler = machine.runtime.handler();
    let mut command =
        wasmrt_e2e::containerd::client(&machine.world, &["run", "--rm", "--runtime", handler, "--rootfs"]);
    command.arg(&own).arg("rootfs").args(Program::Hello.argv(machine.runtime.is_wasm()));
    // There is no such program.
    if run(command)?.code == 0 {
        return Err("an empty directory has a program".to_owned());
    }
    gone(machine, "rootfs")?;
    std::fs::read(own.join("kept")).map(drop).map_err(|error| format!("what was the caller's is gone: {error}"))
}

/// Whoever calls the shim by hand, and names no container, loses nothing.
fn nothing_named(machine: &Machine) -> Result<()> {
    let own = machine.world.directory().join("own");
    std::fs::create_dir_all(&own).map_err(|error| error.to_string())?;
    std::fs::write(own.join("kept"), "kept").map_err(|error| error.to_string())?;
    let shim = find_shim()?;
    for id in ["", "-id ''", "-id ..", "-id ../own"] {
        let mut command = machine.world.command("sh");
        command.args(["-c", &format!("cd '{}' && exec '{}' {id} delete", own.display(), shim.display())]);
        run(command)?.refused(&["container"])?;
    }
    std::fs::read(own.join("kept")).map(drop).map_err(|error| format!("what was the caller's is gone: {error}"))
}

/// containerd may ask twice at once for a container to be removed, the second time from within a bundle that it is removing already, under another name;
/// its place may be another container's by then. Nothing comes into either.
fn taken_away(machine: &Machine) -> Result<()> {
    let own = machine.world.directory().join("own");
    let (taken, next) = (own.join(".web"), own.join("web"));
    for bundle in [&taken, &next] {
        std::fs::create_dir_all(bundle).map_err(|error| error.to_string())?;
    }
    let shim = find_shim()?;
    let delete = format!("exec '{}' -id web -bundle '{}' delete", shim.display(), next.display());
    for script in
        [format!("cd '{}' && {delete}", taken.display()), format!("mkdir it && cd it && rmdir ../it && {delete}")]
    {
        let mut command = machine.world.command("sh");
        command.args(["-c", &format!("cd '{}' && {script}", own.display())]);
        run(command)?.success()?;
        for bundle in [&taken, &next] {
            let files: Vec<_> = std::fs::read_dir(bundle).map_err(|error| error.to_string())?.collect();
            if !files.is_empty() {
                return Err(format!("{script}: {} has {files:?}", bundle.display()));
            }
        }
    }
    Ok(())
}

fn not_wasm(machine: &Machine) -> Result<()> {
    let image = machine.image_with(&[], |image| Ok(image.with_program("app/text.wasm", b"this is text\n".to_vec())))?;
    let container = machine.container_of("text", &image, &Program::Hello).doing(&["/app/text.wasm"]);
    container.run()?.refused(&["text.wasm"]).map(drop)?;
    gone(machine, "text")
}

/// A module's head with nonsense behind it is found out when it is read, which may be before or after the start.
fn broken_wasm(machine: &Machine) -> Result<()> {
    let bytes = b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\xff".to_vec();
    let image = machine.image_with(&[], |image| Ok(image.with_program("app/broken.wasm", bytes)))?;
    let output = machine.container_of("broken", &image, &Program::Hello).doing(&["/app/broken.wasm"]).run()?;
    if output.code == 0 || output.stderr.trim().is_empty() {
        return Err(format!("expected a refusal with a reason\n{output}"));
    }
    gone(machine, "broken")
}

fn program_is_a_directory(machine: &Machine) -> Result<()> {
    let image =
        machine.image_with(&[Program::Hello], |image| Ok(image.with("app/directory.wasm", Content::Directory)))?;
    let container = machine.container_of("directory", &image, &Program::Hello).doing(&["/app/directory.wasm"]);
    container.run()?.refused(&["directory.wasm"]).map(drop)?;
    gone(machine, "directory")
}

fn program_is_a_pipe(machine: &Machine) -> Result<()> {
    let image = machine.image_with(&[], |image| Ok(image.with("app/pipe.wasm", Content::Fifo)))?;
    let container = machine.container_of("pipe", &image, &Program::Hello).doing(&["/app/pipe.wasm"]);
    container.run()?.refused(&["pipe.wasm"]).map(drop)?;
    gone(machine, "pipe")
}

/// A link that leads out of the root filesystem leads nowhere, even when there is such a file on the machine.
fn program_links_outside(machine: &Machine) -> Result<()> {
    let outside = machine.world.directory().join("outside.wasm");
    let module = Program::Hello.module()?;
    std::fs::write(&outside, module).map_err(|error| format!("{}: {error}", outside.display()))?;
    let target = format!("../../../../../../../../../..{}", outside.display());
    let image = machine.image_with(&[], |image| {
        let image = image.with("app/out.wasm", Content::Link(target));
        Ok(image.with("app/absolute.wasm", Content::Link(outside.display().to_string())))
    })?;
    for name in ["out", "absolute"] {
        let path = format!("/app/{name}.wasm");
        machine.container_of(name, &image, &Program::Hello).doing(&[&path]).run()?.refused(&[&path]).map(drop)?;
        gone(machine, name)?;
    }
    Ok(())
}

fn timeout(machine: &Machine) -> Result<()> {
    let container = machine.container("timeout", &Program::Wait)?.with(&["--annotation", "wasmrt.dev/timeout=1s"]);
    container.run()?.expect(124)?.says("ready")?.complains("1s").map(drop)
}

fn fuel(machine: &Machine) -> Result<()> {
    let container = machine.container("fuel", &Program::Spin)?.with(&["--annotation", "wasmrt.dev/fuel=100000"]);
    container.run()?.expect(152)?.complains("fuel").map(drop)
}

fn unknown_annotation(machine: &Machine) -> Result<()> {
    let container = machine.container("unknown", &Program::Hello)?.with(&["--annotation", "wasmrt.dev/feul=100000"]);
    container.run()?.refused(&["wasmrt.dev/feul"]).map(drop)?;
    gone(machine, "unknown")
}

fn bad_annotation(machine: &Machine) -> Result<()> {
    let container = machine.container("bad", &Program::Hello)?.with(&["--annotation", "wasmrt.dev/timeout=soon"]);
    container.run()?.refused(&["wasmrt.dev/timeout", "soon"]).map(drop)?;
    gone(machine, "bad")
}
