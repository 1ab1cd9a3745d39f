//! Which engine runs a container, and what is told of the shim.

use std::time::Duration;
use wasmrt_e2e::command::run;
use wasmrt_e2e::containerd::{Runtime, find_shim, linux};
use wasmrt_e2e::image::{Image, guest};
use wasmrt_e2e::machine::{Machine, write_settings};
use wasmrt_e2e::program::{Program, with_busybox};
use wasmrt_e2e::trials::{CHOOSING, Question, WASM};
use wasmrt_e2e::{Result, eventually};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "engines::hello", runtimes: CHOOSING, ask: hello },
    Question { name: "engines::twice", runtimes: CHOOSING, ask: twice },
    Question { name: "engines::annotation", runtimes: CHOOSING, ask: annotation },
    Question { name: "engines::unknown", runtimes: CHOOSING, ask: unknown },
    Question { name: "engines::hints", runtimes: WASM, ask: hints },
    Question { name: "engines::component", runtimes: CHOOSING, ask: component },
    Question { name: "engines::linux_program", runtimes: CHOOSING, ask: linux_program },
    Question { name: "engines::must_be_wasm", runtimes: CHOOSING, ask: must_be_wasm },
    Question { name: "engines::settings", runtimes: CHOOSING, ask: settings },
    Question { name: "engines::wrong_settings", runtimes: CHOOSING, ask: wrong_settings },
    Question { name: "engines::version", runtimes: CHOOSING, ask: version },
    Question { name: "engines::compiled_beside", runtimes: INTERPRETING, ask: compiled_beside },
    Question { name: "engines::compiled_after", runtimes: INTERPRETING, ask: compiled_after },
    Question { name: "engines::compiled_first", runtimes: &[Runtime::Wasmtime], ask: compiled_first },
];

fn hello(machine: &Machine) -> Result<()> {
    machine.container("hello", &Program::Hello)?.run()?.success()?.says("hello\n").map(drop)
}

/// What the first container found out is of use to the second one, in another shim, and under other limits.
fn twice(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Hello])?;
    for flags in
        [&[][..], &[], &["--annotation", "wasmrt.dev/memory=4MiB"], &["--annotation", "wasmrt.dev/fuel=1000000"]]
    {
        let container = machine.container_of("hello", &image, &Program::Hello).with(flags);
        container.run()?.success()?.says("hello\n")?;
    }
    Ok(())
}

fn annotation(machine: &Machine) -> Result<()> {
    for engine in ["wasmedge", "wasmtime"] {
        let chosen = format!("wasmrt.dev/engine={engine}");
        let container = machine.container(engine, &Program::Hello)?.with(&["--annotation", &chosen]);
        container.run()?.success()?.says("hello\n")?;
    }
    Ok(())
}

fn unknown(machine: &Machine) -> Result<()> {
    let container = machine.container("unknown", &Program::Hello)?.with(&["--annotation", "wasmrt.dev/engine=v8"]);
    container.run()?.refused(&["v8", "wasmtime"])?;
    machine.ctr(&["container", "delete", "unknown"]).map(drop)
}

/// What would help is said in annotations, whoever says it.
fn hints(machine: &Machine) -> Result<()> {
    let container = machine.container("hints", &Program::Hello)?;
    let interpreted = container.clone().with(&["--annotation", "wasmrt.dev/aot=off"]).run()?;
    if machine.runtime.has_components() {
        interpreted.refused(&["annotation wasmrt.dev/aot", "annotation wasmrt.dev/engine=wasmedge"])?;
    } else {
        interpreted.success()?.says("hello\n")?;
    }
    container.doing(&["/app/hello.wasm#nope"]).run()?.refused(&["greet", "FILE.wasm#EXPORT"])?;
    machine.ctr(&["container", "delete", "hints"]).map(drop)
}

fn component(machine: &Machine) -> Result<()> {
    let image = machine.unimported(&[])?.with_program("app/component.wasm", guest("rust/component-hello")?);
    machine.import(&image)?;
    let container = machine.container_of("component", image.name(), &Program::Hello).doing(&["/app/component.wasm"]);
    let output = container.run()?;
    if machine.runtime.has_components() {
        return output.success().map(drop);
    }
    output.refused(&["component", "wasmtime"])?;
    machine.ctr(&["container", "delete", "component"]).map(drop)
}

