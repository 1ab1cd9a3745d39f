//! Programs that a container's configuration has run beside it.

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use wasmrt_e2e::Result;
use wasmrt_e2e::command::run;
use wasmrt_e2e::containerd::client;
use wasmrt_e2e::machine::Machine;
use wasmrt_e2e::program::Program;
use wasmrt_e2e::trials::{ALL, Question};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "hooks::called", runtimes: ALL, ask: called },
    Question { name: "hooks::failing", runtimes: ALL, ask: failing },
];

/// Those of the machine's side, in their order.
const HOOKS: [&str; 4] = ["prestart", "createRuntime", "poststart", "poststop"];

/// A configuration of a hello whose files are below a directory of this machine's.
fn configuration(machine: &Machine) -> Result<Value> {
    let wasm = machine.runtime.is_wasm();
    let root = machine.world.directory().join("root");
    let said = |error: std::io::Error| error.to_string();
    for directory in ["app", "bin", "proc", "sys", "dev", "run"] {
        std::fs::create_dir_all(root.join(directory)).map_err(said)?;
    }
    let argv = Program::Hello.argv(wasm);
    if wasm {
        let file = root.join(argv[0].trim_start_matches('/'));
        std::fs::write(&file, Program::Hello.module()?).map_err(said)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).map_err(said)?;
    } else {
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).map_err(said)?;
    }
    let printed = machine.ctr(&["oci", "spec"])?.success()?;
    let mut spec: Value = serde_json::from_str(&printed.stdout).map_err(|error| format!("{error}\n{printed}"))?;
    spec["root"] = json!({ "path": root });
    spec["process"]["args"] = json!(argv);
    spec["process"]["terminal"] = json!(false);
    Ok(spec)
}

/// A hook that keeps what it is told in a file.
fn keeping(kind: &str, into: &Path) -> Value {
    json!([{ "path": "/bin/sh", "args": ["sh", "-c", format!("cat >'{}/{kind}'", into.display())] }])
}

fn run_with(machine: &Machine, id: &str, spec: &Value) -> Result<wasmrt_e2e::command::Output> {
    let file = machine.world.directory().join(format!("{id}.json"));
    std::fs::write(&file, spec.to_string()).map_err(|error| error.to_string())?;
    let mut command = client(&machine.world, &["run", "--rm", "--runtime", machine.runtime.handler(), "--config"]);
    command.arg(&file).arg(id);
    run(command)
}

/// Each hears of the container as it is then.
fn called(machine: &Machine) -> Result<()> {
    let told = machine.world.directory().join("told");
    std::fs::create_dir_all(&told).map_err(|error| error.to_string())?;
    let mut spec = configuration(machine)?;
    spec["hooks"] =
        HOOKS.iter().map(|kind| ((*kind).to_owned(), keeping(kind, &told))).collect::<serde_json::Map<_, _>>().into();
    run_with(machine, "hooked", &spec)?.success()?.says("hello\n")?;
    for kind in HOOKS {
        let state =
            std::fs::read_to_string(told.join(kind)).map_err(|error| format!("{kind} was not called: {error}"))?;
        let state: Value = serde_json::from_str(&state).map_err(|error| format!("{kind} was told {state}: {error}"))?;
        let stopped = state["status"] == "stopped";
        if state["id"] != "hooked" || stopped != (kind == "poststop") {
            return Err(format!("{kind} was told {state}"));
        }
    }
    Ok(())
}

/// A container whose hook fails is none, and leaves nothing.
fn failing(machine: &Machine) -> Result<()> {
    let mut spec = configuration(machine)?;
    for kind in ["prestart", "createRuntime"] {
        let id = format!("refused-{}", kind.to_lowercase());
        spec["hooks"] = json!({ kind: [{ "path": "/bin/sh", "args": ["sh", "-c", "exit 3"] }] });
        run_with(machine, &id, &spec)?.refused(&["hook"])?;
        machine.ctr(&["container", "delete", &id])?;
        machine.is_clean()?;
    }
    Ok(())
}
