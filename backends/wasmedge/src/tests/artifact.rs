//! Native code: what is compiled, what is refused, and that the very descriptor is what runs.

use super::{NoHost, Tier, compile, engine, i32s, options, prepare};
use crate::WasmEdgeEngine;
use crate::config;
use crate::sys::{self, CompilerSettings, Library, Output, Settings};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use wasmrt_model::ErrorKind;
use wasmrt_model::backend::{Code, CompileOptions, WasmEngine, WasmModule};

fn returning(number: i32) -> Vec<u8> {
    prepare(&format!(r#"(module (func (export "run") (result i32) (i32.const {number})))"#)).bytes
}

fn run_module(module: &dyn WasmModule) -> Vec<wasmrt_model::Value> {
    let mut guest = module.instantiate(&wasmrt_model::ModuleInfo::default(), &[], Box::new(NoHost)).unwrap();
    guest.call("run", &[]).unwrap()
}

#[test]
fn a_descriptor_that_comes_back_is_another_artifact() {
    let Some(engine) = engine() else { return };
    let artifacts: Vec<_> =
        (0..4).map(|number| compile(&engine, &returning(number), options(Tier::Baseline)).unwrap()).collect();
    // The same descriptor number for all of them, one after the other, and each file is unlinked already.
    let mut place = File::open("/dev/null").unwrap();
    let number_of_place = place.as_raw_fd();
    let mut reused = 0;
    for (number, artifact) in (0..).zip(&artifacts) {
        drop(place);
        let again = artifact.try_clone().unwrap();
        reused += usize::from(again.as_raw_fd() == number_of_place);
        let module = engine.load(Code::Artifact(again)).unwrap();
        assert_eq!(run_module(&*module), i32s(&[number]));
        drop(module);
        place = File::open("/dev/null").unwrap();
    }
    // Other tests open files too, so not every round has to hit; none at all would mean that nothing was shown.
    assert!(reused > 0);
    // All at once, and the first one again while it is mapped.
    let modules: Vec<_> =
        artifacts.iter().map(|file| engine.load(Code::Artifact(file.try_clone().unwrap())).unwrap()).collect();
    for (number, module) in (0..).zip(&modules) {
        assert_eq!(run_module(&**module), i32s(&[number]));
    }
    let again = engine.load(Code::Artifact(artifacts[0].try_clone().unwrap())).unwrap();
    drop(modules);
    assert_eq!(run_module(&*again), i32s(&[0]));
}

#[test]
fn a_module_outlives_its_engine_and_an_instance_its_module() {
    let Some(engine) = engine() else { return };
    let artifact = compile(&engine, &returning(5), options(Tier::Optimized)).unwrap();
    let module = engine.load(Code::Artifact(artifact)).unwrap();
    drop(engine);
    let mut guest = module.instantiate(&wasmrt_model::ModuleInfo::default(), &[], Box::new(NoHost)).unwrap();
    drop(module);
    assert_eq!(guest.call("run", &[]).unwrap(), i32s(&[5]));
}

#[test]
fn what_is_no_shared_object_is_no_artifact() {
    let Some(engine) = engine() else { return };
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("empty", &b""[..]),
        ("short", b"\x7fE"),
        ("wasm", &returning(1)),
        ("text", b"#!/bin/sh\n"),
        ("elf", b"\x7fELF"),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        let error = engine.load(Code::Artifact(File::open(&path).unwrap())).map(|_| ()).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Internal, "{name}");
    }
}

#[test]
fn native_code_inside_a_module_is_not_executed() {
    let Some(_) = engine() else { return };
    let library = Library::load().unwrap();
    let settings = |native| Settings::new(library, &config::proposals(config::COMPILED), native).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("universal.wasm");
    let compiler = settings(true).with_compiler(CompilerSettings { optimize: 0, output: Output::Universal });
    let path = CString::new(output.to_str().unwrap()).unwrap();
    sys::compile(&compiler, &returning(666), &path).unwrap();

    // The custom section of one module at the end of another one.
    let universal = std::fs::read(output).unwrap();
    let section = wasmparser::Parser::new(0)
        .parse_all(&universal)
        .find_map(|payload| match payload.unwrap() {
            wasmparser::Payload::CustomSection(section) if section.name() == "wasmedge" => Some(section.range()),
            _ => None,
        })
        .unwrap();
    let mut hostile = returning(42);
    // The range starts behind id and size; the size is written again, in full length.
    let size = u32::try_from(section.len()).unwrap();
    hostile.push(0);
    hostile.extend((0..5).map(|i| {
        let bits = u8::try_from(size >> (7 * i) & 0x7f).unwrap();
        if i < 4 { bits | 0x80 } else { bits }
    }));
    hostile.extend(&universal[section]);

    let run = |native| {
        let settings = Arc::new(settings(native));
        let module = Arc::new(sys::Module::from_bytes(&settings, &hostile).unwrap());
        let mut guest =
            sys::Guest::new(&settings, &module, wasmrt_model::FeatureSet::EMPTY, &[], Box::new(NoHost)).unwrap();
        guest.call("run", &[]).unwrap().unwrap()
    };
    assert_eq!(run(true), i32s(&[666]), "the attack is real");
    assert_eq!(run(false), i32s(&[42]));
    let engine = WasmEdgeEngine::load().unwrap();
    assert_eq!(run_module(&*engine.load(Code::Wasm(&hostile)).unwrap()), i32s(&[42]));
}

