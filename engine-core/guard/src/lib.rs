//! Every module is read, validated, capped and rewritten here before any engine sees it.
//!
//! - [`sniff`] tells what a file is; [`inspect`] what a module says of itself; [`prepare`] makes it ready for an engine.
//! - Limits that engines enforce differently or not at all are written into the module, so that plain WebAssembly semantics
//!   enforce them: memory and table maxima are lowered, and where several memories or tables share a limit, growing is counted.
//! - What engines would take as more than WebAssembly (native code in a custom section) is stripped.
//!
//! No engine and no I/O: bytes in, bytes out. [`wasmparser`] reads and validates, [`wasm_encoder`] writes what is injected; what
//! does not change is copied as bytes rather than decoded and encoded again, which keeps it identical and is faster.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test"))]

mod adopt;
mod binary;
mod bounds;
mod caps;
mod code;
mod component;
mod features;
mod grow;
mod info;
mod meter;
mod options;
mod outline;
mod prepare;
mod refusal;
mod sniff;
#[cfg(test)]
mod specification;
mod validate;

pub use adopt::OwnMemory;
pub use caps::StructureCaps;
pub use meter::{Exhausted, Meters};
pub use options::{GuardOptions, Metering};
pub use prepare::{PreparedModule, inspect, prepare};
pub use refusal::{Refusal, Result};
pub use sniff::{Kind, sniff};

/// Changes whenever what [`prepare`] makes of the same bytes and options may change: part of every artifact's key.
pub const FINGERPRINT: &str = env!("WASMRT_GUARD_FINGERPRINT");
