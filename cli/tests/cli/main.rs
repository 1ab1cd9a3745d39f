//! Drives the `wasm-run` binary as people and scripts do. Guests are written here, in the text format.
//!
//! What a guest does is tried on every engine of this machine; `WASMRT_REQUIRE=wasmedge` makes it an error when that one is not here.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

mod commands;
mod components;
mod endings;
mod errors;
mod guests;
mod network;
mod notes;
mod reports;
mod room;
mod runs;
mod serve;
mod signals;
mod streams;
mod terminal;
