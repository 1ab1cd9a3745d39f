//! The front-end `wasm-run`: the program as its users have it.

use super::{Observed, Report, Seen, Stage, read_report, started};
use crate::Result;
use crate::case::Case;
use crate::pair::Pair;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that names the program.
const VARIABLE: &str = "WASMRT_CLI";

/// Finds the program: as the environment says, else beside this program's directory in the target directory.
///
/// # Errors
/// Where it was looked for.
pub fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return Ok(path.into());
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = program.ancestors().nth(2).unwrap_or(Path::new(".")).join("wasm-run");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(format!("wasm-run is not built: it is not at {} (or name it in {VARIABLE})", beside.display()))
}

pub(super) fn run(case: &Case, pair: Pair, stage: &Stage) -> Result<Observed> {
    let report = stage.beside("report.json");
    let mut command = Command::new(find()?);
    command.arg("run").arg("--quiet").arg("--report").arg(&report);
    match &stage.flags {
        Some(flags) => {
            if let Some(engine) = pair.engine {
                command.args(["--engine", engine.as_str()]);
                match stage.spec.get("aot").and_then(|aot| aot.as_str()) {
                    Some("always") => {
                        command.args(["--aot", "always", "-O", "0"]);
                    }
                    Some(policy) => {
                        command.args(["--aot", policy]);
                    }
                    None => {}
                }
            }
            // The flags of a case stand where users put them; `MODULE` among them is the module.
            let module = stage.module.to_string_lossy();
            let mut named = false;
            for flag in flags {
                named |= flag.contains("MODULE");
                command.arg(flag.replace("MODULE", &module));
            }
            if !named {
                command.arg(&stage.module);
            }
        }
        None => {
            let spec = stage.beside("spec.json");
            let text = serde_json::to_string(&stage.spec).map_err(|error| error.to_string())?;
            std::fs::write(&spec, text).map_err(|error| error.to_string())?;
            command.arg("--spec").arg(&spec).arg(&stage.module);
        }
    }
    let ended = started(command, case, stage, case.header.interrupt.as_ref())?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let report = read_report(&report)?;
    let (mut stdout, mut stderr) = (ended.stdout, ended.stderr);
    // What a spec has captured is in the report and nowhere else.
    if let Some(Report::Outcome(outcome)) = &report {
        for (stream, captured) in [(&mut stdout, &outcome.stdout), (&mut stderr, &outcome.stderr)] {
            if let Some(captured) = captured {
                stream.clone_from(&captured.bytes);
            }
        }
    }
    Ok(Observed {
        report,
        code: ended.status.code().and_then(|code| u8::try_from(code).ok()),
        signal: ended.status.signal(),
        stdout,
        stderr,
        said,
        took: ended.took,
        network: Seen::default(),
    })
}
