//! Processor time of the worker, user and system together, from its start.
//!
//! Using it up ends the guest. Not covered: compiling (compile_time) and our own process.

use super::Limit;
use crate::units::Span;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Span> = Limit::Unlimited;

/// The smallest value that makes sense.
pub const MINIMUM: Span = Span(std::time::Duration::from_millis(1));
