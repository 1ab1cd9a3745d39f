//! Guests at process level, started from a process with many threads, on every engine of this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

mod crowd;
mod deaths;
mod guests;
mod room;
mod runs;
mod streams;
