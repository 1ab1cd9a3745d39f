//! The conformance harness. A case is a guest with a header that says what is asked for and what has to come of it; the harness
//! runs each case on every engine, tier and front-end, each in a process of its own.
//!
//! It owns reading cases, laying out their files, starting front-ends and comparing. It has no opinion on what is right: that is
//! in the cases, whose format `tests/cases/README.md` describes.
//!
//! - [`case`]: a case and its header; [`script`]: the lines of a case that is a script of calls
//! - [`guest`]: where a case's module comes from; [`generate`]: modules too large to write down
//! - [`tree`]: files before and after
//! - [`pair`]: the engines and tiers, and what they can do here
//! - [`front_end`]: how a run is started and what is seen of it; [`process`]: child processes, bounded
//! - [`swap`]: names that change while a guest runs; [`network`]: ports, peers and clients
//! - [`verdict`]: expectation against observation
//! - [`trials`]: all of it as trials with names

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod case;
pub mod front_end;
pub mod generate;
pub mod guest;
pub mod network;
pub mod pair;
pub mod process;
pub mod script;
pub mod swap;
pub mod tree;
pub mod trials;
pub mod verdict;

/// What is wrong, as a sentence for whoever reads the test's output.
pub type Complaint = String;

/// The result of everything in the harness that can fail.
pub type Result<T, E = Complaint> = std::result::Result<T, E>;
