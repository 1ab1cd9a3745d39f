//! OCI artifacts: no root filesystem, the layer is the program. They are not run, and say so.

use wasmrt_e2e::Result;
use wasmrt_e2e::image::Image;
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::Program;
use wasmrt_e2e::trials::{CHOOSING, Question};

pub(crate) const QUESTIONS: &[Question] = &[Question { name: "artifacts::refused", runtimes: CHOOSING, ask: refused }];

fn refused(machine: &Machine) -> Result<()> {
    let image = Image::new("localhost/artifact:latest", "wasip1/wasm");
    machine.import_artifact(&image, "application/wasm", Program::Hello.module()?)?;
    let container = machine.container_of("artifact", image.name(), &Program::Hello).on("wasip1/wasm");
    container.doing(&["hello.wasm"]).run()?.refused(&["hello.wasm", "not found"])?;
    machine.ctr(&["container", "delete", "artifact"]).map(drop)
}
