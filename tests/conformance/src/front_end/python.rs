//! The front-end `python`: the Python package, called by a small program that takes a spec apart into keywords and puts the outcome together again.

use super::rust::{self, Way};
use super::{Observed, Stage};
use crate::Result;
use crate::case::Case;
use std::path::PathBuf;
use std::process::Command;

/// The variable that names a Python interpreter that has the package.
const VARIABLE: &str = "WASMRT_PYTHON";

const ADAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bindings/python/tests/adapter.py");

/// Finds the interpreter.
///
/// # Errors
/// That none is named, or that the named one is not there.
pub(super) fn find() -> Result<PathBuf> {
    match std::env::var_os(VARIABLE).map(PathBuf::from) {
        Some(python) if python.is_file() => Ok(python),
        Some(python) => Err(format!("{VARIABLE} names {}, which is not there", python.display())),
        None => Err(format!(
            "no Python interpreter with the package wasmrt is named in {VARIABLE}: bindings/python/dev makes one"
        )),
    }
}

pub(super) fn run(case: &Case, stage: &Stage) -> Result<Observed> {
    rust::lay_out_spec(case, stage, Way::Run)?;
    let mut command = Command::new(find()?);
    command.arg("-B").arg(ADAPTER).arg(stage.directory.path()).arg(&stage.module).arg(case.header.times.to_string());
    rust::observed(command, case, stage)
}
