//! What WasmEdge's codes mean: the same trap kinds that any other engine would report.
//!
//! Owns the table of `WasmEdge_ErrCode` (0.14). A code that is not in it is an error of ours, never a made-up trap.

use crate::sys::{Code, Library};
use wasmrt_model::backend::Ending;
use wasmrt_model::{Error, ErrorKind, Trap, TrapKind};

/// The trap that a code of the execution phase stands for.
fn trap_kind(code: u32) -> Option<TrapKind> {
    Some(match code {
        // A data or element segment that does not fit, as WebAssembly 1.0 called it.
        0x303 | 0x408 => TrapKind::MemoryOutOfBounds,
        // An indirect call beyond the end of the table is an access beyond its end.
        0x304 | 0x407 | 0x40c => TrapKind::TableOutOfBounds,
        0x404 => TrapKind::IntegerDivideByZero,
        0x405 => TrapKind::IntegerOverflow,
        0x406 => TrapKind::InvalidConversion,
        0x409 => TrapKind::ArrayOutOfBounds,
        0x40a => TrapKind::Unreachable,
        0x40b => TrapKind::UndefinedElement,
        0x40d => TrapKind::IndirectCallTypeMismatch,
        0x410 => TrapKind::UnalignedAtomic,
        // A wait on a memory that no other thread can see.
        0x411 => TrapKind::Other,
        // Null where something is needed: any reference, function, struct, array, i31, exception.
        0x412..=0x417 => TrapKind::NullReference,
        0x418 => TrapKind::CastFailure,
        0x419 => TrapKind::UncaughtException,
        _ => return None,
    })
}

/// `WasmEdge_ErrCode_Interrupted`.
const INTERRUPTED: u32 = 0x07;

/// How a code ends a running guest.
pub(crate) fn ending(library: &Library, code: Code) -> Ending {
    if code.number() == INTERRUPTED {
        return Ending::Interrupted;
    }
    match trap_kind(code.number()) {
        Some(TrapKind::Other) => Trap::new(TrapKind::Other).with_detail(code.message(library)).into(),
        Some(kind) => Trap::new(kind).into(),
        None => match code.number() {
            0x301 => error(library, code, ErrorKind::MissingImports, "an import has another type than the host offers"),
            0x302 => error(library, code, ErrorKind::MissingImports, "an import is not offered by the host"),
            _ => error(library, code, ErrorKind::Internal, "WasmEdge failed in a way that is no trap"),
        }
        .with_operation("run guest")
        .into(),
    }
}

/// The error for a code of reading, checking or compiling.
pub(crate) fn error(library: &Library, code: Code, kind: ErrorKind, message: &str) -> Error {
    let number = code.number();
    Error::new(kind, message)
        .with_context("engine", format!("wasmedge {}", library.version()))
        .with_context("reason", code.message(library))
        .with_context("code", format!("{number:#06x}"))
}

/// Whether a code says that the module breaks the rules: it was met while reading or checking.
pub(crate) fn is_invalid_module(code: Code) -> bool {
    (0x102..0x300).contains(&code.number())
}
