//! Listen backlog: how many connections the system holds for each listener until the guest accepts them.
//!
//! A guest that asks for more gets this, as systems do it. Not covered: what the system adds for connections that are not made yet.

use super::Limit;
use crate::units::Count;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Count> = Limit::At(Count(128));

/// The smallest value that makes sense.
pub const MINIMUM: Count = Count(1);
