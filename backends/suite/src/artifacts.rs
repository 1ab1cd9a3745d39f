//! Native code goes through a file and back; what the engine did not write is rejected by the engine itself.

use crate::hosts::no_host;
use crate::prepared::prepare;
use crate::{Subject, i32s, wasm};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::Path;
use wasmrt_model::backend::{Code, CompileOptions, WasmModule};
use wasmrt_model::{ErrorKind, ModuleInfo, Tier};

/// A module whose `run` returns this number, out of its memory.
fn returning(number: i32) -> Vec<u8> {
    wasm(&format!(
        r#"(module (memory (export "memory") 1) (data (i32.const 4) "*")
        (func (export "run") (result i32) (i32.add (i32.load8_u (i32.const 4)) (i32.const {}))))"#,
        number - 42
    ))
}

fn run(module: &dyn WasmModule) -> i32 {
    let info = prepare("(module (memory 1))").info;
    let result = module.instantiate(&info, &[], no_host()).unwrap().call("run", &[]).unwrap();
    match result[..] {
        [wasmrt_model::Value::I32(number)] => number,
        _ => panic!("{result:?}"),
    }
}

/// A tier of native code, at its usual level.
fn usual(subject: &Subject) -> CompileOptions {
    let tier = subject.native().next().expect("every engine has native code");
    CompileOptions { tier, optimize: None }
}

pub(crate) fn code_of_every_level_runs_from_the_descriptor_alone_wherever_it_stands(subject: &Subject) {
    for &(tier, optimize, refused) in subject.differs.levels {
        if refused.is_none() {
            let mut file = subject.compile(&returning(42), CompileOptions { tier, optimize }).unwrap();
            file.seek(SeekFrom::End(0)).unwrap();
            let module = subject.engine().load(Code::Artifact(file)).unwrap();
            assert_eq!(run(&*module), 42, "{tier} {optimize:?}");
        }
    }
}

pub(crate) fn levels_and_tiers_are_taken_or_refused_by_name(subject: &Subject) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    for &(tier, optimize, refused) in subject.differs.levels {
        let result = subject.engine().compile(&returning(42), CompileOptions { tier, optimize }, &path);
        assert_eq!(result.err().map(|error| error.kind()), refused, "{tier} {optimize:?}");
        assert_eq!(path.exists(), refused.is_none(), "{tier} {optimize:?}: an artifact, or an error");
        let _ = fs::remove_file(&path);
    }
    // What is claimed can be had, and what is not is tried.
    for tier in [Tier::Interpreter, Tier::Baseline, Tier::Optimized] {
        let usual = subject.differs.levels.iter().find(|(of, optimize, _)| (*of, *optimize) == (tier, None));
        let (_, _, refused) = usual.expect("the table has the usual level of every tier");
        assert_eq!(refused.is_none(), subject.native().any(|native| native == tier), "{tier}");
    }
}

pub(crate) fn an_existing_output_is_left_alone_and_what_fails_leaves_none(subject: &Subject) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    let kind = |module: &[u8], path: &Path| subject.engine().compile(module, usual(subject), path).unwrap_err().kind();
    for bad in [&b"\0asm\x01\0\0\0\xff"[..], b"\0asm\x01\0\0\0\x01", b""] {
        assert_eq!(kind(bad, &path), subject.differs.uncompilable, "{bad:?}");
        assert!(!path.exists());
    }
    let [taken, homeless] = subject.differs.unwritable;
    assert_eq!(kind(&returning(1), &directory.path().join("absent/artifact")), homeless);
    fs::write(&path, "mine").unwrap();
    assert_eq!(kind(&returning(1), &path), taken);
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left behind");
}

pub(crate) fn nothing_but_the_artifact_is_left_behind(subject: &Subject) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    subject.engine().compile(&returning(1), usual(subject), &path).unwrap();
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["artifact"]);
}

pub(crate) fn rejected_modules_are_invalid_at_every_length(subject: &Subject) {
    let load = |bytes: &[u8]| subject.engine().load(Code::Wasm(bytes)).map(drop).map_err(|error| error.kind());
    let whole = returning(1);
    // Between two sections a shorter module is a good one; the last one is the code that the functions need.
    for length in 9..whole.len() {
        assert!(matches!(load(&whole[..length]), Ok(()) | Err(ErrorKind::InvalidModule)), "{length}");
    }
    for bytes in [
        &b""[..],
        b"\0asm",
        b"\0asm\x02\0\0\0",
        b"\0asm\x01\0\0\0\xff",
        b"\0asm\x01\0\0\0\x01",
        b"\x7fELF",
        b"\x7fELF....",
        b"(module)",
        b"hello",
    ] {
        assert_eq!(load(bytes), Err(ErrorKind::InvalidModule), "{bytes:?}");
    }
}

