//! Instances in the caller's process, on every engine of this machine: `WASMRT_REQUIRE=wasmedge` makes it an error when that one is not here.
//!
//! These tests run on threads of a process that has many, with the 2 MiB of stack that such threads have.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

mod calls;
mod cancel;
mod functions;
mod life;
mod limits;
mod memories;
mod room;
mod stack;
mod wasi;
