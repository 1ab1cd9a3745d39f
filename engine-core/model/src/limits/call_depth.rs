//! Call depth: how many calls may be nested.
//!
//! Going deeper ends the guest with a stack-overflow trap. A function counts once, and once more for each [`LOCALS_PER_CALL`] locals (what
//! several results of a call or block bring onto the stack counts like locals) and
//! each [`CODE_PER_CALL`] bytes of its code, so that a bound on calls is a bound on stack too, whatever an engine makes of the function. A small
//! function that calls no other one of the guest's does not count: only one of them can be at the end of a chain of calls.
//! Not covered: host functions, which run on a reserve of their own.

use super::Limit;
use crate::units::{Bytes, Count};

/// What holds when nothing was asked for: it fits the stack of a worker on every engine.
pub const DEFAULT: Limit<Count> = Limit::At(Count(32_768));

/// What holds inside the caller's process when nothing was asked for: there the stack is the caller's, and small. An engine that puts guest
/// frames on it may reach its end earlier, with the same trap.
pub const IN_PROCESS: Limit<Count> = Limit::At(Count(4096));

/// The most that can be asked for inside the caller's process. What frames take besides the stack is the caller's memory.
pub const MOST_IN_PROCESS: Limit<Count> = DEFAULT;

/// The smallest value that makes sense.
pub const MINIMUM: Count = Count(1);

/// How many locals, parameters and results of calls with several of them included, make a function count once more.
pub const LOCALS_PER_CALL: u64 = 256;

/// How many bytes of code make a function count once more.
pub const CODE_PER_CALL: u64 = 4096;

/// What of a stack has to be there for each call that counts.
pub const STACK_PER_CALL: Bytes = Bytes(8 << 10);
