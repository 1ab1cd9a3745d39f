//! The front-end `c`: libwasmrt, called by a small C program that is built beside it.

use super::rust::{self, Way};
use super::{Observed, Stage};
use crate::Result;
use crate::case::Case;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that names the program.
const VARIABLE: &str = "WASMRT_C_ADAPTER";

/// Finds the program: as the environment says, else beside this program's directory in the target directory.
///
/// # Errors
/// Where it was looked for.
pub(super) fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("{VARIABLE} names {}, which is not there", path.display()))
        };
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = program.ancestors().nth(2).unwrap_or(Path::new(".")).join("wasmrt-c-adapter");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(format!(
        "the C program is not built: it is not at {} (`make ffi-adapter` builds it, {VARIABLE} names it)",
        beside.display()
    ))
}

pub(super) fn run(case: &Case, stage: &Stage) -> Result<Observed> {
    rust::lay_out_spec(case, stage, Way::Run)?;
    let mut command = Command::new(find()?);
    command.arg(stage.directory.path()).arg(&stage.module).arg(case.header.times.to_string());
    rust::observed(command, case, stage)
}
