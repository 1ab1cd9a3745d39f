//! Wall-clock time of the run: from the start of the worker, whatever the guest does or waits for.
//!
//! In the caller's process: of each call. Passing it ends the guest. Not covered: compiling before the run (compile_time).

use super::Limit;
use crate::units::Span;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Span> = Limit::Unlimited;

/// The smallest value that makes sense.
pub const MINIMUM: Span = Span(std::time::Duration::from_millis(1));
