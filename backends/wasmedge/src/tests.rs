//! Tests against the real library. A machine without it fails them, unless `WASMRT_WITHOUT_WASMEDGE=1` says that this is known.

mod artifact;
mod calls;
mod features;
mod host;
mod library;
mod many;
mod traps;

use crate::WasmEdgeEngine;
use std::fs::File;
use std::process::Command;
use std::sync::{Arc, Mutex};
use wasmparser::{Parser, Payload, TypeRef, ValType};
use wasmrt_model::backend::{
    Code, CompileOptions, Ending, HostFunctions, ImportedFunction, WasmEngine, WasmInstance, WasmModule,
};
use wasmrt_model::module::Size;
use wasmrt_model::{ErrorKind, FunctionType, ModuleInfo, Tier, Value, ValueType};

const TIERS: [Tier; 3] = [Tier::Interpreter, Tier::Baseline, Tier::Optimized];

/// The engine; None only where somebody said that there is none.
fn engine() -> Option<WasmEdgeEngine> {
    match WasmEdgeEngine::load() {
        Ok(engine) => Some(engine),
        Err(_) if std::env::var_os("WASMRT_WITHOUT_WASMEDGE").is_some_and(|value| value == "1") => None,
        Err(error) => panic!("{error}"),
    }
}

/// A module in text with what the guard would know of it.
#[derive(Debug)]
struct Prepared {
    bytes: Vec<u8>,
    info: ModuleInfo,
    imports: Vec<ImportedFunction>,
}

fn prepare(text: &str) -> Prepared {
    let bytes = wat::parse_str(text).unwrap();
    let mut info = ModuleInfo::default();
    let mut imports = Vec::new();
    let mut types = Vec::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::TypeSection(section) => {
                for group in section {
                    for sub_type in group.unwrap().into_types() {
                        types.push(match sub_type.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(function) => FunctionType {
                                params: function.params().iter().map(|t| value_type(*t)).collect(),
                                results: function.results().iter().map(|t| value_type(*t)).collect(),
                            },
                            _ => FunctionType::default(),
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.unwrap();
                    let TypeRef::Func(index) = import.ty else { panic!("only functions are imported") };
                    imports.push(ImportedFunction {
                        module: import.module.to_owned(),
                        name: import.name.to_owned(),
                        signature: types[usize::try_from(index).unwrap()].clone(),
                    });
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.unwrap();
                    info.memories.push(Size { minimum: memory.initial, maximum: memory.maximum });
                }
            }
            _ => {}
        }
    }
    Prepared { bytes, info, imports }
}

fn value_type(val_type: ValType) -> ValueType {
    match val_type {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::V128 => ValueType::V128,
        ValType::Ref(_) => ValueType::Ref,
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
    host: impl HostFunctions + 'static,
) -> Result<Box<dyn WasmInstance>, Ending> {
    let prepared = prepare(text);
    load(engine, &prepared.bytes, tier).unwrap().instantiate(&prepared.info, &prepared.imports, Box::new(host))
}

/// A host without functions.
#[derive(Debug)]
struct NoHost;

impl HostFunctions for NoHost {
    fn call(&mut self, _: usize, _: &mut [u8], _: &[u64], _: &mut [u64]) -> Result<(), Ending> {
        panic!("a guest without imports called the host")
    }
}

/// One call as the host saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    import: usize,
    memory: usize,
    args: Vec<u64>,
}

type Answer = Box<dyn FnMut(usize, &mut [u8], &[u64], &mut [u64]) -> Result<(), Ending> + Send>;

/// A host that notes its calls and answers as a test wants it.
struct Script {
    calls: Arc<Mutex<Vec<Call>>>,
    answer: Answer,
}

impl Script {
    fn new(
        answer: impl FnMut(usize, &mut [u8], &[u64], &mut [u64]) -> Result<(), Ending> + Send + 'static,
    ) -> (Self, Arc<Mutex<Vec<Call>>>) {
        let calls = Arc::new(Mutex::new(Vec::new()));
        (Self { calls: Arc::clone(&calls), answer: Box::new(answer) }, calls)
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

impl HostFunctions for Script {
    fn call(&mut self, import: usize, memory: &mut [u8], args: &[u64], results: &mut [u64]) -> Result<(), Ending> {
        self.calls.lock().unwrap().push(Call { import, memory: memory.len(), args: args.to_vec() });
        (self.answer)(import, memory, args, results)
    }
}

fn i32s(values: &[i32]) -> Vec<Value> {
    values.iter().map(|value| Value::I32(*value)).collect()
}

/// Runs an ignored test of this crate in a process of its own, and returns what it wrote.
fn run_alone(name: &str) -> String {
    run_alone_as(name, |_| ())
}

/// The same, after a change to the command.
fn run_alone_as(name: &str, change: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "--test-threads=1"]).arg(format!("tests::{name}"));
    change(&mut command);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{}: {text}", output.status);
    text
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
