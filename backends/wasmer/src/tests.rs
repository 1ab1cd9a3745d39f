//! What this engine does, from the outside: through the traits alone. The guests are texts; their imports are read from them.
#![allow(clippy::expect_used, reason = "a failed expectation is a failed test")]

mod artifacts;
mod features;
mod host;
mod instances;
mod stack;
mod traps;

use crate::WasmerEngine;
use crate::imports::number_type;
use std::fmt;
use wasmrt_model::backend::{
    Code, CompileOptions, Ending, HostFunctions, ImportedFunction, WasmEngine, WasmInstance, WasmModule,
};
use wasmrt_model::{FunctionType, ModuleInfo, Tier, Trap, TrapKind, Value};

pub(crate) const BASELINE: CompileOptions = CompileOptions { tier: Tier::Baseline, optimize: None };

/// A host whose functions are one closure.
pub(crate) struct Host<F>(pub(crate) F);

impl<F> fmt::Debug for Host<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host")
    }
}

impl<F: FnMut(usize, &mut [u8], &[u64], &mut [u64]) -> Result<(), Ending> + Send> HostFunctions for Host<F> {
    fn call(&mut self, import: usize, memory: &mut [u8], args: &[u64], results: &mut [u64]) -> Result<(), Ending> {
        (self.0)(import, memory, args, results)
    }
}

/// A host that nobody may call.
pub(crate) fn no_host() -> Box<dyn HostFunctions> {
    Box::new(Host(|import, _: &mut [u8], _: &[u64], _: &mut [u64]| panic!("import {import} was called")))
}

pub(crate) fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the guest's text is right")
}

pub(crate) fn engine() -> WasmerEngine {
    WasmerEngine::with_stack(1 << 20).unwrap()
}

pub(crate) fn load(text: &str) -> Box<dyn WasmModule> {
    engine().load(Code::Wasm(&wasm(text))).unwrap()
}

/// The function imports of a module, as the guard would list them.
pub(crate) fn imports(wasm: &[u8]) -> Vec<ImportedFunction> {
    let mut types = Vec::new();
    let mut found = Vec::new();
    let value = |kind: &wasmparser::ValType| match kind {
        wasmparser::ValType::I32 => wasmer::Type::I32,
        wasmparser::ValType::I64 => wasmer::Type::I64,
        wasmparser::ValType::F32 => wasmer::Type::F32,
        _ => wasmer::Type::F64,
    };
    let values = |kinds: &[wasmparser::ValType]| kinds.iter().map(|kind| number_type(&value(kind)).unwrap()).collect();
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            wasmparser::Payload::TypeSection(section) => {
                for signature in section.into_iter_err_on_gc_types() {
                    let signature = signature.unwrap();
                    types.push(FunctionType {
                        params: values(signature.params()),
                        results: values(signature.results()),
                    });
                }
            }
            wasmparser::Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.unwrap();
                    let wasmparser::TypeRef::Func(index) = import.ty else { panic!("only functions are imported") };
                    found.push(ImportedFunction {
                        module: import.module.to_owned(),
                        name: import.name.to_owned(),
                        signature: types[usize::try_from(index).unwrap()].clone(),
                    });
                }
            }
            _ => {}
        }
    }
    found
}

/// This engine asks nothing of what the guard knows.
pub(crate) fn info() -> ModuleInfo {
    ModuleInfo::default()
}

/// An instance of a module without imports.
pub(crate) fn instance(text: &str) -> Box<dyn WasmInstance> {
    load(text).instantiate(&info(), &[], no_host()).unwrap()
}

/// Calls the export `run` of a module without imports.
pub(crate) fn run(text: &str, args: &[Value]) -> Result<Vec<Value>, Ending> {
    load(text).instantiate(&info(), &[], no_host())?.call("run", args)
}

/// Calls the export `run` of a module with this host.
pub(crate) fn run_with<F>(text: &str, host: F) -> Result<Vec<Value>, Ending>
where
    F: FnMut(usize, &mut [u8], &[u64], &mut [u64]) -> Result<(), Ending> + Send + 'static,
{
    let wasm = wasm(text);
    let module = engine().load(Code::Wasm(&wasm)).unwrap();
    module.instantiate(&info(), &imports(&wasm), Box::new(Host(host)))?.call("run", &[])
}

pub(crate) fn trap_of<T: fmt::Debug>(result: Result<T, Ending>) -> Trap {
    match result {
        Err(Ending::Trap(trap)) => trap,
        other => panic!("no trap but {other:?}"),
    }
}

pub(crate) fn kind_of<T: fmt::Debug>(result: Result<T, Ending>) -> TrapKind {
    trap_of(result).kind
}

/// Runs one test of this crate in a process of its own, by the shell, after what `before` does to that process.
pub(crate) fn run_alone(name: &str, before: &str) {
    let script = format!("{before} exec \"$0\" --exact \"$1\" --ignored --nocapture");
    let child = std::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .arg(format!("tests::{name}"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{}\n{said}\n{}", child.status, String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("1 passed"), "the child ran no test: {said}");
}
