//! What backends have in common: how the host is called, what is refused before a guest runs, how backtraces read, how artifacts are written.
//!
//! Each engine keeps its own values, traps and code. Nothing here knows an engine, and no front-end knows this crate.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod artifact;
pub mod backtrace;
mod exports;
mod host;
mod imports;
mod integer;
mod memory;
mod signatures;
mod slots;

pub use artifact::write_artifact;
pub use exports::{check_arguments, does_not_cross, no_function};
pub use host::{HostEnded, call_host};
pub use imports::check_import;
pub use integer::Integer;
pub use memory::{MEMORY, PAGE_BYTES};
pub use slots::with_slots;
