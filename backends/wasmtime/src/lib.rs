//! wasmtime as an engine: compiled by Cranelift, loaded from artifacts that are mapped, with wasm backtraces.
//!
//! [`WasmtimeEngine`] implements [`wasmrt_model::backend::WasmEngine`]. It has no interpreter: code without an artifact is
//! compiled in place. wasmtime's own WASI, linker, fuel and cache are not used: the host's functions, metering and the
//! artifact cache are the same for every engine and live elsewhere. Components, which no other engine here runs, are the exception:
//! they get wasmtime's WASI 0.2 and its fuel, under the same plan.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod component;
mod config;
mod engine;
mod imports;
mod instance;
mod interrupt;
#[cfg(feature = "spec-tests")]
#[doc(hidden)]
pub mod linking;
mod module;
mod stack;
mod trap;
mod typed;
mod walls;

#[cfg(test)]
mod tests;

pub use engine::WasmtimeEngine;
