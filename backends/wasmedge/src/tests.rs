//! What this engine does: the suite that all engines run, and what only this one has. A machine without the library fails them, unless
//! `WASMRT_WITHOUT_WASMEDGE=1` says that this is known.

mod artifacts;
mod calls;
mod library;
mod traps;

use crate::WasmEdgeEngine;
use std::fs::File;
use wasmrt_backend_tests::{Differences, StackOverflow, Subject, failure_of, no_host, prepare, run_alone, wasm};
use wasmrt_model::backend::{Code, CompileOptions, Ending, HostFunctions, WasmEngine, WasmInstance, WasmModule};
use wasmrt_model::{ErrorKind, Tier, Value};

const TIERS: [Tier; 3] = [Tier::Interpreter, Tier::Baseline, Tier::Optimized];

mod suite {
    wasmrt_backend_tests::suite!(crate::tests::subject);
}

/// This engine, and in what it differs from others. None only where somebody said that there is none.
fn subject() -> Option<Subject> {
    engine()?;
    let differs = Differences {
        levels: &[
            (Tier::Interpreter, None, Some(ErrorKind::InvalidInput)),
            (Tier::Baseline, None, None),
            (Tier::Baseline, Some(0), None),
            (Tier::Baseline, Some(1), Some(ErrorKind::Unsupported)),
            (Tier::Baseline, Some(2), None),
            (Tier::Baseline, Some(3), None),
            (Tier::Baseline, Some(4), Some(ErrorKind::InvalidInput)),
            (Tier::Optimized, None, None),
            (Tier::Optimized, Some(0), None),
            (Tier::Optimized, Some(1), Some(ErrorKind::Unsupported)),
            (Tier::Optimized, Some(2), None),
            (Tier::Optimized, Some(3), None),
            (Tier::Optimized, Some(4), Some(ErrorKind::InvalidInput)),
        ],
        same_code: &[
            &[(Tier::Baseline, None), (Tier::Baseline, Some(0))],
            &[(Tier::Optimized, None), (Tier::Optimized, Some(2))],
            &[(Tier::Optimized, Some(3))],
        ],
        crates: &[],
        uncompilable: ErrorKind::InvalidModule,
        unwritable: [ErrorKind::CompileFailed, ErrorKind::CompileFailed],
        mislinked: ErrorKind::MissingImports,
        imports_several_results: true,
        // It links by name: the first import answers for all of that name.
        imports_by_position: false,
        gaps: &[],
        untrapped: &[],
        stack_overflow: StackOverflow::Fatal,
        threads_in_place: false,
    };
    Some(Subject::new(|| Box::new(WasmEdgeEngine::load().unwrap()), differs))
}

/// The engine; None only where somebody said that there is none.
fn engine() -> Option<WasmEdgeEngine> {
    match WasmEdgeEngine::load() {
        Ok(engine) => Some(engine),
        Err(_) if std::env::var_os("WASMRT_WITHOUT_WASMEDGE").is_some_and(|value| value == "1") => None,
        Err(error) => panic!("{error}"),
    }
}

fn options(tier: Tier) -> CompileOptions {
    CompileOptions { tier, optimize: None }
}

/// Compiles and opens the result.
fn compile(engine: &WasmEdgeEngine, bytes: &[u8], options: CompileOptions) -> wasmrt_model::Result<File> {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("artifact");
    engine.compile(bytes, options, &output)?;
    Ok(File::open(output).unwrap())
}

fn load(engine: &WasmEdgeEngine, bytes: &[u8], tier: Tier) -> wasmrt_model::Result<Box<dyn WasmModule>> {
    match tier {
        Tier::Interpreter => engine.load(Code::Wasm(bytes)),
        tier => engine.load(Code::Artifact(compile(engine, bytes, options(tier))?)),
    }
}

/// Everything from text to instance.
fn start(
    engine: &WasmEdgeEngine,
    text: &str,
    tier: Tier,
    host: Box<dyn HostFunctions>,
) -> Result<Box<dyn WasmInstance>, Ending> {
    let prepared = prepare(text);
    load(engine, &prepared.bytes, tier).unwrap().instantiate(&prepared.info, &prepared.imports, host)
}

fn i32s(values: &[i32]) -> Vec<Value> {
    values.iter().map(|value| Value::I32(*value)).collect()
}

/// What one engine tells lets another be known without loading, until anything that it depends on is different.
#[test]
fn an_engine_is_known_by_what_an_earlier_one_told() {
    let Some(engine) = engine() else { return };
    let told = engine.told().unwrap();
    let known = WasmEdgeEngine::recall(&told).unwrap();
    assert_eq!(known.capabilities(), engine.capabilities());
    let options = CompileOptions { tier: Tier::Optimized, optimize: None };
    assert_eq!(known.fingerprint(options), engine.fingerprint(options));
    assert_eq!(known.told(), Some(told.clone()));
    known.warm().unwrap();

    let parsed: serde_json::Value = serde_json::from_str(&told).unwrap();
    for (place, other) in [
        ("/path", serde_json::json!("/bin/true")),
        ("/file/size", serde_json::json!(1)),
        ("/file/inode", serde_json::json!(1)),
        ("/file/changed/1", serde_json::json!(-1)),
        ("/searched/loader_path", serde_json::json!("/elsewhere")),
        ("/searched/search/directory", serde_json::json!("/elsewhere")),
    ] {
        let mut changed = parsed.clone();
        *changed.pointer_mut(place).unwrap() = other;
        assert!(WasmEdgeEngine::recall(&changed.to_string()).is_none(), "{place}");
    }
    // A version that it does not have is found out when it is loaded.
    let mut changed = parsed;
    changed["version"] = serde_json::json!("0.14.0");
    let wrong = WasmEdgeEngine::recall(&changed.to_string()).unwrap();
    assert_eq!(wrong.warm().unwrap_err().kind(), ErrorKind::EngineUnavailable);
}
