//! What `--report` writes: how a run went, as JSON. It never touches the guest's own output.

use crate::args::values::ReportTarget;
use crate::output;
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use wasmrt_model::{Error, ErrorKind, Outcome, Result};

/// How a run went.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// The version of wasm-run.
    version: &'static str,
    /// The module as it was named.
    module: &'a str,
    /// What the process ends with.
    exit_code: u8,
    /// How the guest ended; not there when it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a Outcome>,
    /// Why it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ReportedError>,
}

/// An error as programs read it.
#[derive(Debug, Serialize)]
pub(crate) struct ReportedError {
    kind: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl ReportedError {
    pub(crate) fn new(error: &Error) -> Self {
        Self { kind: error.kind().as_str(), message: output::sentence(error), hint: error.hint().map(str::to_owned) }
    }
}

impl<'a> Report<'a> {
    /// What is reported of a run of this module.
    pub(crate) fn new(module: &'a str, exit_code: u8, result: Result<&'a Outcome, &Error>) -> Self {
        let (outcome, error) = match result {
            Ok(outcome) => (Some(outcome), None),
            Err(error) => (None, Some(ReportedError::new(error))),
        };
        Self { version: env!("CARGO_PKG_VERSION"), module, exit_code, outcome, error }
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written. What was there before is then still there.
    pub(crate) fn write(&self, target: &ReportTarget) -> Result<()> {
        let failed =
            |source: serde_json::Error| Error::new(ErrorKind::Internal, "cannot make a report").with_source(source);
        match target {
            ReportTarget::Stderr => {
                let line = serde_json::to_string(self).map_err(failed)? + "\n";
                io::stderr()
                    .lock()
                    .write_all(line.as_bytes())
                    .map_err(|source| Error::io("cannot report to stderr", source))
            }
            ReportTarget::File(path) => {
                let text = serde_json::to_string_pretty(self).map_err(failed)? + "\n";
                replace(path, text.as_bytes())
                    .map_err(|source| Error::io(format!("cannot write the report '{}'", path.display()), source))
            }
        }
    }
}

/// Finds out before the run whether there is a place for its report.
///
/// # Errors
/// `NotFound` when the directory is not there, `InvalidInput` when the file is a directory.
pub(crate) fn check(target: &ReportTarget) -> Result<()> {
    let ReportTarget::File(path) = target else { return Ok(()) };
    let name = path.display();
    if path.is_dir() {
        return Err(Error::new(ErrorKind::InvalidInput, format!("the report '{name}' is a directory")));
    }
    let directory = directory_of(path);
    fs::metadata(directory).map(drop).map_err(|source| {
        Error::io(format!("there is no directory for the report '{name}'"), source)
            .with_hint("make the directory first")
    })
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Puts a file in place of another at once. What is no regular file (a pipe, a terminal, /dev/null) is written to instead.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let target: PathBuf = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&target) {
        Ok(metadata) if !metadata.is_file() => return OpenOptions::new().write(true).open(&target)?.write_all(content),
        _ => {}
    }
    let mut file = tempfile::Builder::new()
        .prefix(".wasm-run-report-")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(directory_of(&target))?;
    file.write_all(content)?;
    file.persist(&target).map(drop).map_err(|error| error.error)
}
