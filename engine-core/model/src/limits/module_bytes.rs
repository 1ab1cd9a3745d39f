//! Module size: the bytes of the module as given. A larger one is refused before it is read.
//!
//! Not covered: how much code a module makes a compiler produce; compile_time and the memory bound of the compiling worker hold that.

use super::Limit;
use crate::units::Bytes;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Bytes> = Limit::At(Bytes::mebi(256));

/// The smallest value that makes sense.
pub const MINIMUM: Bytes = Bytes(8);
