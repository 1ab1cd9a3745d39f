//! What a fork of this process may still use. Runs go on in it, since an embedder knows its process; instances do not.
//!
//! Threads do not survive a fork: neither the one that ends calls at their deadlines nor those of a compiler. An instance whose deadline nobody
//! watches would be a sandbox with a hole, so it is refused.

use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use wasmrt_runtime::model::{Error, ErrorKind, Result};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static INSTANCES_WERE_MADE: AtomicBool = AtomicBool::new(false);
static ARE_REFUSED: AtomicBool = AtomicBool::new(false);

/// Python calls this in a process that was just forked.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    if INSTANCES_WERE_MADE.load(Ordering::Relaxed) {
        ARE_REFUSED.store(true, Ordering::Relaxed);
    }
}

/// How many forks lie between this process and the first one.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether an instance may be made here. From then on, forks may not.
pub(crate) fn allow_instance() -> Result<()> {
    if ARE_REFUSED.load(Ordering::Relaxed) {
        return Err(Error::new(ErrorKind::Unsupported, "this process was forked from one that had made instances in itself")
            .with_operation("instantiate")
            .with_hint("start it by spawn or forkserver, make the first instance after the fork, or run the module in a process of its own"));
    }
    INSTANCES_WERE_MADE.store(true, Ordering::Relaxed);
    Ok(())
}

/// Whether an instance of that generation is of this process.
pub(crate) fn check(generation_of_it: u32) -> Result<()> {
    if generation_of_it == generation() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, "this instance was made by the process that this one was forked from")
        .with_operation("use instance")
        .with_hint("make one here"))
}
