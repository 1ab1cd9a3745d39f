//! Received bytes: the sum of the bytes that the guest receives through its sockets.
//!
//! Going beyond ends the guest. Not covered: headers of the protocols below, what the guest does not read, and answers of name servers.

use super::Limit;
use crate::units::Bytes;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Bytes> = Limit::Unlimited;

/// The smallest value that makes sense.
pub const MINIMUM: Bytes = Bytes(0);
