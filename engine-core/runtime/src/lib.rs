//! Runs WebAssembly programs: picks an engine, prepares the module, forks a worker, watches it, tells how it ended.
//!
//! Also makes instances of modules inside the caller's process ([`Runtime::instantiate`]), for callers who call exports often.
//!
//! The one crate that front-ends call. A run goes from a `RunSpec` and bytes through [`Runtime::run`] to an `Outcome`:
//! `ready` (engine, plan, guard, cache, compiling) and then `run` (streams, network, fork, [watch](Runtime::run), conclude).
//! Programs with threads use [`Embedder`], which has a process of its own, the [zygote](zygote_main), do the same for them.
//! Unsafe code is in `process` alone.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod cache;
mod compile;
mod contained;
pub mod doctor;
mod embed;
mod errand;
mod fork;
mod gauge;
mod inspect;
mod instance;
mod kept;
mod network;
mod observer;
mod process;
mod ready;
mod registry;
mod run;
mod runtime;
mod serve;
mod streams;
mod supervisor;
mod trust;
mod wire;
mod worker;
mod zygote;

pub use cache::{ArtifactCache, CacheConfig, CacheEntry};
pub use contained::{Contained, ContainedServer, Custody, Terms};
pub use embed::{
    Embedder, EmbedderConfig, EmbedderStatus, Module, PublishedAt, Run, StartOptions, WhenFull, find_worker,
};
pub use errand::{Errand, Parcel, Site};
pub use fork::{Fork, fork};
pub use inspect::{Inspection, Verdict};
pub use instance::{
    CallEnd, CallLimits, CallOutcome, CallUsage, Caller, CancelHandle, Imports, Instance, InstanceUsage,
    InstantiateOptions, Memory, Spent,
};
pub use observer::{Compiling, Note, Observer, Silent};
pub use registry::EngineStatus;
pub use runtime::{Compiled, RunOptions, Runtime, RuntimeConfig};
pub use serve::{ServeEvent, ServeOptions, Served};
pub use streams::PipedStreams;
pub use wasmrt_guard::{Kind, sniff};
pub use wasmrt_model as model;
pub use zygote::{main as zygote_main, main_with_errands as zygote_main_with_errands};
