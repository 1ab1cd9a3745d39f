//! The front-end `rust`: the crate wasmrt-runtime, as embedders call it. Since it forks, and refuses to in a process with several
//! threads, the harness executes itself with a hidden argument and calls it there.

use super::{Observed, Report, Seen, Stage, in_process, read_report, started};
use crate::Result;
use crate::case::{Case, Stdin};
use serde_json::json;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasmrt_model::RunSpec;
use wasmrt_runtime::{Embedder, EmbedderConfig, RunOptions, Runtime, RuntimeConfig, StartOptions};

/// The argument that makes the harness a child. What follows: the directory of the spec, the module, how many runs, and which way.
pub const CHILD_ARGUMENT: &str = "--run-one-case-as-a-child";

/// How the runtime is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// For a run.
    Run,
    /// For an instance in the child's own process.
    Instance,
    /// For a run, through `wasmrt-worker`.
    Embedded,
}

const INSTANCE: &str = "instance";
const EMBEDDED: &str = "embedded";

/// The variable that names `wasmrt-worker`.
pub(super) const WORKER_VARIABLE: &str = "WASMRT_WORKER";

/// Finds `wasmrt-worker`: as the environment says, else in the target directory.
pub(super) fn find_worker() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(WORKER_VARIABLE) {
        return Ok(path.into());
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = program.ancestors().nth(2).unwrap_or(Path::new(".")).join("wasmrt-worker");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(format!("wasmrt-worker is not built: it is not at {} (or name it in {WORKER_VARIABLE})", beside.display()))
}

pub(super) fn run(case: &Case, stage: &Stage, way: Way) -> Result<Observed> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    lay_out_spec(case, stage, way)?;
    let mut command = Command::new(program);
    command.arg(CHILD_ARGUMENT).arg(stage.directory.path()).arg(&stage.module).arg(case.header.times.to_string());
    command.arg(match way {
        Way::Run => "run",
        Way::Instance => INSTANCE,
        Way::Embedded => EMBEDDED,
    });
    observed(command, case, stage)
}

/// Writes down the spec for a process that calls a library.
pub(super) fn lay_out_spec(case: &Case, stage: &Stage, way: Way) -> Result<()> {
    let mut spec = stage.spec.clone();
    let mut stdio = spec.remove("stdio").unwrap_or_else(|| json!({}));
    if let Some(streams) = stdio.as_object_mut() {
        streams.entry("stdin").or_insert_with(|| match &case.header.stdin {
            Stdin::Empty => json!("null"),
            Stdin::Text(text) => json!({ "bytes": text }),
            Stdin::Held | Stdin::Repeated { .. } => json!("inherit"),
        });
        // Who waits for a word of the guest's has to hear it while the guest runs.
        let stdout = if stage.scene.listens() { json!("inherit") } else { json!({ "capture": {} }) };
        streams.entry("stdout").or_insert(stdout);
        streams.entry("stderr").or_insert_with(|| json!({ "capture": {} }));
    }
    spec.insert("stdio".to_owned(), stdio);
    if way == Way::Instance {
        in_process::adapt(&mut spec);
    }
    let text = serde_json::to_string(&spec).map_err(|error| error.to_string())?;
    std::fs::write(stage.beside("spec.json"), text).map_err(|error| error.to_string())
}

/// What came of a process that calls a library: its report, and captured streams beside it.
pub(super) fn observed(command: Command, case: &Case, stage: &Stage) -> Result<Observed> {
    let ended = started(command, case, stage, None)?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if !ended.status.success() {
        return Err(format!(
            "the process that called the runtime ended with {} (signal {:?}): {said}",
            ended.status,
            ended.status.signal()
        ));
    }
    let report = read_report(&stage.beside("report.json"))?;
    let (mut stdout, mut stderr) = (ended.stdout, Vec::new());
    if let Some(Report::Outcome(outcome)) = &report {
        if outcome.stdout.is_some() {
            stdout = std::fs::read(stage.beside("stdout")).map_err(|error| error.to_string())?;
        }
        if outcome.stderr.is_some() {
            stderr = std::fs::read(stage.beside("stderr")).map_err(|error| error.to_string())?;
        }
    }
    let network = Seen::default();
    Ok(Observed { report, code: None, signal: None, stdout, stderr, said, took: ended.took, network })
}

/// The child: runs the module as the spec says, so many times, and leaves the last report. Called before anything starts a thread.
///
/// # Errors
/// What kept it from calling the runtime at all, and what the runs left behind in this process.
pub fn child(mut args: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || args.next().ok_or("an argument is missing");
    let (directory, module, times, way) = (next()?, next()?, next()?, next()?);
    let directory = Path::new(&directory);
    let io = |error: std::io::Error| error.to_string();
    let spec = std::fs::read_to_string(directory.join("spec.json")).map_err(io)?;
    let bytes = std::fs::read(&module).map_err(io)?;
    let runtime = Runtime::new(RuntimeConfig::default());
    let embedder = Embedder::new(EmbedderConfig::default());
    let mut open = Vec::new();
    for _ in 0..times.parse::<u32>().map_err(|error| error.to_string())? {
        let run = RunSpec::from_json(&spec).and_then(|spec| match way.as_str() {
            INSTANCE => in_process::run(&runtime, &bytes, spec),
            EMBEDDED => {
                embedder.module(&bytes).and_then(|module| embedder.run(&module, &spec, StartOptions::default()))
            }
            _ => runtime.run(&bytes, &spec, RunOptions::default()),
        });
        let report = match run {
            Ok(outcome) => {
                for (name, captured) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
                    if let Some(captured) = captured {
                        std::fs::write(directory.join(name), &captured.bytes).map_err(io)?;
                    }
                }
                json!({ "outcome": outcome })
            }
            Err(error) => json!({ "error": { "kind": error.kind().as_str(), "message": error.to_string() } }),
        };
        let mut file = std::fs::File::create(directory.join("report.json")).map_err(io)?;
        file.write_all(report.to_string().as_bytes()).map_err(io)?;
        drop(file);
        open.push(std::fs::read_dir("/proc/self/fd").map_err(io)?.count());
    }
    drop(embedder);
    // The first run may have loaded an engine for good; later ones must not add to that. One count may have met a thread of a library's in
    // the middle of something, but what each run leaves behind is in all the later ones.
    let (earlier, later) = open.split_at(open.len().div_ceil(2));
    if later.iter().min() > earlier.iter().min() && !later.is_empty() {
        return Err(format!("runs leak descriptors: {open:?} were open after each"));
    }
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    if !children.trim().is_empty() {
        return Err(format!("runs left processes behind: {children}"));
    }
    Ok(())
}
