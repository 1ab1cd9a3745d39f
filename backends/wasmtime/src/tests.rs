//! What this engine does, from the outside: the suite that all engines run, and what only this one has or is asked.
#![allow(clippy::expect_used, reason = "a failed expectation is a failed test")]

mod artifacts;
mod features;
mod limits;
mod stack;

use crate::WasmtimeEngine;
use wasmrt_backend_tests::{Differences, StackOverflow, Subject, no_host, trap_of, wasm};
use wasmrt_model::backend::{Code, CompileOptions, Ending, WasmEngine, WasmInstance, WasmModule};
use wasmrt_model::module::Size;
use wasmrt_model::{ErrorKind, ModuleInfo, Tier, TrapKind, Value};

pub(crate) const OPTIMIZED: CompileOptions = CompileOptions { tier: Tier::Optimized, optimize: None };
pub(crate) const BASELINE: CompileOptions = CompileOptions { tier: Tier::Baseline, optimize: None };

mod suite {
    wasmrt_backend_tests::suite!(crate::tests::subject);
}

/// This engine, and in what it differs from others.
fn subject() -> Option<Subject> {
    let differs = Differences {
        levels: &[
            (Tier::Interpreter, None, Some(ErrorKind::Unsupported)),
            (Tier::Baseline, None, None),
            (Tier::Baseline, Some(0), None),
            (Tier::Baseline, Some(1), None),
            (Tier::Baseline, Some(2), None),
            (Tier::Baseline, Some(3), None),
            (Tier::Baseline, Some(4), Some(ErrorKind::InvalidInput)),
            (Tier::Optimized, None, None),
            (Tier::Optimized, Some(0), None),
            (Tier::Optimized, Some(1), None),
            (Tier::Optimized, Some(2), None),
            (Tier::Optimized, Some(3), None),
            (Tier::Optimized, Some(4), Some(ErrorKind::InvalidInput)),
        ],
        same_code: &[
            &[(Tier::Baseline, None), (Tier::Baseline, Some(0)), (Tier::Optimized, Some(0))],
            &[
                (Tier::Optimized, None),
                (Tier::Optimized, Some(1)),
                (Tier::Optimized, Some(2)),
                (Tier::Optimized, Some(3)),
                (Tier::Baseline, Some(1)),
            ],
        ],
        crates: &["wasmtime"],
        uncompilable: ErrorKind::CompileFailed,
        unwritable: [ErrorKind::Internal, ErrorKind::NotFound],
        mislinked: ErrorKind::Internal,
        imports_several_results: true,
        imports_by_position: true,
        gaps: &[],
        untrapped: &[],
        stack_overflow: StackOverflow::Traced,
        threads_in_place: false,
    };
    Some(Subject::new(|| Box::new(engine()), differs))
}

/// An engine whose guests fit the 2 MiB stacks of the test harness's threads.
pub(crate) fn engine() -> WasmtimeEngine {
    WasmtimeEngine::with_wasm_stack(1 << 20).unwrap()
}

pub(crate) fn load(text: &str) -> Box<dyn WasmModule> {
    engine().load(Code::Wasm(&wasm(text))).unwrap()
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
