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
fn code_of_every_level_runs_from_the_descriptor_alone() {
    for tier in [Tier::Baseline, Tier::Optimized] {
        for optimize in [None, Some(0), Some(1), Some(2), Some(3)] {
            let module = round_trip(&wasm(ANSWER), CompileOptions { tier, optimize });
            let mut guest = module.instantiate(&small(), &[], no_host()).unwrap();
            assert_eq!(guest.call("run", &[]).unwrap(), [Value::I32(42)]);
        }
    }
}

#[test]
fn levels_and_tiers_that_do_not_exist_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    let compile = |tier, optimize| engine().compile(&wasm(ANSWER), CompileOptions { tier, optimize }, &path);
    assert_eq!(compile(Tier::Interpreter, None).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(compile(Tier::Optimized, Some(4)).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(!path.exists());
}

#[test]
fn an_existing_output_is_left_alone_and_a_bad_module_leaves_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    let bad = engine().compile(b"\0asm\x01\0\0\0\xff", OPTIMIZED, &path).unwrap_err();
    assert_eq!(bad.kind(), ErrorKind::CompileFailed);
    assert!(!path.exists());
    fs::write(&path, "mine").unwrap();
    assert!(engine().compile(&wasm(ANSWER), OPTIMIZED, &path).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn rejected_modules_are_invalid() {
    for bytes in [&b""[..], b"\0asm\x01\0\0\0\xff", b"\x7fELF", b"(module)"] {
        assert_eq!(engine().load(Code::Wasm(bytes)).unwrap_err().kind(), ErrorKind::InvalidModule);
    }
}

#[test]
fn what_is_no_artifact_is_rejected() {
    let own_program = fs::read(std::env::current_exe().unwrap()).unwrap();
    for bytes in [&b""[..], b"\x7fELF", &wasm(ANSWER), &own_program] {
        assert_eq!(load_bytes(bytes).unwrap_err().kind(), ErrorKind::Internal);
    }
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

#[test]
fn fingerprints_tell_levels_apart_and_nothing_else() {
    let of = |tier, optimize| engine().fingerprint(CompileOptions { tier, optimize });
    let (none, speed) = (of(Tier::Baseline, None), of(Tier::Optimized, None));
    assert_ne!(none, speed);
    assert_eq!(none, of(Tier::Optimized, Some(0)));
    for level in 1..=3 {
        assert_eq!(speed, of(Tier::Optimized, Some(level)));
    }
    assert!(
        speed.contains(env!("CARGO_PKG_NAME").trim_start_matches("wasmrt-")) && speed.contains(crate::config::VERSION)
    );
    assert_eq!(
        engine().fingerprint(OPTIMIZED),
        WasmtimeEngine::with_wasm_stack(1 << 20).unwrap().fingerprint(OPTIMIZED)
    );
}

#[test]
fn the_version_is_that_of_the_lock_file() {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    let mut lines = lock.lines().skip_while(|line| *line != "name = \"wasmtime\"");
    assert_eq!(lines.nth(1), Some(format!("version = \"{}\"", crate::config::VERSION).as_str()));
    assert_eq!(engine().capabilities().version, crate::config::VERSION);
}

/// Code for guests in the caller's process has checks for interruptions; taking the one for the other would lose the deadline.
#[test]
fn code_for_the_callers_process_is_of_a_kind_of_its_own() {
    let options = CompileOptions { tier: Tier::Optimized, optimize: None };
    let (own, within) = (engine(), WasmtimeEngine::in_process().unwrap());
    assert_ne!(own.fingerprint(options), within.fingerprint(options));
    let directory = tempfile::tempdir().unwrap();
    let wasm = wat::parse_str(ANSWER).unwrap();
    for (makes, takes) in [(&own, &within), (&within, &own)] {
        let path = directory.path().join(if std::ptr::eq(makes, &own) { "own" } else { "within" });
        makes.compile(&wasm, options, &path).unwrap();
        assert!(makes.load(Code::Artifact(File::open(&path).unwrap())).is_ok());
        assert!(takes.load(Code::Artifact(File::open(&path).unwrap())).is_err());
    }
}
