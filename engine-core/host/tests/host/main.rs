//! The host, driven as an engine drives it, without an engine.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod clocks;
mod every_function;
mod file_preopens;
mod files;
mod guest;
mod hostile;
mod limits;
mod poll;
mod preopens;
mod process;
mod sockets;
mod streams;
