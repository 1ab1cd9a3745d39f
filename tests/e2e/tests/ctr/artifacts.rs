//! Modules and components that are OCI artifacts: no root filesystem, the layer is the program.

use wasmrt_e2e::Result;
use wasmrt_e2e::command::Output;
use wasmrt_e2e::image::{Image, guest};
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::Program;
use wasmrt_e2e::trials::{CHOOSING, Question};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "artifacts::module", runtimes: CHOOSING, ask: module },
    Question { name: "artifacts::module_of_the_older_type", runtimes: CHOOSING, ask: module_of_the_older_type },
    Question { name: "artifacts::arguments", runtimes: CHOOSING, ask: arguments },
    Question { name: "artifacts::component", runtimes: CHOOSING, ask: component },
    Question { name: "artifacts::component_of_its_own_type", runtimes: CHOOSING, ask: component_of_its_own_type },
    Question { name: "artifacts::not_wasm", runtimes: CHOOSING, ask: not_wasm },
];

/// Runs an artifact. The first argument is a name that it has no file for.
fn run(machine: &Machine, media_type: &str, platform: &str, module: Vec<u8>, argv: &[&str]) -> Result<Output> {
    let image = Image::new("localhost/artifact:latest", platform);
    machine.import_artifact(&image, media_type, module)?;
    machine.container_of("artifact", image.name(), &Program::Hello).on(platform).doing(argv).run()
}

fn module(machine: &Machine) -> Result<()> {
    let module = Program::Hello.module()?;
    run(machine, "application/wasm", "wasip1/wasm", module, &["hello.wasm"])?.success()?.says("hello\n").map(drop)
}

fn module_of_the_older_type(machine: &Machine) -> Result<()> {
    let media_type = "application/vnd.wasm.content.layer.v1+wasm";
    let module = Program::Hello.module()?;
    run(machine, media_type, "wasi/wasm", module, &["hello.wasm"])?.success()?.says("hello\n").map(drop)
}

fn arguments(machine: &Machine) -> Result<()> {
    let argv = ["print.wasm", "args", "two words"];
    let output = run(machine, "application/wasm", "wasip1/wasm", guest("rust/print")?, &argv)?.success()?;
    output.says("arg 0: print.wasm\n")?.says("arg 2: two words\n").map(drop)
}

/// An engine without components says which one has them.
fn component(machine: &Machine) -> Result<()> {
    let output = run(machine, "application/wasm", "wasip2/wasm", guest("rust/component-hello")?, &["hello.wasm"])?;
    judge(machine, output)
}

fn component_of_its_own_type(machine: &Machine) -> Result<()> {
    let media_type = "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm";
    let output = run(machine, media_type, "wasip2/wasm", guest("rust/component-hello")?, &["hello.wasm"])?;
    judge(machine, output)
}

fn judge(machine: &Machine, output: Output) -> Result<()> {
    if machine.runtime.has_components() {
        return output.success().map(drop);
    }
    output.refused(&["component", "wasmtime"])?;
    machine.ctr(&["container", "delete", "artifact"]).map(drop)
}

fn not_wasm(machine: &Machine) -> Result<()> {
    run(machine, "application/wasm", "wasip1/wasm", b"this is text\n".to_vec(), &["hello.wasm"])?.refused(&["wasm"])?;
    machine.ctr(&["container", "delete", "artifact"]).map(drop)
}
