//! wasmtime as the specification's tests need it: the engine itself, configured as for guests, to link modules with each other.
//!
//! Not for guests: there is no sandbox here.

use crate::config::{self, Effort, Place};

/// An engine that compiles in place, with the features and settings of [`WasmtimeEngine`](crate::WasmtimeEngine).
///
/// # Errors
/// wasmtime's, when it does not support the machine.
pub fn engine() -> wasmtime::Result<wasmtime::Engine> {
    let place = Place { stack: config::WASM_STACK_BYTES, interruptible: false };
    wasmtime::Engine::new(&config::compiling(place, Effort::Optimized, false))
}
