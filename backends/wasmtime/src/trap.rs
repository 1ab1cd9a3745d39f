//! What wasmtime's errors mean: its trap codes in our words, its backtraces as frames.

use crate::instance::State;
use crate::interrupt::Interrupted;
use wasmrt_backend::HostEnded;
use wasmrt_backend::backtrace::readable;
use wasmrt_model::backend::Ending;
use wasmrt_model::{Error, ErrorKind, Frame, LimitKind, Trap, TrapKind};
use wasmtime::{GcHeapOutOfMemory, Store, ThrownException, WasmBacktrace};

/// How the guest ended when wasmtime returned this error.
pub(crate) fn ending(error: wasmtime::Error, store: &mut Store<State>) -> Ending {
    let backtrace = || error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
    let stashed = store.data_mut().ending.take();
    if error.is::<HostEnded>()
        && let Some(stashed) = stashed
    {
        return match stashed {
            Ending::Trap(trap) if trap.backtrace.is_empty() => Ending::Trap(trap.with_backtrace(backtrace())),
            other => other,
        };
    }
    if error.is::<Interrupted>() {
        return Ending::Interrupted;
    }
    if let Some(code) = error.downcast_ref::<wasmtime::Trap>() {
        return Ending::Trap(trap(*code).with_backtrace(backtrace()));
    }
    if error.is::<ThrownException>() {
        // Taken, so that the next call does not find it.
        store.take_pending_exception();
        return Ending::Trap(Trap::new(TrapKind::UncaughtException).with_backtrace(backtrace()));
    }
    if error.is::<GcHeapOutOfMemory<()>>() {
        return Ending::Limit(LimitKind::Memory);
    }
    Ending::Failed(Error::new(ErrorKind::Internal, "wasmtime failed").with_source(error))
}

/// wasmtime has one code for a table access and for an indirect call beyond the end of a table: both are a
/// [`TrapKind::TableOutOfBounds`].
pub(crate) fn trap(code: wasmtime::Trap) -> Trap {
    use wasmtime::Trap as Code;
    let kind = match code {
        Code::UnreachableCodeReached => TrapKind::Unreachable,
        Code::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Code::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Code::IndirectCallToNull => TrapKind::UndefinedElement,
        Code::BadSignature => TrapKind::IndirectCallTypeMismatch,
        Code::IntegerDivisionByZero => TrapKind::IntegerDivideByZero,
        Code::IntegerOverflow => TrapKind::IntegerOverflow,
        Code::BadConversionToInteger => TrapKind::InvalidConversion,
        Code::StackOverflow => TrapKind::StackOverflow,
        Code::HeapMisaligned => TrapKind::UnalignedAtomic,
        Code::NullReference => TrapKind::NullReference,
        Code::CastFailure => TrapKind::CastFailure,
        Code::ArrayOutOfBounds => TrapKind::ArrayOutOfBounds,
        Code::AllocationTooLarge => TrapKind::AllocationTooLarge,
        Code::UncaughtException => TrapKind::UncaughtException,
        other => return Trap::new(TrapKind::Other).with_detail(other.to_string()),
    };
    Trap::new(kind)
}

/// Function indices and offsets are those of the module that was loaded.
pub(crate) fn frames(backtrace: &WasmBacktrace) -> Vec<Frame> {
    let frame = |frame: &wasmtime::FrameInfo| Frame {
        function: frame.func_index(),
        name: frame.func_name().map(readable),
        offset: frame.module_offset().and_then(|offset| u64::try_from(offset).ok()),
        source: None,
    };
    backtrace.frames().iter().map(frame).collect()
}
