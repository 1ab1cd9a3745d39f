//! OCI artifacts: no root file system, a layer is the program.

use serde_json::json;
use wasmrt_e2e::Result;
use wasmrt_e2e::containerd::linux;
use wasmrt_e2e::image::{ArtifactLayer, Image, guest, module};
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::Program;
use wasmrt_e2e::trials::{CHOOSING, Question};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "artifacts::module", runtimes: CHOOSING, ask: module_of_each_type },
    Question { name: "artifacts::component", runtimes: CHOOSING, ask: component },
    Question { name: "artifacts::arguments", runtimes: CHOOSING, ask: arguments },
    Question { name: "artifacts::export", runtimes: CHOOSING, ask: export },
    Question { name: "artifacts::several", runtimes: CHOOSING, ask: several },
    Question { name: "artifacts::exec", runtimes: CHOOSING, ask: exec },
    Question { name: "artifacts::files_first", runtimes: CHOOSING, ask: files_first },
    Question { name: "artifacts::damaged", runtimes: CHOOSING, ask: damaged },
    Question { name: "artifacts::gone", runtimes: CHOOSING, ask: gone },
    Question { name: "artifacts::no_webassembly", runtimes: CHOOSING, ask: no_webassembly },
];

const TYPES: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];
const COMPONENT: &str = "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm";

fn layer(bytes: Vec<u8>) -> ArtifactLayer {
    ArtifactLayer { media_type: TYPES[0], title: None, bytes }
}

fn titled(title: &'static str, bytes: Vec<u8>) -> ArtifactLayer {
    ArtifactLayer { title: Some(title), ..layer(bytes) }
}

/// An artifact whose entry point has this name.
fn artifact(machine: &Machine, entry: &str, layers: Vec<ArtifactLayer>) -> Result<Image> {
    let image = Image::new("localhost/artifact:latest", "wasip1/wasm").with_config("Entrypoint", json!([entry]));
    machine.import_artifact(&image, layers)?;
    Ok(image)
}

/// A container of an artifact, with these arguments in place of the entry point.
fn container<'m>(machine: &'m Machine, image: &Image, argv: &[&str]) -> wasmrt_e2e::machine::Container<'m> {
    machine.container_of("artifact", image.name(), &Program::Hello).on("wasip1/wasm").doing(argv)
}

fn refused(machine: &Machine, image: &Image, argv: &[&str], words: &[&str]) -> Result<()> {
    container(machine, image, argv).run()?.refused(words)?;
    machine.ctr(&["container", "delete", "artifact"]).map(drop)
}

fn module_of_each_type(machine: &Machine) -> Result<()> {
    for media_type in TYPES {
        let image =
            artifact(machine, "/hello.wasm", vec![ArtifactLayer { media_type, ..layer(Program::Hello.module()?) }])?;
        container(machine, &image, &[]).run()?.success()?.says("hello\n")?;
    }
    Ok(())
}

/// The engine that has no components names one that has.
fn component(machine: &Machine) -> Result<()> {
    let layer = ArtifactLayer { media_type: COMPONENT, ..layer(guest("rust/component-hello")?) };
    let image = artifact(machine, "component.wasm", vec![layer])?;
    if machine.runtime.has_components() {
        return container(machine, &image, &[]).run()?.success().map(drop);
    }
    refused(machine, &image, &[], &["component", "wasmtime"])
}

/// The program gets the image's arguments and environment, and its volumes are what it finds of files.
fn arguments(machine: &Machine) -> Result<()> {
    let image = artifact(machine, "/app.wasm", vec![layer(guest("rust/print")?)])?;
    let output =
        container(machine, &image, &["app.wasm", "args", "env", "one"]).with(&["--env", "COLOUR=blue"]).run()?;
    output.success()?.says("arg 3: one\n")?.says("COLOUR=blue\n").map(drop)
}

fn export(machine: &Machine) -> Result<()> {
    let image = artifact(machine, "/hello.wasm#greet", vec![layer(Program::Hello.module()?)])?;
    container(machine, &image, &[]).run()?.success()?.says("hello\n")?;
    refused(machine, &image, &["hello.wasm#nope"], &["nope", "greet"])
}