/// What is no WebAssembly runs as it would under runc: pods have such containers too.
fn linux_program(machine: &Machine) -> Result<()> {
    let image = with_busybox(Image::new("localhost/linux:latest", linux()))?;
    machine.import(&image)?;
    let container = machine.container_of("linux", image.name(), &Program::Hello).on(linux());
    let argv = ["/bin/busybox", "sh", "-c", "echo pid $$; exit 7"];
    container.doing(&argv).run()?.expect(7)?.says("pid 1\n").map(drop)
}

/// Who says that an image is WebAssembly does not get a Linux program run.
fn must_be_wasm(machine: &Machine) -> Result<()> {
    let image = with_busybox(Image::new("localhost/linux:latest", linux()))?;
    machine.import(&image)?;
    let container = machine.container_of("linux", image.name(), &Program::Hello).on(linux());
    let container = container.with(&["--annotation", "module.wasm.image/variant=compat"]);
    container.doing(&["/bin/busybox", "true"]).run()?.refused(&["busybox"])?;
    machine.ctr(&["container", "delete", "linux"]).map(drop)
}

/// What the machine's owner allows bounds what containers ask for.
fn settings(machine: &Machine) -> Result<()> {
    // One MiB is sixteen pages; the guest has one page from the start.
    write_settings(machine, "max_memory_pages = 160\n")?;
    machine.container("bounded", &Program::Grow)?.run()?.expect(9).map(drop)?;
    let container = machine.container("tighter", &Program::Grow)?;
    container.with(&["--annotation", "wasmrt.dev/memory=4MiB"]).run()?.expect(3).map(drop)
}

fn wrong_settings(machine: &Machine) -> Result<()> {
    write_settings(machine, "enable_wasi = true\nmax_memory = 12\n")?;
    machine.container("wrong", &Program::Hello)?.run()?.refused(&["config.toml", "max_memory"])?;
    machine.ctr(&["container", "delete", "wrong"]).map(drop)
}

fn version(machine: &Machine) -> Result<()> {
    let shim = find_shim()?;
    let mut command = machine.world.command(&shim.display().to_string());
    command.arg("--version");
    run(command)?.success()?.says("wasmtime: 48")?.says("wasmedge: 0.").map(drop)
}

/// Engines that need not compile; where the shim chooses, it takes one of them.
const INTERPRETING: &[Runtime] = &[Runtime::WasmEdge, Runtime::Wasm];

const BESIDE: [&str; 2] = ["--annotation", "wasmrt.dev/aot=background"];

/// The first container is interpreted and does not wait; the next one has native code.
fn compiled_beside(machine: &Machine) -> Result<()> {
    let image = machine.image(&[Program::Wait])?;
    let container = |id: &str| machine.container_of(id, &image, &Program::Wait).with(&BESIDE);
    for (id, compiled) in [("first", false), ("second", true)] {
        let running = container(id).start("ready")?;
        let pid = machine.pid_of(id)?;
        let mapped = std::fs::read_to_string(machine.world.path(&format!("/proc/{pid}/maps")));
        let mapped = mapped.map_err(|error| format!("/proc/{pid}/maps: {error}"))?;
        if mapped.contains(".code") != compiled {
            return Err(format!("{id}: expected native code: {compiled}\n{mapped}"));
        }
        wait_for_artifact(machine)?;
        machine.ctr(&["task", "kill", "--signal", "SIGKILL", id])?.success()?;
        running.finish()?.expect(137)?;
    }
    machine.is_clean()
}

/// A container that is over at once, and its shim with it, leaves a compiler behind that ends by itself.
fn compiled_after(machine: &Machine) -> Result<()> {
    machine.container("brief", &Program::Hello)?.with(&BESIDE).run()?.success()?.says("hello\n")?;
    wait_for_artifact(machine)?;
    eventually(Duration::from_secs(20), || machine.is_clean())
}

/// An engine that cannot interpret would keep the container waiting, and says so.
fn compiled_first(machine: &Machine) -> Result<()> {
    let container = machine.container("refused", &Program::Hello)?.with(&BESIDE);
    container.run()?.refused(&["annotation wasmrt.dev/aot", "engine=wasmedge"])?;
    machine.ctr(&["container", "delete", "refused"]).map(drop)
}

fn wait_for_artifact(machine: &Machine) -> Result<()> {
    let cache = machine.world.path("/var/lib/wasmrt/cache");
    eventually(Duration::from_secs(60), || {
        let entries = std::fs::read_dir(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
        let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        let made = names.iter().any(|name| name.to_string_lossy().ends_with(".note"));
        if made { Ok(()) } else { Err(format!("no artifact among {names:?}")) }
    })
}
