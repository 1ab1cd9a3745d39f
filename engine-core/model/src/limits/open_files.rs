//! Open files: how many files, directories and sockets the guest may hold open at once, stdio and preopens included.
//!
//! At its limit the guest sees EMFILE (`nfile`). Not covered: files that the engine opens for itself.

use super::Limit;
use crate::units::Count;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Count> = Limit::At(Count(256));

/// The smallest value that makes sense.
pub const MINIMUM: Count = Count(3);
