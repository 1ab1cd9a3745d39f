//! `--version`: what this is, and which engines it finds.

use crate::oci;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use wasmrt_runtime::{Runtime, RuntimeConfig};

pub(crate) fn print(arguments: &[OsString]) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let name = arguments.first().map(|name| std::path::Path::new(name).file_name().unwrap_or(name).to_os_string());
    let name = name.unwrap_or_else(|| "containerd-shim-wasmrt".into());
    let mut lines = vec![format!("{} {}", name.display(), env!("CARGO_PKG_VERSION"))];
    match oci::engine_of_binary(&name) {
        Ok(engine) => lines.push(format!("engine: {engine}")),
        Err(error) => lines.push(format!("engine: {error}")),
    }
    for status in Runtime::new(RuntimeConfig::default()).engines() {
        lines.push(match status.capabilities {
            Ok(capabilities) => format!("{}: {}", status.name, capabilities.version),
            Err(error) => format!("{}: not here: {error}", status.name),
        });
    }
    let written = lines.iter().try_for_each(|line| writeln!(out, "{line}"));
    ExitCode::from(u8::from(written.is_err()))
}