pub(crate) fn what_is_no_artifact_is_rejected(subject: &Subject) {
    let own_program = fs::read(std::env::current_exe().unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("artifact");
    for bytes in [&b""[..], b"\x7fE", b"\x7fELF", b"#!/bin/sh\n", b"wasmer-universal", &returning(1), &own_program] {
        fs::write(&path, bytes).unwrap();
        let error = subject.engine().load(Code::Artifact(File::open(&path).unwrap())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{} bytes", bytes.len());
    }
}

pub(crate) fn a_descriptor_that_comes_back_is_another_artifact(subject: &Subject) {
    let artifacts: Vec<_> = (0..4).map(|number| subject.compile(&returning(number), usual(subject)).unwrap()).collect();
    // The same descriptor number for all of them, one after the other, and each file is unlinked already.
    let mut place = File::open("/dev/null").unwrap();
    let number_of_place = place.as_raw_fd();
    let mut reused = 0;
    for (number, artifact) in (0..).zip(&artifacts) {
        drop(place);
        let again = artifact.try_clone().unwrap();
        reused += usize::from(again.as_raw_fd() == number_of_place);
        let module = subject.engine().load(Code::Artifact(again)).unwrap();
        assert_eq!(run(&*module), number);
        drop(module);
        place = File::open("/dev/null").unwrap();
    }
    // Other tests open files too, so not every round has to hit; none at all would mean that nothing was shown.
    assert!(reused > 0);
    // All at once, and the first one again while it is mapped.
    let load = |file: &File| subject.engine().load(Code::Artifact(file.try_clone().unwrap())).unwrap();
    let modules: Vec<_> = artifacts.iter().map(load).collect();
    for (number, module) in (0..).zip(&modules) {
        assert_eq!(run(&**module), number);
    }
    let again = load(&artifacts[0]);
    drop(modules);
    assert_eq!(run(&*again), 0);
}

pub(crate) fn a_module_outlives_its_engine_and_an_instance_its_module(subject: &Subject) {
    let wasm = wasm(r#"(module (func (export "run") (result i32) (i32.const 5)))"#);
    for tier in subject.native() {
        let artifact = subject.compile(&wasm, CompileOptions { tier, optimize: None }).unwrap();
        for code in [Code::Artifact(artifact), Code::Wasm(&wasm)] {
            let engine = subject.new_engine();
            let module = engine.load(code).unwrap();
            drop(engine);
            let mut guest = module.instantiate(&ModuleInfo::default(), &[], no_host()).unwrap();
            drop(module);
            assert_eq!(guest.call("run", &[]).unwrap(), i32s(&[5]), "{tier}");
        }
    }
}

pub(crate) fn fingerprints_tell_apart_what_makes_other_code_and_nothing_else(subject: &Subject) {
    let (engine, other) = (subject.new_engine(), subject.new_engine());
    let capabilities = engine.capabilities();
    let mut prints = Vec::new();
    for group in subject.differs.same_code {
        let of = |(tier, optimize): (Tier, Option<u8>)| engine.fingerprint(CompileOptions { tier, optimize });
        let print = of(group[0]);
        for &(tier, optimize) in *group {
            assert_eq!(of((tier, optimize)), print, "{tier} {optimize:?}");
            assert_eq!(other.fingerprint(CompileOptions { tier, optimize }), print, "{tier} {optimize:?}");
        }
        assert!(!prints.contains(&print), "{group:?}: {print}");
        prints.push(print);
    }
    for &(tier, optimize, _) in subject.differs.levels.iter().filter(|(_, _, refused)| refused.is_none()) {
        let print = engine.fingerprint(CompileOptions { tier, optimize });
        for part in [capabilities.engine.as_str(), &capabilities.version, std::env::consts::ARCH] {
            assert!(print.contains(part), "{part}: {print}");
        }
    }
}

pub(crate) fn the_version_is_that_of_the_lock_file(subject: &Subject) {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    for name in subject.differs.crates {
        let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
        assert_eq!(lines.nth(1), Some(format!("version = \"{}\"", subject.capabilities().version).as_str()), "{name}");
    }
}
