//! Open sockets: how many sockets the guest may hold at once, those that it was given included. They count as open files too.
//!
//! At its limit the guest sees ENFILE (`nfile`), and connections wait where they are. Not covered: connections that wait to be accepted.

use super::Limit;
use crate::units::Count;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Count> = Limit::At(Count(128));

/// The smallest value that makes sense.
pub const MINIMUM: Count = Count(0);
