//! WasmEdge as an engine: loaded at run time through its C interface, interpreter and native code made ahead of time.
//!
//! Nothing is linked: [`WasmEdgeEngine::load`] opens the library, checks its version, and everything else follows the traits
//! of [`wasmrt_model::backend`]. WasmEdge's own WASI, plug-ins, limits and statistics are never used.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod config;
mod cpu;
mod engine;
mod instance;
mod known;
#[cfg(feature = "spec-tests")]
#[doc(hidden)]
pub mod linking;
mod module;
mod stand_in;
mod sys;
mod trap;

#[cfg(test)]
mod tests;

pub use engine::WasmEdgeEngine;
