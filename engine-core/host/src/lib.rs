//! The one WASI host: what guests import, offered to every engine as host functions.
//!
//! [`link`] checks a module's imports, [`Host`] carries out the calls. File operations are wasmtime-wasi's, behind `preview1`; streams,
//! clocks, randomness, waiting, quotas and preopened files are this crate's own. No engine's own WASI is ever used, so a guest finds the
//! same world on each of them. For components, which one engine alone runs, the rules that both worlds share are offered as functions. No threads are started in [`Blocking::Inline`], and the process forks well.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod clock;
mod descriptors;
mod errno;
mod file_preopens;
mod files;
mod host;
mod kernel_files;
mod link;
mod listing;
mod memory;
pub mod network;
mod numbers;
mod poll;
mod preopens;
mod preview1;
mod random;
mod refusals;
mod resources;
mod sockets;
mod streams;
mod volume;
mod wait;

pub use host::Host;
pub use kernel_files::KernelFiles;
pub use link::link;
pub use preopens::check_directories;
pub use random::FixedRandom;
pub use refusals::{Refusals, quoted};
pub use resources::{Blocking, Cancel, Counters, HostRoot, Resources};
pub use volume::Volume;
pub use wasmrt_model::network::Listener;
