//! Compile time: wall-clock time for compiling one module, in a process of its own.
//!
//! Passing it fails the run (or, when compiling was optional, leaves the guest interpreted). Not covered: the run itself.

use super::Limit;
use crate::units::Span;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Span> = Limit::At(Span(std::time::Duration::from_secs(120)));

/// The smallest value that makes sense.
pub const MINIMUM: Span = Span(std::time::Duration::from_millis(1));
