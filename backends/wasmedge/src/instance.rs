//! A running guest: calls, memories and globals.
//!
//! Owns the checks of what the caller asks for. Everything that touches WasmEdge is in `sys`.

use crate::sys::{ExecutorInterrupter, Guest, Library, Stopped};
use crate::trap;
use std::sync::Arc;
use wasmrt_backend::{check_arguments, does_not_cross, no_function};
use wasmrt_model::backend::{Ending, Interrupter, WasmInstance};
use wasmrt_model::{Error, ErrorKind, Value, ValueType};

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
        let signature = self.guest.signature(export).ok_or_else(|| no_function(export))?;
        let cross = |types: &[ValueType]| types.iter().all(|value_type| value_type.is_number());
        if !cross(&signature.params) || !cross(&signature.results) {
            return Err(does_not_cross(export).into());
        }
        check_arguments(export, &signature.params, args)?;
        let result = self.guest.call(export, args).ok_or_else(|| no_function(export))?;
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
