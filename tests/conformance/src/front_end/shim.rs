//! The containerd shim, told by its task API what containerd would tell it: each case is a container of a shim of its own.
//!
//! There is no containerd here, so that hundreds of cases take seconds each; what containerd, Docker and the kubelet make of the shim has a suite of
//! its own.

mod bundle;
mod pod;
mod streams;

use super::{Observed, Report, Stage};
use crate::Result;
use crate::case::Case;
use crate::network::Seen;
use bundle::Bundle;
use pod::Pod;
use std::path::PathBuf;
use std::time::Instant;
use streams::Streams;

/// The variable that names the program.
const VARIABLE: &str = "WASMRT_SHIM";

/// Finds the shim. It makes namespaces and control groups, which takes root.
///
/// # Errors
/// Why it cannot be used here.
pub(super) fn find() -> Result<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        return Err("containers are made by root".to_owned());
    }
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let path = named.or_else(|| super::cli::find().ok().map(|cli| cli.with_file_name("containerd-shim-wasmrt")));
    match path {
        Some(path) if path.is_file() => Ok(path),
        Some(path) => Err(format!("the shim is not built: it is not at {}", path.display())),
        None => Err(format!("the shim is not built (or name it in {VARIABLE})")),
    }
}

/// Whether a container's settings can ask for what this case asks for, in the same words.
pub(super) fn takes(case: &Case) -> bool {
    bundle::takes(case)
}

pub(super) fn run(case: &Case, stage: &Stage) -> Result<Observed> {
    let bundle = Bundle::make(stage)?;
    let mut streams = Streams::open(&stage.beside("streams"), &case.header.stdin)?;
    let started = Instant::now();
    let mut pod = Pod::start(&find()?, &bundle)?;
    let report = match pod.create(&bundle, &streams.names)? {
        Err((code, message)) => Report::Refused { code, message },
        Ok(()) => match pod.run(|| streams.pass_on(&mut |piece| stage.scene.heard(piece)))? {
            Err((code, message)) => Report::Refused { code, message },
            Ok(code) => Report::Ended { code },
        },
    };
    let took = started.elapsed();
    pod.remove(&bundle)?;
    let (stdout, stderr) = streams.finish(&mut |piece| stage.scene.heard(piece))?;
    let said = if let Report::Refused { message, .. } = &report { message.clone() } else { String::new() };
    Ok(Observed {
        report: Some(report),
        code: None,
        signal: None,
        stdout,
        stderr,
        said,
        took,
        network: Seen::default(),
    })
}
