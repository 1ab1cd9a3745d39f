//! What wasmtime's errors mean when a component was called. Knows codes, not policy.

use super::state::State;
use crate::trap::{frames, trap};
use std::fmt;
use wasmrt_model::backend::Ending;
use wasmrt_model::{Error, ErrorKind, LimitKind, Trap, TrapKind};
use wasmtime::{GcHeapOutOfMemory, Store, ThrownException, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// Returned through wasmtime's frames when a limit ends the guest.
#[derive(Debug)]
pub(super) struct Reached(pub(super) LimitKind);

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit {} is reached", self.0.as_str())
    }
}

impl std::error::Error for Reached {}

/// How the guest ended when wasmtime returned this error.
pub(super) fn of(error: wasmtime::Error, store: &mut Store<State>) -> Ending {
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(frames);
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        return Ending::Exit(code.cast_unsigned());
    }
    if let Some(Reached(limit)) = error.downcast_ref::<Reached>() {
        return Ending::Limit(*limit);
    }
    if let Some(code) = error.downcast_ref::<wasmtime::Trap>() {
        return match code {
            wasmtime::Trap::OutOfFuel => Ending::Limit(LimitKind::Fuel),
            wasmtime::Trap::Interrupt => Ending::Interrupted,
            code => Ending::Trap(trap(*code).with_backtrace(backtrace.unwrap_or_default())),
        };
    }
    if error.is::<ThrownException>() {
        store.take_pending_exception();
        return Ending::Trap(Trap::new(TrapKind::UncaughtException).with_backtrace(backtrace.unwrap_or_default()));
    }
    if error.is::<GcHeapOutOfMemory<()>>() {
        return Ending::Limit(LimitKind::Memory);
    }
    // What the host's functions do not take from a guest, such as a string that is none, arrives below a backtrace.
    if let Some(backtrace) = backtrace {
        let detail = error.root_cause().to_string();
        return Ending::Trap(Trap::new(TrapKind::Other).with_detail(detail).with_backtrace(backtrace));
    }
    if let Some(refused) = store.data().sums.refused_at_start() {
        return Ending::Failed(Error::new(ErrorKind::LimitExceeded, refused.to_owned()).with_source(error));
    }
    Ending::Failed(Error::new(ErrorKind::Internal, "wasmtime failed").with_source(error))
}