/// One of several is taken by the name that it has, and none by chance.
fn several(machine: &Machine) -> Result<()> {
    let layers = vec![titled("exit.wasm", Program::Exit(7).module()?), titled("hello.wasm", Program::Hello.module()?)];
    let image = artifact(machine, "/hello.wasm", layers)?;
    container(machine, &image, &[]).run()?.success()?.says("hello\n")?;
    container(machine, &image, &["exit.wasm"]).run()?.expect(7)?;
    refused(machine, &image, &["other.wasm"], &["2 WebAssembly layers", "exit.wasm, hello.wasm"])
}

/// Another process can be the container's own program, or one that has a name, and nothing else.
fn exec(machine: &Machine) -> Result<()> {
    let layers = vec![titled("wait.wasm", Program::Wait.module()?), titled("hello.wasm", Program::Hello.module()?)];
    let image = artifact(machine, "/wait.wasm", layers)?;
    container(machine, &image, &[]).detach()?;
    machine.wait_for_state("artifact", "RUNNING")?;
    let exec = |id: &str, program: &str| machine.ctr(&["task", "exec", "--exec-id", id, "artifact", program]);
    exec("one", "/hello.wasm")?.success()?.says("hello\n")?;
    exec("two", "/bin/sh")?.refused(&["/bin/sh", "no such file"])?;
    machine.remove("artifact")
}

/// What a volume brings is what its path says.
fn files_first(machine: &Machine) -> Result<()> {
    let image = artifact(machine, "/app/hello.wasm", vec![layer(Program::Hello.module()?)])?;
    let directory = machine.world.directory().join("programs");
    std::fs::create_dir(&directory).map_err(|error| error.to_string())?;
    std::fs::write(directory.join("exit.wasm"), Program::Exit(9).module()?).map_err(|error| error.to_string())?;
    let mount = format!("type=bind,src={},dst=/programs,options=rbind:ro", directory.display());
    container(machine, &image, &["/programs/exit.wasm"]).with(&["--mount", &mount]).run()?.expect(9).map(drop)
}

/// Whoever can write to containerd's store still does not get another program run.
fn damaged(machine: &Machine) -> Result<()> {
    let bytes = Program::Hello.module()?;
    let image = artifact(machine, "/hello.wasm", vec![layer(bytes.clone())])?;
    let blobs = machine.world.directory().join("containerd/io.containerd.content.v1.content/blobs/sha256");
    let listed = std::fs::read_dir(&blobs).map_err(|error| format!("{}: {error}", blobs.display()))?;
    let blob =
        listed.flatten().map(|entry| entry.path()).find(|path| std::fs::read(path).is_ok_and(|found| found == bytes));
    let blob = blob.ok_or("the layer is not in the store")?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&blob, permissions).map_err(|error| error.to_string())?;
    let other = module(r#"(module (func (export "_start") nop nop nop))"#)?;
    std::fs::write(&blob, other).map_err(|error| error.to_string())?;
    refused(machine, &image, &[], &["damaged"])
}

/// A container whose image was removed meanwhile says what it misses.
fn gone(machine: &Machine) -> Result<()> {
    let image = Image::new("localhost/artifact:latest", linux()).with_config("Entrypoint", json!(["/hello.wasm"]));
    machine.import_artifact(&image, vec![layer(Program::Hello.module()?)])?;
    let create = ["container", "create", "--runtime", machine.runtime.handler(), image.name(), "artifact"];
    machine.ctr(&create)?.success()?;
    machine.ctr(&["image", "remove", "--sync", image.name()])?.success()?;
    machine.ctr(&["task", "start", "artifact"])?.refused(&["hello.wasm", "no such file"])?;
    machine.ctr(&["container", "delete", "artifact"])?.success().map(drop)
}

fn no_webassembly(machine: &Machine) -> Result<()> {
    let image = artifact(machine, "/hello.wasm", vec![layer(b"#!/bin/sh\necho hello\n".to_vec())])?;
    refused(machine, &image, &[], &["hello.wasm", "not WebAssembly"])
}
