//! The engine that a shim is for, by the name under which it was installed.

use std::ffi::OsStr;
use std::path::Path;
use wasmrt_model::{EngineChoice, EngineName, Error, ErrorKind, Result};

/// Names of the executable. containerd makes them of a runtime's name: `io.containerd.wasmedge.v1` is containerd-shim-wasmedge-v1.
const NAMES: &[(&str, EngineChoice)] = &[
    ("containerd-shim-wasmedge-v1", EngineChoice::Named(EngineName::WasmEdge)),
    ("containerd-shim-wasmtime-v1", EngineChoice::Named(EngineName::Wasmtime)),
    ("containerd-shim-wasmer-v1", EngineChoice::Named(EngineName::Wasmer)),
    ("containerd-shim-wasm-v2", EngineChoice::Auto),
    ("containerd-shim-wasmrt", EngineChoice::Auto),
];

/// The engine for an executable, which is given by its name or its path.
///
/// # Errors
/// `InvalidInput` for a name that stands for no engine, with those that do.
pub(crate) fn engine_of_binary(binary: &OsStr) -> Result<EngineChoice> {
    let name = Path::new(binary).file_name().unwrap_or(binary);
    NAMES.iter().find(|(known, _)| name == OsStr::new(known)).map(|(_, engine)| *engine).ok_or_else(|| {
        let known: Vec<&str> = NAMES.iter().map(|(known, _)| *known).collect();
        Error::new(ErrorKind::InvalidInput, format!("'{}' stands for no engine", name.display()))
            .with_operation("choose engine")
            .with_hint(format!("install the shim as one of {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_for_its_engine() {
        let named = |engine| EngineChoice::Named(engine);
        for (binary, engine) in [
            ("containerd-shim-wasmedge-v1", named(EngineName::WasmEdge)),
            ("/usr/local/bin/containerd-shim-wasmtime-v1", named(EngineName::Wasmtime)),
            ("./containerd-shim-wasmer-v1", named(EngineName::Wasmer)),
            ("/opt/bin/containerd-shim-wasm-v2", EngineChoice::Auto),
            ("containerd-shim-wasmrt", EngineChoice::Auto),
        ] {
            assert_eq!(engine_of_binary(OsStr::new(binary)).unwrap(), engine, "{binary}");
        }
    }

    #[test]
    fn other_names_are_refused_with_those_that_are_known() {
        for binary in ["containerd-shim-runc-v2", "/bin/wasmedge", "", "/", "containerd-shim-wasmedge-v1/.."] {
            let error = engine_of_binary(OsStr::new(binary)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(NAMES.iter().all(|(name, _)| text.contains(name)), "{text}");
        }
    }
}
