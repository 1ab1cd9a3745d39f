//! Fuel: how much the guest may execute, counted by injected code from one cost table, the same on every engine and tier.
//!
//! In the caller's process it holds for each call. Running out ends the guest. Not covered: time spent inside host functions.

use super::Limit;
use crate::units::Count;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Count> = Limit::Unlimited;

/// The smallest value that makes sense.
pub const MINIMUM: Count = Count(1);
