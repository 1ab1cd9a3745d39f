//! One suite for every engine: what a backend has to do, seen through the traits alone. The guests are texts.
//!
//! A backend says what it is ([`Subject`]) and expands [`suite!`](crate::suite) among its tests: each test of the suite becomes one of its own. What
//! engines may differ in is declared ([`Differences`]) and asserted; everything else has to be the same, in every way that an engine has
//! to run code. Only for tests.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

mod artifacts;
mod calls;
mod endings;
mod features;
mod hosts;
mod leaks;
mod list;
mod memories;
mod prepared;
mod process;
mod programs;
mod signatures;
mod subject;
mod traps;

pub use hosts::{Host, no_host};
#[doc(hidden)]
pub use list::run;
pub use prepared::{Prepared, prepare, wasm};
pub use process::{Footprint, run_alone};
pub use subject::{Differences, StackOverflow, Subject};

use std::fmt::Debug;
use wasmrt_model::backend::Ending;
use wasmrt_model::{ErrorKind, Trap, Value};

/// The trap that a guest ended with. Anything else is a failed test.
///
/// # Panics
/// When it did not.
pub fn trap_of<T: Debug>(result: Result<T, Ending>) -> Trap {
    match result {
        Err(Ending::Trap(trap)) => trap,
        other => panic!("no trap but {other:?}"),
    }
}

/// The kind of the error that something failed with. Anything else is a failed test.
///
/// # Panics
/// When it did not.
pub fn failure_of<T: Debug>(result: Result<T, Ending>) -> ErrorKind {
    match result {
        Err(Ending::Failed(error)) => error.kind(),
        other => panic!("no failure but {other:?}"),
    }
}

fn i32s(values: &[i32]) -> Vec<Value> {
    values.iter().map(|value| Value::I32(*value)).collect()
}
