//! wasmer as an engine: compiled by its single-pass compiler, loaded from artifacts that are read whole, with wasm backtraces.
//!
//! [`WasmerEngine`] implements [`wasmrt_model::backend::WasmEngine`]. Its compiler is the quickest of all engines' and its code the
//! slowest: one tier, baseline. wasmer's own WASI, metering, cache and other compilers are not used: the host's functions,
//! metering and the artifact cache are the same for every engine and live elsewhere.
//!
//! Guests run on stacks that wasmer makes. A frame larger than the one guard page below such a stack could step over it, so this
//! engine is only for guests whose call depth is metered, and refuses functions whose frames outgrow what a metered call stands for
//! (`frames`).
//!
//! All of it stands behind the feature `wasmer`.
#![cfg(feature = "wasmer")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod config;
mod engine;
mod frames;
mod imports;
mod instance;
mod interrupt;
mod module;
mod sys;
mod trap;

#[cfg(test)]
mod tests;

pub use engine::WasmerEngine;
