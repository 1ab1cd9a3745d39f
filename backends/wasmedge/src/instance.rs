//! A running guest: calls, memories and globals.
//!
//! Owns the checks of what the caller asks for. Everything that touches WasmEdge is in `sys`.

use crate::sys::{ExecutorInterrupter, Guest, Library, Stopped};
use crate::trap;
use std::sync::Arc;
use wasmrt_model::backend::{Ending, Interrupter, WasmInstance};
use wasmrt_model::{Error, ErrorKind, FunctionType, Value, ValueType};

/// A guest in WasmEdge.
#[derive(Debug)]
pub(crate) struct WasmEdgeInstance {
    library: &'static Library,
    guest: Guest,
}

impl WasmEdgeInstance {
    pub(crate) fn new(library: &'static Library, guest: Guest) -> Self {
        Self { library, guest }
    }
}

impl WasmInstance for WasmEdgeInstance {
    fn call(&mut self, export: &str, args: &[Value]) -> Result<Vec<Value>, Ending> {
        let missing = || wrong(export, "the module exports no function of this name");
        let signature = self.guest.signature(export).ok_or_else(missing)?;
        check(export, signature, args)?;
        let result = self.guest.call(export, args).ok_or_else(missing)?;
        result.map_err(|stopped| ending(self.library, stopped))
    }

    fn memory_pages(&mut self) -> u64 {
        // Finding the memories fails only when there is no memory left for one small host function, and it was done before
        // if the module has memories at all.
        self.guest.memories().map_or(0, |pages| pages.into_iter().sum())
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        self.guest.global(export)
    }

    fn set_global(&mut self, export: &str, value: Value) -> bool {
        self.guest.set_global(export, value)
    }

    fn memory(&mut self, export: &str) -> Result<Option<&mut [u8]>, Error> {
        Ok(self.guest.memory(export))
    }

    fn interrupter(&mut self, _: Option<&str>) -> Result<Arc<dyn Interrupter>, Error> {
        let native = || {
            Error::new(ErrorKind::Unsupported, "native code of WasmEdge cannot be interrupted")
                .with_hint("interpret it, or run it in a process of its own")
        };
        match self.guest.interrupter().ok_or_else(native)? {
            Ok(interrupter) => Ok(interrupter),
            Err(_) => Err(Error::new(
                ErrorKind::Internal,
                "WasmEdge needs a thread to be interruptible, and there is none to be had",
            )),
        }
    }
}

impl Interrupter for ExecutorInterrupter {
    fn interrupt(&self) {
        self.stop();
    }
}

/// What the way a call stopped means.
pub(crate) fn ending(library: &Library, stopped: Stopped) -> Ending {
    match stopped {
        Stopped::ByHost(ending) => ending,
        Stopped::WithCode(code) => trap::ending(library, code),
    }
}

/// Whether these arguments fit and the results can be handed back.
fn check(export: &str, signature: &FunctionType, args: &[Value]) -> Result<(), Error> {
    if let Some(result) = signature.results.iter().find(|result| matches!(result, ValueType::V128 | ValueType::Ref)) {
        return Err(wrong(export, "the function returns a type that does not cross")
            .with_context("type", result)
            .with_context("signature", signature));
    }
    let fits = args.iter().map(|arg| arg.value_type()).eq(signature.params.iter().copied());
    if fits {
        return Ok(());
    }
    let given = FunctionType { params: args.iter().map(|arg| arg.value_type()).collect(), results: Vec::new() };
    Err(wrong(export, "the arguments do not fit the function")
        .with_context("given", given)
        .with_context("signature", signature))
}

fn wrong(export: &str, message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, message).with_operation("call export").with_context("export", export)
}
