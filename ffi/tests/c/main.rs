//! The C interface as C sees it: its header, and programs that are compiled against it and run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

mod build;
mod docs;
mod header;
mod install;
mod parity;
mod programs;
