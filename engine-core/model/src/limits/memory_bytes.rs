//! Linear memory: the sum over all of the guest's memories, in bytes, rounded down to whole pages of 64 KiB.
//!
//! A guest at its limit sees `memory.grow` return -1; a module whose memories start above it is refused before it runs.
//! Not covered: the engine's own memory (code, tables, stacks). The worker's hard cap bounds that, at this limit plus a fixed reserve.

use super::Limit;
use crate::units::Bytes;

/// What holds when nothing was asked for.
pub const DEFAULT: Limit<Bytes> = Limit::At(Bytes::mebi(512));

/// The smallest value that makes sense.
pub const MINIMUM: Bytes = Bytes(0);
