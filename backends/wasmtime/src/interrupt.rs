//! Ending a running guest from another thread, by wasmtime's epochs.
//!
//! The code of interruptible guests compares the engine's epoch with its own deadline at each loop iteration and function entry. The deadline is
//! always the next epoch, and nothing moves the epoch on but an interruption: so no clock ticks, an interruption is seen at once, and the other
//! guests of the engine look up once and go on. Whoever is meant has its [`Interruption`] raised.

use crate::instance::State;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use wasmrt_model::backend::Interrupter;
use wasmtime::{Engine, Store, UpdateDeadline};

/// Whether one guest is to end.
#[derive(Debug, Default)]
pub(crate) struct Interruption(AtomicBool);

impl Interruption {
    /// Looked at after the epoch: whoever sees the epoch that an interruption made sees the interruption.
    fn is_raised(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed)
    }
}

/// Returned through wasmtime's frames when the guest is to end.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the guest was interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Lets the guest in this store heed interruptions.
pub(crate) fn heed(store: &mut Store<State>) {
    store.epoch_deadline_callback(|store| {
        if store.data().interruption.is_raised() { Err(Interrupted.into()) } else { Ok(UpdateDeadline::Continue(1)) }
    });
    store.set_epoch_deadline(1);
}

/// Before a call: the next epoch is its deadline. False when it is to end already.
pub(crate) fn arm(store: &mut Store<State>) -> bool {
    store.set_epoch_deadline(1);
    !store.data().interruption.is_raised()
}

/// Ends one guest.
pub(crate) struct EpochInterrupter {
    engine: Engine,
    interruption: Arc<Interruption>,
}

impl EpochInterrupter {
    pub(crate) fn new(engine: Engine, interruption: Arc<Interruption>) -> Self {
        Self { engine, interruption }
    }
}

impl fmt::Debug for EpochInterrupter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpochInterrupter").field("interruption", &self.interruption).finish_non_exhaustive()
    }
}

impl Interrupter for EpochInterrupter {
    fn interrupt(&self) {
        self.interruption.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.engine.increment_epoch();
    }
}
