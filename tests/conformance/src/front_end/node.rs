//! The front-end `node`: the Node package, called by a small program that takes a spec apart into options and puts the outcome together again.

use super::rust::{self, Way};
use super::{Observed, Stage};
use crate::Result;
use crate::case::Case;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bindings/node");
/// What has to be built.
const NATIVE: [&str; 2] = ["native/wasmrt.node", "native/wasmrt-worker"];

/// Finds the program `node`, if the package is built.
///
/// # Errors
/// What is missing.
pub(super) fn find() -> Result<PathBuf> {
    let package = Path::new(PACKAGE);
    if let Some(missing) = NATIVE.iter().find(|file| !package.join(file).is_file()) {
        return Err(format!("{missing} is not built: run npm install in bindings/node"));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|directory| directory.join("node"));
    candidates.find(|node| node.is_file()).ok_or_else(|| "there is no program called node".to_owned())
}

pub(super) fn run(case: &Case, stage: &Stage) -> Result<Observed> {
    rust::lay_out_spec(case, stage, Way::Run)?;
    let adapter = Path::new(PACKAGE).join("test/adapter.mjs");
    let mut command = Command::new(find()?);
    command.arg("--expose-gc").arg(adapter).arg(stage.directory.path()).arg(&stage.module);
    command.arg(case.header.times.to_string());
    rust::observed(command, case, stage)
}
