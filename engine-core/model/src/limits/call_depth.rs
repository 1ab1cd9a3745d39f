//! Call depth: how many calls may be nested.
//!
//! Going deeper ends the guest with a stack-overflow trap. Not covered: how large each frame is; engines have a byte limit below this one for that.

use super::Limit;
use crate::units::Count;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Count> = Limit::Unlimited;

/// The smallest value that makes sense.
pub const MINIMUM: Count = Count(1);
