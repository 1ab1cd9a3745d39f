//! Sent bytes: the sum of the bytes that the guest sends through its sockets.
//!
//! What is within the limit is sent, then the guest ends. Not covered: headers of the protocols below, and questions to name servers.

use super::Limit;
use crate::units::Bytes;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Bytes> = Limit::Unlimited;

/// The smallest value that makes sense.
pub const MINIMUM: Bytes = Bytes(0);
