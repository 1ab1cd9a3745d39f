//! What this engine does, from the outside: the suite that all engines run, and what only this one has or is asked.

mod artifacts;
mod features;
mod stack;

use crate::WasmerEngine;
use wasmrt_backend_tests::{Differences, StackOverflow, Subject, no_host, run_alone, wasm};
use wasmrt_model::backend::{Code, CompileOptions, Ending, WasmEngine, WasmModule};
use wasmrt_model::{ErrorKind, ModuleInfo, Tier, Value};

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
            (Tier::Baseline, Some(1), Some(ErrorKind::Unsupported)),
            (Tier::Baseline, Some(3), Some(ErrorKind::Unsupported)),
            (Tier::Baseline, Some(4), Some(ErrorKind::InvalidInput)),
            (Tier::Optimized, None, Some(ErrorKind::Unsupported)),
            (Tier::Optimized, Some(0), Some(ErrorKind::Unsupported)),
        ],
        same_code: &[&[(Tier::Baseline, None), (Tier::Baseline, Some(0))], &[(Tier::Optimized, None)]],
        crates: &["wasmer", "wasmer-compiler", "wasmer-compiler-singlepass", "wasmer-types", "wasmer-vm"],
        uncompilable: ErrorKind::CompileFailed,
        unwritable: [ErrorKind::Internal, ErrorKind::NotFound],
        mislinked: ErrorKind::Internal,
        imports_several_results: false,
        imports_by_position: true,
        // The operand is a constant, and narrower than its type.
        gaps: &["(i64.atomic.rmw8.add_u (i32.const 8) (i64.const 1))"],
        // What is waited for is looked at first, and then whether anybody could say that it has come.
        untrapped: &["(drop (memory.atomic.wait32 (i32.const 4) (i32.const 2) (i64.const 0)))"],
        // wasmer does not look at the stack that has overflowed.
        stack_overflow: StackOverflow::Untraced,
        threads_in_place: true,
    };
    Some(Subject::new(|| Box::new(engine()), differs))
}

pub(crate) fn engine() -> WasmerEngine {
    WasmerEngine::with_stack(1 << 20).unwrap()
}

pub(crate) fn load(text: &str) -> Box<dyn WasmModule> {
    engine().load(Code::Wasm(&wasm(text))).unwrap()
}

/// This engine asks nothing of what the guard knows.
pub(crate) fn info() -> ModuleInfo {
    ModuleInfo::default()
}
