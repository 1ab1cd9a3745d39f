//! Front-ends: how a run is started, and what is seen of it from outside. Each run is a process of its own.

mod c;
mod cli;
mod in_process;
mod node;
mod python;
mod rust;
mod shim;

pub use cli::find as find_cli;
pub use rust::{CHILD_ARGUMENT, child};

use crate::case::{Case, Interrupt};
use crate::network::{Scene, Seen, silent};
use crate::pair::{AUTO, OWN_PROCESS, PAIRS, Pair};
use crate::swap::Swapper;
use crate::{Result, process, tree};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use wasmrt_model::{EngineName, Outcome, Tier};

/// A way to start runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontEnd {
    /// The program `wasm-run`.
    Cli,
    /// The crate wasmrt-runtime, in a process of the harness's own.
    Rust,
    /// The same, with the guest in that very process.
    InProcess,
    /// The same, through `wasmrt-worker`, as programs with threads do it.
    Embedded,
    /// The Python package.
    Python,
    /// The Node package.
    Node,
    /// libwasmrt, by a C program.
    C,
    /// The containerd shim: the guest is a container.
    Shim,
}

/// Every front-end.
pub const FRONT_ENDS: [FrontEnd; 8] = [
    FrontEnd::Cli,
    FrontEnd::Rust,
    FrontEnd::InProcess,
    FrontEnd::Embedded,
    FrontEnd::Python,
    FrontEnd::Node,
    FrontEnd::C,
    FrontEnd::Shim,
];

/// What was seen of a run.
#[derive(Debug)]
pub struct Observed {
    /// What the front-end reported; None when it left no report.
    pub report: Option<Report>,
    /// The exit code of its process, where the front-end is a process.
    pub code: Option<u8>,
    /// The signal that ended its process.
    pub signal: Option<i32>,
    /// The guest's standard output; the case's directory shows as `{tmp}`.
    pub stdout: Vec<u8>,
    /// The guest's standard error.
    pub stderr: Vec<u8>,
    /// What the front-end itself said, for people to read.
    pub said: String,
    /// From start to end of the process.
    pub took: Duration,
    /// What peers and clients saw.
    pub network: Seen,
}

/// A front-end's report.
#[derive(Debug)]
pub enum Report {
    /// The run came to an end.
    Outcome(Box<Outcome>),
    /// It did not start.
    Error {
        /// The stable name of the error's kind.
        kind: String,
        /// The error as people read it.
        message: String,
    },
    /// A container came to an end. Nothing else is told of it.
    Ended {
        /// Its exit code.
        code: u32,
    },
    /// A container was not made.
    Refused {
        /// The code of containerd's protocol.
        code: i32,
        /// The error as people read it.
        message: String,
    },
}

/// A case with its files laid out, ready to be run once.
#[derive(Debug)]
pub struct Stage {
    directory: tempfile::TempDir,
    module: PathBuf,
    spec: Map<String, Value>,
    flags: Option<Vec<String>>,
    scene: Scene,
}

impl Stage {
    /// Lays out a case for one pair.
    ///
    /// # Errors
    /// What could not be laid out.
    pub fn set(case: &Case, pair: Pair) -> Result<Self> {
        let directory = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        let root = directory.path().join("tmp");
        std::fs::create_dir(&root).map_err(|error| error.to_string())?;
        tree::lay_out(&root, &case.header.before)?;
        let scene = Scene::set(case.header.network(), &root)?;
        let module = match (case.guest.path(), &case.header.file_name) {
            (Some(built), None) => built,
            (_, name) => {
                let path = directory.path().join(name.as_deref().unwrap_or("guest.wasm"));
                std::fs::write(&path, case.guest.bytes()?).map_err(|error| error.to_string())?;
                path
            }
        };
        let place = |text: &str| scene.place(&text.replace("{tmp}", &root.to_string_lossy()));
        let mut spec: Map<String, Value> =
            case.header.spec.iter().map(|(key, value)| (key.clone(), placed(value, &place))).collect();
        pair.apply(&mut spec);
        if case.header.network().is_something() {
            end_in_time(&mut spec);
        }
        let flags = case.header.flags.as_ref().map(|flags| flags.iter().map(|flag| place(flag)).collect());
        if let Some(unknown) = [format!("{spec:?}"), format!("{flags:?}")].iter().find_map(|text| unknown_port(text)) {
            return Err(format!("there is no {unknown}"));
        }
        Ok(Self { module, spec, flags, scene, directory })
    }

