//! `--version`: what this is, and which engines it finds. `-info`: the same for containerd 2, which asks a runtime what it is.

use crate::oci;
use containerd_shim::protos::protobuf::{Message, MessageField};
use containerd_shim::protos::types::introspection::{RuntimeInfo, RuntimeVersion};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::ExitCode;
use wasmrt_model::{Error, Result};
use wasmrt_runtime::{Runtime, RuntimeConfig};

/// Tells containerd what the runtime of this binary's name is.
///
/// # Errors
/// `Io` when it does not listen.
pub(crate) fn describe(binary: &OsStr) -> Result<()> {
    let version = RuntimeVersion { version: env!("CARGO_PKG_VERSION").to_owned(), ..RuntimeVersion::default() };
    let mut info = RuntimeInfo { name: runtime_of(&binary.to_string_lossy()), ..RuntimeInfo::default() };
    info.version = MessageField::some(version);
    let written = info.write_to_bytes().map_err(std::io::Error::other);
    written
        .and_then(|bytes| std::io::stdout().write_all(&bytes))
        .map_err(|source| Error::io("cannot tell containerd what this is", source))
}

/// What the configuration of containerd calls it.
fn runtime_of(binary: &str) -> String {
    let named = binary.strip_prefix("containerd-shim-").and_then(|rest| rest.rsplit_once('-'));
    named.map_or_else(|| binary.to_owned(), |(name, version)| format!("io.containerd.{name}.{version}"))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_is_a_runtime() {
        assert_eq!(runtime_of("containerd-shim-wasmedge-v1"), "io.containerd.wasmedge.v1");
        assert_eq!(runtime_of("containerd-shim-wasm-v2"), "io.containerd.wasm.v2");
        assert_eq!(runtime_of("shim"), "shim");
    }
}
