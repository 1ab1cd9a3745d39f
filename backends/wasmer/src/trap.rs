//! What wasmer's errors mean: its trap codes in our words, its backtraces as frames.

use crate::imports::State;
use wasmer::sys::vm::{self, TrapCode};
use wasmer::{FrameInfo, InstantiationError, LinkError, RuntimeError};
use wasmrt_backend::HostEnded;
use wasmrt_backend::backtrace::{MOST_FRAMES, readable};
use wasmrt_model::backend::Ending;
use wasmrt_model::{Error, ErrorKind, Frame, Trap, TrapKind, panic_text};

/// How the guest ended when a call returned this error.
pub(crate) fn ending(error: RuntimeError, state: &mut State) -> Ending {
    let stashed = state.ending.take();
    if error.is::<HostEnded>()
        && let Some(stashed) = stashed
    {
        return stashed;
    }
    let backtrace = frames(error.trace());
    match error.clone().to_trap() {
        Some(code) => Ending::Trap(trap(code).with_backtrace(backtrace)),
        None => Ending::Failed(Error::new(ErrorKind::Internal, "wasmer failed").with_source(error)),
    }
}

/// How the guest ended when there was to be an instance.
pub(crate) fn instantiation_ending(error: InstantiationError, state: &mut State) -> Ending {
    match error {
        InstantiationError::Start(error) | InstantiationError::Link(LinkError::Trap(error)) => ending(error, state),
        other => {
            let error = Error::new(ErrorKind::Internal, "wasmer cannot make an instance");
            Ending::Failed(error.with_operation("instantiate").with_source(other))
        }
    }
}

/// A panic of wasmer's, as an error.
pub(crate) fn panicked(kind: ErrorKind, operation: &'static str, panic: &(dyn std::any::Any + Send)) -> Error {
    Error::new(kind, format!("a panic: {}", panic_text(panic))).with_operation(operation)
}

/// In a host function: the guest's functions that led to it.
pub(crate) fn frames_of_caller() -> Vec<Frame> {
    // A trap that never happens, for the sake of the stack that it is told of.
    let here = RuntimeError::from(vm::Trap::lib(TrapCode::UnreachableCodeReached));
    frames(here.trace())
}

/// wasmer has one code for a table access and for an indirect call beyond the end of a table: both are a
/// [`TrapKind::TableOutOfBounds`].
fn trap(code: TrapCode) -> Trap {
    let kind = match code {
        TrapCode::UnreachableCodeReached => TrapKind::Unreachable,
        TrapCode::HeapAccessOutOfBounds => TrapKind::MemoryOutOfBounds,
        TrapCode::TableAccessOutOfBounds => TrapKind::TableOutOfBounds,
        TrapCode::IndirectCallToNull => TrapKind::UndefinedElement,
        TrapCode::BadSignature => TrapKind::IndirectCallTypeMismatch,
        TrapCode::IntegerDivisionByZero => TrapKind::IntegerDivideByZero,
        TrapCode::IntegerOverflow => TrapKind::IntegerOverflow,
        TrapCode::BadConversionToInteger => TrapKind::InvalidConversion,
        TrapCode::StackOverflow => TrapKind::StackOverflow,
        TrapCode::HeapMisaligned | TrapCode::UnalignedAtomic => TrapKind::UnalignedAtomic,
        other => return Trap::new(TrapKind::Other).with_detail(other.message()),
    };
    Trap::new(kind)
}

/// Function indices and offsets are those of the module that was loaded.
fn frames(trace: &[FrameInfo]) -> Vec<Frame> {
    let frame = |frame: &FrameInfo| Frame {
        function: frame.func_index(),
        name: frame.function_name().map(readable),
        offset: u64::try_from(frame.module_offset()).ok(),
        source: None,
    };
    trace.iter().take(MOST_FRAMES).map(frame).collect()
}
