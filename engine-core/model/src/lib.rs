//! The words that every part of wasmrt uses.
//!
//! A [`RunSpec`] is what a person asked for. [`resolve`] turns it into a [`RunPlan`] for one engine, or refuses by name what
//! cannot be enforced. A run that started ends as an [`Outcome`]; an [`Error`] is ours or the caller's fault. Engines are
//! [`backend`]s. This crate has no engine, does no I/O and has no unsafe code.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod backend;
pub mod component;
mod ending;
pub mod engine;
mod error;
mod feature;
pub mod limits;
pub mod module;
pub mod network;
mod os_sandbox;
mod outcome;
mod panic;
mod plan;
pub mod preopen;
mod spec;
pub mod stdio;
pub mod units;
mod value;
pub mod words;

pub use ending::Ending;
pub use engine::{AotPolicy, Capabilities, EngineChoice, EngineName, IsolationLevel, TierCapabilities};
pub use error::{Error, ErrorKind, Result};
pub use feature::{Feature, FeatureSet};
pub use limits::{Limit, Limits, LimitsSpec};
pub use module::ModuleInfo;
pub use network::NetworkPolicy;
pub use os_sandbox::OsSandbox;
pub use outcome::{Captured, ExitStatus, Frame, LimitKind, Outcome, Tier, Trap, TrapKind, Usage};
pub use panic::panic_text;
pub use plan::{Ceiling, Enforcement, RunPlan, resolve};
pub use preopen::{Access, Preopen};
pub use spec::{Clock, Entry, Environment, Random, RunSpec};
pub use stdio::Stdio;
pub use value::{FunctionType, Value, ValueType};
