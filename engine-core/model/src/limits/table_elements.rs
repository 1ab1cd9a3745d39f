//! Table elements: the sum over all of the guest's tables.
//!
//! A guest at its limit sees `table.grow` return -1; a module whose tables start above it is refused before it runs.
//! Not covered: what a reference points to.

use super::Limit;
use crate::units::Count;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Count> = Limit::At(Count(1 << 20));

/// The smallest value that makes sense.
pub const MINIMUM: Count = Count(0);
