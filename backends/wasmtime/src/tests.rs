//! What this engine does, from the outside: through the traits alone. The guests are texts; what the guard would know of them
//! is said by the test.
#![allow(clippy::expect_used, reason = "a failed expectation is a failed test")]

mod artifacts;
mod features;
mod host;
mod instances;
mod limits;
mod traps;

use crate::WasmtimeEngine;
use crate::imports::number_type;
use std::fmt;
use wasmrt_model::backend::{
    Code, CompileOptions, Ending, HostFunctions, ImportedFunction, WasmEngine, WasmInstance, WasmModule,
};
use wasmrt_model::module::Size;
use wasmrt_model::{FunctionType, ModuleInfo, Tier, Trap, TrapKind, Value};

pub(crate) const OPTIMIZED: CompileOptions = CompileOptions { tier: Tier::Optimized, optimize: None };
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

/// An engine whose guests fit the 2 MiB stacks of the test harness's threads.
pub(crate) fn engine() -> WasmtimeEngine {
    WasmtimeEngine::with_wasm_stack(1 << 20).unwrap()
}

pub(crate) fn load(text: &str) -> Box<dyn WasmModule> {
    engine().load(Code::Wasm(&wasm(text))).unwrap()
}

/// The function imports of a module, as the guard would list them.
pub(crate) fn imports(wasm: &[u8]) -> Vec<ImportedFunction> {
    let module = wasmtime::Module::new(&wasmtime::Engine::default(), wasm).unwrap();
    let signature = |function: wasmtime::FuncType| {
        let types = |types: &mut dyn Iterator<Item = wasmtime::ValType>| {
            types.map(|value| number_type(&value).unwrap()).collect::<Vec<_>>()
        };
        FunctionType { params: types(&mut function.params()), results: types(&mut function.results()) }
    };
    module
        .imports()
        .map(|import| ImportedFunction {
            module: import.module().to_owned(),
            name: import.name().to_owned(),
            signature: signature(import.ty().unwrap_func().clone()),
        })
        .collect()
}

/// What the guard knows of a module with these memories (minimum and maximum in pages) and up to eight small tables.
pub(crate) fn info(memories: &[(u64, Option<u64>)]) -> ModuleInfo {
    ModuleInfo {
        memories: memories.iter().map(|&(minimum, maximum)| Size { minimum, maximum }).collect(),
        tables: vec![Size { minimum: 0, maximum: Some(1000) }; 8],
        ..ModuleInfo::default()
    }
}

/// What the guard knows of a module with one memory of up to 16 pages.
pub(crate) fn small() -> ModuleInfo {
    info(&[(1, Some(16))])
}

/// An instance of a module without imports, with one memory at most.
pub(crate) fn instance(text: &str) -> Box<dyn WasmInstance> {
    load(text).instantiate(&small(), &[], no_host()).unwrap()
}

/// On a thread like a worker's main thread: those of the test harness have 2 MiB of stack.
pub(crate) fn on_worker_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().stack_size(8 << 20).spawn_scoped(scope, work).unwrap();
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Calls the export `run` of a module without imports.
pub(crate) fn run(text: &str, args: &[Value]) -> Result<Vec<Value>, Ending> {
    load(text).instantiate(&small(), &[], no_host())?.call("run", args)
}

/// Calls the export `run` of a module with this host.
pub(crate) fn run_with<F>(text: &str, host: F) -> Result<Vec<Value>, Ending>
where
    F: FnMut(usize, &mut [u8], &[u64], &mut [u64]) -> Result<(), Ending> + Send + 'static,
{
    let wasm = wasm(text);
    let module = engine().load(Code::Wasm(&wasm)).unwrap();
    module.instantiate(&small(), &imports(&wasm), Box::new(Host(host)))?.call("run", &[])
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
