//! Output: the sum of the bytes that the guest writes to stdout and stderr.
//!
//! Going beyond ends the guest; what was written up to the limit arrives. The default depends on where output goes: it is
//! [`CAPTURED`] when one of both streams is captured, since that is held in memory, and unlimited otherwise.

use super::Limit;
use crate::units::Bytes;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Bytes> = Limit::Unlimited;

/// The smallest value that makes sense.
pub const MINIMUM: Bytes = Bytes(0);

/// What holds when nothing was asked for and output is captured.
pub const CAPTURED: Limit<Bytes> = Limit::At(Bytes::mebi(64));
