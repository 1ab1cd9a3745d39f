//! Written bytes: the sum of the bytes that the guest writes to files, and of the bytes by which it extends them.
//!
//! Going beyond ends the guest. Not covered: metadata (names, directories, times), and space that is freed again.

use super::Limit;
use crate::units::Bytes;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Bytes> = Limit::Unlimited;

/// The smallest value that makes sense.
pub const MINIMUM: Bytes = Bytes(0);
