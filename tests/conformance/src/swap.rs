//! Names that change under the guest's hands: an adversary beside it, who has what the guest has not.

use crate::Result;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Two names that are exchanged over and over while the guest runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// One of them, below the case's directory. It stands for what it stood for before when the run is over.
    pub path: String,
    /// The other one.
    pub with: String,
}

/// Exchanges names until it is stopped or dropped.
#[derive(Debug)]
pub struct Swapper {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Swapper {
    /// Begins, unless there is nothing to exchange.
    #[must_use]
    pub fn start(root: &Path, swaps: &[Swap]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let pairs: Vec<_> = swaps.iter().map(|swap| (root.join(&swap.path), root.join(&swap.with))).collect();
        let until = Arc::clone(&over);
        let thread = (!pairs.is_empty()).then(|| std::thread::spawn(move || exchange(&pairs, &until)));
        Self { over, thread }
    }

    /// Ends, and leaves every name as it was.
    ///
    /// # Errors
    /// What could not be exchanged.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.over.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(ended) => ended.unwrap_or_else(|_| Err("the thread that exchanges names panicked".to_owned())),
        }
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        // Only still there when the run itself failed, which is what is told.
        let _ = self.end();
    }
}

fn exchange(pairs: &[(PathBuf, PathBuf)], over: &AtomicBool) -> Result<()> {
    while !over.load(Ordering::Relaxed) {
        // There and back, so that all is as it was whenever it ends.
        for _ in 0..2 {
            for (one, other) in pairs {
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
                    .map_err(|errno| format!("cannot exchange {} and {}: {errno}", one.display(), other.display()))?;
            }
            std::thread::yield_now();
        }
    }
    Ok(())
}
