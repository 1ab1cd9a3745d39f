//! What wasmer itself checks of an artifact, and what tells its artifacts apart.

use super::*;
use std::fs::{self, File};

const ANSWER: &str = r#"(module (memory (export "memory") 1) (data (i32.const 4) "*") (func (export "run") (result i32) (i32.load8_u (i32.const 4))))"#;

#[test]
fn an_artifact_that_was_cut_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    engine().compile(&wasm(ANSWER), BASELINE, &path).unwrap();
    let whole = fs::read(&path).unwrap();
    let load = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        engine().load(Code::Artifact(File::open(&path).unwrap()))
    };
    assert!(load(&whole).is_ok());
    for length in [0, 1, 16, 32, whole.len() / 2, whole.len() - 1] {
        assert_eq!(load(&whole[..length]).unwrap_err().kind(), ErrorKind::Internal, "{length}");
    }
}

#[test]
fn fingerprints_name_the_processor() {
    let baseline = engine().fingerprint(BASELINE);
    if cfg!(target_arch = "x86_64") {
        assert!(baseline.contains("sse2"), "{baseline}");
    }
}