#[test]
fn levels_are_taken_or_refused_by_name() {
    let Some(engine) = engine() else { return };
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("artifact");
    let kind = |tier, optimize| {
        let result = engine.compile(&returning(1), CompileOptions { tier, optimize }, &output);
        assert_eq!(result.is_ok(), output.exists(), "an artifact, or an error");
        let _ = std::fs::remove_file(&output);
        result.err().map(|error| error.kind())
    };
    for tier in [Tier::Baseline, Tier::Optimized] {
        for level in [None, Some(0), Some(2), Some(3)] {
            assert_eq!(kind(tier, level), None, "{tier} {level:?}");
        }
        assert_eq!(kind(tier, Some(1)), Some(ErrorKind::Unsupported));
        assert_eq!(kind(tier, Some(4)), Some(ErrorKind::InvalidInput));
    }
    assert_eq!(kind(Tier::Interpreter, None), Some(ErrorKind::InvalidInput));
}

#[test]
fn what_cannot_be_compiled_or_written_is_an_error() {
    let Some(engine) = engine() else { return };
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("artifact");
    let kind = |module: &[u8], output: &std::path::Path| {
        engine.compile(module, options(Tier::Baseline), output).unwrap_err().kind()
    };
    assert_eq!(kind(b"\0asm\x01\0\0\0\x01", &output), ErrorKind::InvalidModule);
    assert_eq!(kind(b"", &output), ErrorKind::InvalidModule);
    assert!(!output.exists());
    assert_eq!(kind(&returning(1), &directory.path().join("absent/artifact")), ErrorKind::CompileFailed);
    std::fs::write(&output, "mine").unwrap();
    assert_eq!(kind(&returning(1), &output), ErrorKind::CompileFailed);
    assert_eq!(std::fs::read(&output).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left behind");
}

#[test]
fn nothing_but_the_artifact_is_left_behind() {
    let Some(engine) = engine() else { return };
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("artifact");
    engine.compile(&returning(1), options(Tier::Baseline), &output).unwrap();
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["artifact"]);
}

#[test]
fn broken_modules_are_rejected_at_every_length() {
    let Some(engine) = engine() else { return };
    let bytes =
        prepare(r#"(module (memory (export "memory") 1) (func (export "run") (result i32) (i32.const 1)))"#).bytes;
    // Between two sections a shorter module is a good one; the last one is the code that the functions need.
    for length in 9..bytes.len() {
        match engine.load(Code::Wasm(&bytes[..length])) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidModule, "{length}"),
        }
    }
    for bytes in [&b""[..], b"\0asm", b"\0asm\x02\0\0\0", b"\x7fELF....", b"hello"] {
        let error = engine.load(Code::Wasm(bytes)).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidModule, "{bytes:?}");
    }
}

#[test]
fn the_fingerprint_tells_apart_what_makes_other_code() {
    let Some(engine) = engine() else { return };
    let key = |tier, optimize| engine.fingerprint(CompileOptions { tier, optimize });
    assert_eq!(key(Tier::Baseline, None), key(Tier::Baseline, Some(0)));
    assert_eq!(key(Tier::Optimized, None), key(Tier::Optimized, Some(2)));
    assert_eq!(key(Tier::Optimized, None), WasmEdgeEngine::load().unwrap().fingerprint(options(Tier::Optimized)));
    let all = [key(Tier::Baseline, None), key(Tier::Optimized, None), key(Tier::Optimized, Some(3))];
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
    assert!(all.iter().all(|key| key.contains(engine.capabilities().version.as_str())));
}
