//! What wasmtime's errors mean: its trap codes in our words, its backtraces as frames, names made readable.

use crate::imports::HostEnded;
use crate::instance::State;
use crate::interrupt::Interrupted;
use std::fmt::{self, Write};
use wasmrt_model::backend::Ending;
use wasmrt_model::{Error, ErrorKind, Frame, LimitKind, Trap, TrapKind};
use wasmtime::{GcHeapOutOfMemory, Store, ThrownException, WasmBacktrace};

/// Names longer than this are cut: a guest chooses its own names, and a mangled one can expand without end.
const NAME_BYTES: usize = 512;

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
fn trap(code: wasmtime::Trap) -> Trap {
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
fn frames(backtrace: &WasmBacktrace) -> Vec<Frame> {
    let frame = |frame: &wasmtime::FrameInfo| Frame {
        function: frame.func_index(),
        name: frame.func_name().map(readable),
        offset: frame.module_offset().and_then(|offset| u64::try_from(offset).ok()),
        source: None,
    };
    backtrace.frames().iter().map(frame).collect()
}

/// The name as its author wrote it, if it was mangled by Rust or C++.
fn readable(name: &str) -> String {
    let mut bounded = Bounded(String::new());
    if name.len() <= NAME_BYTES {
        if let Ok(rust) = rustc_demangle::try_demangle(name) {
            // The alternate form leaves out the hash.
            if write!(bounded, "{rust:#}").is_ok() {
                return bounded.0;
            }
        } else if name.starts_with("_Z")
            && let Ok(symbol) = cpp_demangle::BorrowedSymbol::new(name.as_bytes())
            && symbol.structured_demangle(&mut bounded, &cpp_demangle::DemangleOptions::default()).is_ok()
        {
            return bounded.0;
        }
    }
    let end = name.floor_char_boundary(NAME_BYTES);
    name.get(..end).unwrap_or_default().to_owned()
}

/// Text that refuses to grow beyond [`NAME_BYTES`].
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len().saturating_add(text.len()) > NAME_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_readable_and_stay_bounded() {
        assert_eq!(readable("_ZN4core9panicking5panic17h0123456789abcdefE"), "core::panicking::panic");
        assert_eq!(readable("_ZN3foo3barEi"), "foo::bar(int)");
        assert_eq!(readable("plain"), "plain");
        assert!(readable(&"ä".repeat(NAME_BYTES)).len() <= NAME_BYTES);
        // Each substitution doubles what it stands for.
        let mut bomb = String::from("_Z1fI1a");
        for _ in 0..60 {
            bomb.push_str("S_S_");
        }
        assert!(readable(&bomb).len() <= NAME_BYTES);
    }
}
