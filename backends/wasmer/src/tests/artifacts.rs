//! Native code goes through a file and back; what this engine did not write is rejected by wasmer itself.

use super::*;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use wasmrt_model::ErrorKind;

const ANSWER: &str = r#"(module (memory (export "memory") 1) (data (i32.const 4) "*") (func (export "run") (result i32) (i32.load8_u (i32.const 4))))"#;

/// Compiles to a file, deletes the file and loads what its descriptor still holds.
pub(crate) fn round_trip(wasm: &[u8]) -> Box<dyn WasmModule> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    engine().compile(wasm, BASELINE, &path).unwrap();
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

fn artifact() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    engine().compile(&wasm(ANSWER), BASELINE, &path).unwrap();
    fs::read(&path).unwrap()
}

#[test]
fn code_runs_from_the_descriptor_alone_wherever_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    for optimize in [None, Some(0)] {
        engine().compile(&wasm(ANSWER), CompileOptions { tier: Tier::Baseline, optimize }, &path).unwrap();
        let mut file = File::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        let module = engine().load(Code::Artifact(file)).unwrap();
        let mut guest = module.instantiate(&info(), &[], no_host()).unwrap();
        assert_eq!(guest.call("run", &[]).unwrap(), [Value::I32(42)]);
    }
}

#[test]
fn levels_and_tiers_that_do_not_exist_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    let compile = |tier, optimize| engine().compile(&wasm(ANSWER), CompileOptions { tier, optimize }, &path);
    for (tier, optimize) in [
        (Tier::Interpreter, None),
        (Tier::Optimized, None),
        (Tier::Optimized, Some(0)),
        (Tier::Baseline, Some(1)),
        (Tier::Baseline, Some(3)),
    ] {
        assert_eq!(compile(tier, optimize).unwrap_err().kind(), ErrorKind::Unsupported, "{tier} {optimize:?}");
    }
    assert_eq!(compile(Tier::Baseline, Some(4)).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(!path.exists());
}

#[test]
fn an_existing_output_is_left_alone_and_a_bad_module_leaves_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    let bad = engine().compile(b"\0asm\x01\0\0\0\xff", BASELINE, &path).unwrap_err();
    assert_eq!(bad.kind(), ErrorKind::CompileFailed);
    assert!(!path.exists());
    fs::write(&path, "mine").unwrap();
    assert!(engine().compile(&wasm(ANSWER), BASELINE, &path).is_err());
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
    for bytes in [&b""[..], b"\x7fELF", b"wasmer-universal", &wasm(ANSWER), &own_program] {
        assert_eq!(load_bytes(bytes).unwrap_err().kind(), ErrorKind::Internal);
    }
}

#[test]
fn an_artifact_that_was_cut_is_rejected() {
    let whole = artifact();
    assert!(load_bytes(&whole).is_ok());
    for length in [0, 1, 16, 32, whole.len() / 2, whole.len() - 1] {
        assert_eq!(load_bytes(&whole[..length]).unwrap_err().kind(), ErrorKind::Internal, "{length}");
    }
}

#[test]
fn fingerprints_tell_what_is_refused_and_name_version_and_processor() {
    let of = |tier, optimize| engine().fingerprint(CompileOptions { tier, optimize });
    let baseline = of(Tier::Baseline, None);
    assert_eq!(baseline, of(Tier::Baseline, Some(0)));
    assert_ne!(baseline, of(Tier::Optimized, None));
    assert!(baseline.contains(crate::config::VERSION) && baseline.contains(std::env::consts::ARCH));
    if cfg!(target_arch = "x86_64") {
        assert!(baseline.contains("sse2"), "{baseline}");
    }
}

#[test]
fn the_version_is_that_of_the_lock_file() {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    for name in ["wasmer", "wasmer-compiler", "wasmer-compiler-singlepass", "wasmer-types", "wasmer-vm"] {
        let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
        assert_eq!(lines.nth(1), Some(format!("version = \"{}\"", crate::config::VERSION).as_str()), "{name}");
    }
    assert_eq!(engine().capabilities().version, crate::config::VERSION);
}
