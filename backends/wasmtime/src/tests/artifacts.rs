//! Native code goes through a file and back; what this engine did not write is rejected by wasmtime itself.

use super::*;
use std::fs::{self, File};
use wasmrt_model::ErrorKind;

const PLACE: crate::config::Place =
    crate::config::Place { stack: crate::config::WASM_STACK_BYTES, interruptible: false };

const ANSWER: &str = r#"(module (memory (export "memory") 1) (data (i32.const 4) "*") (func (export "run") (result i32) (i32.load8_u (i32.const 4))))"#;

/// Compiles to a file, deletes the file and loads what its descriptor still holds.
pub(crate) fn round_trip(wasm: &[u8], options: CompileOptions) -> Box<dyn WasmModule> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    engine().compile(wasm, options, &path).unwrap();
    let artifact = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    engine().load(Code::Artifact(artifact)).unwrap()
}

fn load_bytes(bytes: &[u8]) -> wasmrt_model::Result<Box<dyn WasmModule>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    fs::write(&path, bytes).unwrap();
    engine().load(Code::Artifact(File::open(&path).unwrap()))
}

fn artifact(options: CompileOptions) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    engine().compile(&wasm(ANSWER), options, &path).unwrap();
    fs::read(&path).unwrap()
}

#[test]
fn an_artifact_of_another_version_is_rejected() {
    let bytes = artifact(OPTIMIZED);
    // The engine's section starts with its format, the length of the version and the version: 0, 2, "48".
    let found: Vec<_> = (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == [0, 2, b'4', b'8']).collect();
    assert!(!found.is_empty());
    let mut foreign = bytes.clone();
    for at in found {
        foreign[at + 3] = b'7';
    }
    assert!(load_bytes(&bytes).is_ok());
    assert_eq!(load_bytes(&foreign).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn an_artifact_for_another_cpu_is_rejected() {
    let mut config = crate::config::compiling(PLACE, crate::config::Effort::Optimized, false);
    let other = if cfg!(target_arch = "x86_64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };
    // Only the compilers for this machine are built in, so foreign code is this machine's with another name on it.
    assert!(config.target(other).is_err() || wasmtime::Engine::new(&config).is_err());
    let bytes = artifact(OPTIMIZED);
    let own = std::env::consts::ARCH.as_bytes();
    let at = bytes.windows(own.len()).position(|window| window == own).expect("the artifact names its target");
    let mut foreign = bytes;
    foreign[at] = b'y';
    assert_eq!(load_bytes(&foreign).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn an_artifact_made_with_other_flags_is_rejected() {
    let mut config = crate::config::compiling(PLACE, crate::config::Effort::Optimized, false);
    config.consume_fuel(true);
    let foreign = wasmtime::Engine::new(&config).unwrap().precompile_module(&wasm(ANSWER)).unwrap();
    assert_eq!(load_bytes(&foreign).unwrap_err().kind(), ErrorKind::Internal);
}

/// Code for guests in the caller's process has checks for interruptions; taking the one for the other would lose the deadline.
#[test]
fn code_for_the_callers_process_is_of_a_kind_of_its_own() {
    let options = CompileOptions { tier: Tier::Optimized, optimize: None };
    let (own, within) = (engine(), WasmtimeEngine::in_process().unwrap());
    assert_ne!(own.fingerprint(options), within.fingerprint(options));
    let directory = tempfile::tempdir().unwrap();
    let wasm = wasm(ANSWER);
    for (makes, takes) in [(&own, &within), (&within, &own)] {
        let path = directory.path().join(if std::ptr::eq(makes, &own) { "own" } else { "within" });
        makes.compile(&wasm, options, &path).unwrap();
        assert!(makes.load(Code::Artifact(File::open(&path).unwrap())).is_ok());
        assert!(takes.load(Code::Artifact(File::open(&path).unwrap())).is_err());
    }
}