    /// The directory of the case's files.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("tmp")
    }

    /// A path for something that the front-end leaves for the harness.
    fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl FrontEnd {
    /// Its name in trials.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Rust => "rust",
            Self::InProcess => "in-process",
            Self::Embedded => "embedded",
            Self::Python => "python",
            Self::Node => "node",
            Self::C => "c",
            Self::Shim => "shim",
        }
    }

    /// Why it is not here, if so.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Cli => cli::find().err(),
            Self::Rust | Self::InProcess => None,
            Self::Embedded => rust::find_worker().err(),
            Self::Python => python::find().err(),
            Self::Node => node::find().err(),
            Self::C => c::find().err(),
            Self::Shim => shim::find().err(),
        }
    }

    /// The pairs that it runs a case on. Bindings only translate: what engines differ in is asked of those who start them, but limits and isolation hold
    /// for each front-end on every engine.
    #[must_use]
    pub fn pairs(self, case: &Case) -> &'static [Pair] {
        let is_binding = matches!(self, Self::Python | Self::Node | Self::C | Self::Shim);
        let for_all = ["limits/", "isolation/"].iter().any(|room| case.name.starts_with(room));
        if case.header.any_engine || is_binding && !for_all { &[AUTO] } else { PAIRS }
    }

    /// Whether the case can be asked for in this front-end's words at all.
    #[must_use]
    pub fn takes(self, case: &Case) -> bool {
        match self {
            Self::Cli => true,
            Self::InProcess => {
                !case.header.is_for_cli() && !case.header.requires.iter().any(|name| name == OWN_PROCESS)
            }
            Self::Shim => shim::takes(case),
            Self::Rust | Self::Embedded | Self::Python | Self::Node | Self::C => !case.header.is_for_cli(),
        }
    }

    /// What a case asks for and this front-end cannot have on this pair, beyond what the pair itself lacks.
    #[must_use]
    pub fn unmet(self, case: &Case, pair: Pair) -> Option<&'static str> {
        match (self, pair.engine) {
            (Self::InProcess, Some(EngineName::WasmEdge)) => in_process::unmet(case, pair.tier != Tier::Interpreter),
            (Self::InProcess, _) => in_process::unmet(case, false),
            _ => None,
        }
    }

    /// Runs a staged case once.
    ///
    /// # Errors
    /// When the front-end could not be started, hung, or left something behind that runs on. Its refusals are observations.
    pub fn run(self, case: &Case, pair: Pair, stage: &mut Stage) -> Result<Observed> {
        let clients = stage.scene.start()?;
        let swapper = Swapper::start(&stage.root(), &case.header.swaps);
        let mut observed = match self {
            Self::Cli => cli::run(case, pair, stage)?,
            Self::Rust => rust::run(case, stage, rust::Way::Run)?,
            Self::InProcess => rust::run(case, stage, rust::Way::Instance)?,
            Self::Embedded => rust::run(case, stage, rust::Way::Embedded)?,
            Self::Python => python::run(case, stage)?,
            Self::Node => node::run(case, stage)?,
            Self::C => c::run(case, stage)?,
            Self::Shim => shim::run(case, stage)?,
        };
        swapper.stop()?;
        observed.network = stage.scene.finish(clients);
        let root = stage.root();
        for text in [&mut observed.stdout, &mut observed.stderr] {
            *text = stage.scene.restore(&replaced(text, root.as_os_str().as_encoded_bytes(), b"{tmp}"));
        }
        let restore = |text: &mut String| {
            *text = String::from_utf8_lossy(&stage.scene.restore(text.as_bytes())).into_owned();
        };
        match &mut observed.report {
            Some(Report::Outcome(outcome)) => outcome.refusals.iter_mut().for_each(restore),
            Some(Report::Error { message, .. } | Report::Refused { message, .. }) => restore(message),
            Some(Report::Ended { .. }) | None => {}
        }
        Ok(observed)
    }
}

/// Starts a command for a case and waits for it.
fn started(command: Command, case: &Case, stage: &Stage, interrupt: Option<&Interrupt>) -> Result<process::Ended> {
    let mut command =
        if case.header.silent_network { silent::within(&command, &stage.beside("resolv.conf"))? } else { command };
    command.current_dir(stage.root()).env_clear();
    for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "WASMEDGE_LIB_DIR", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("WASMRT_CACHE_DIR", cache_directory()?);
    if let Ok(worker) = rust::find_worker() {
        command.env(rust::WORKER_VARIABLE, worker);
    }
    for (name, value) in &case.header.host_env {
        command.env(name, value.replace("{tmp}", &stage.root().to_string_lossy()));
    }
    process::run(command, &case.header.stdin, interrupt, &mut |piece| stage.scene.heard(piece))
}

/// Compiled guests are kept from run to run, in the target directory and out of the user's own cache.
fn cache_directory() -> Result<PathBuf> {
    let program = std::env::current_exe().map_err(|error| format!("cannot tell where this program is: {error}"))?;
    let directory = program.ancestors().nth(3).unwrap_or(Path::new("/tmp")).join("wasmrt-tests-cache");
    Ok(directory)
}

fn read_report(path: &Path) -> Result<Option<Report>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => text,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read the report: {error}")),
    };
    let wrong = |error: &dyn std::fmt::Display| format!("not a report: {error}\n{text}");
    let report: Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    if let Some(outcome) = report.get("outcome") {
        let outcome: Outcome = serde_json::from_value(outcome.clone()).map_err(|error| wrong(&error))?;
        return Ok(Some(Report::Outcome(Box::new(outcome))));
    }
    let error = report.get("error").ok_or_else(|| wrong(&"neither an outcome nor an error"))?;
    let text_of = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    // What a person reads: the message, and what to do about it where a front-end reports that apart.
    let message = format!("{} {}", text_of("message"), text_of("hint")).trim_end().to_owned();
    Ok(Some(Report::Error { kind: text_of("kind"), message }))
}

fn placed(value: &Value, place: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(place(text)),
        Value::Array(items) => items.iter().map(|item| placed(item, place)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), placed(value, place))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Who waits for somebody on the network who does not come must not wait for ever: a case that does not say how long says so long.
fn end_in_time(spec: &mut Map<String, Value>) {
    let limits = spec.entry("limits").or_insert_with(|| Value::Object(Map::new()));
    if let Some(limits) = limits.as_object_mut() {
        limits.entry("wall_time").or_insert_with(|| "30s".into());
    }
}

/// A port that nobody has, in a text whose ports have been placed.
fn unknown_port(text: &str) -> Option<&str> {
    let start = text.find("{port:")?;
    text.get(start..)?.split_inclusive('}').next()
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut result, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    result.extend_from_slice(rest);
    result
}
