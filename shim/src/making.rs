//! Whether somebody makes processes of a container, when nobody is left who would know: its shim was killed, and what that had forked goes on.
//!
//! A maker holds a shared lock on a file of the bundle, and what it forks holds the same one, until it executes something or becomes a guest. Whoever has
//! the lock alone knows that nobody is in the middle of anything. A mark tells makers that come later.

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;
use wasmrt_model::{Error, ErrorKind, Result};

/// The file with the lock.
const LOCK: &str = "making";

/// What is there once the container is being removed for good.
const MARK: &str = "removed";

/// Held while a process is made, by everybody who takes part.
#[derive(Debug)]
pub(crate) struct Making {
    _lock: OwnedFd,
}

impl Making {
    /// # Errors
    /// `NotFound` when the container was removed, or is being removed.
    pub(crate) fn begin(bundle: &Path) -> Result<Self> {
        let removed = || Error::new(ErrorKind::NotFound, "the container was removed");
        let lock = lock_of(bundle).map_err(|errno| match errno {
            Errno::NOENT => removed(),
            errno => Error::io("cannot lock the bundle", errno.into()),
        })?;
        flock(&lock, FlockOperation::NonBlockingLockShared).map_err(|_| removed())?;
        if bundle.join(MARK).exists() { Err(removed()) } else { Ok(Self { _lock: lock }) }
    }
}

/// Those who make processes of a container, as somebody sees them who removes it.
#[derive(Debug)]
pub(crate) struct Makers<'b> {
    bundle: &'b Path,
    /// None where the bundle is gone, and with it every chance to make anything.
    lock: Option<OwnedFd>,
}

impl<'b> Makers<'b> {
    pub(crate) fn of(bundle: &'b Path) -> Self {
        Self { bundle, lock: lock_of(bundle).ok() }
    }

    /// Whether all are gone. If so, there will be no others.
    pub(crate) fn are_gone(&self) -> bool {
        let Some(lock) = &self.lock else { return true };
        if flock(lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return false;
        }
        // Where it cannot be marked there is no room to make anything either.
        let _ = std::fs::write(self.bundle.join(MARK), "");
        true
    }
}

fn lock_of(bundle: &Path) -> rustix::io::Result<OwnedFd> {
    open(bundle.join(LOCK), OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_removes_waits_for_all_makers_and_keeps_others_out() {
        let directory = tempfile::tempdir().unwrap();
        let bundle = directory.path();
        let makers = Makers::of(bundle);
        let first = Making::begin(bundle).unwrap();
        let second = Making::begin(bundle).unwrap();
        assert!(!makers.are_gone());
        drop(first);
        assert!(!makers.are_gone());
        drop(second);
        assert!(makers.are_gone());
        assert_eq!(Making::begin(bundle).unwrap_err().kind(), ErrorKind::NotFound);
        drop(makers);
        assert_eq!(Making::begin(bundle).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn nothing_is_made_where_there_is_no_bundle() {
        let directory = tempfile::tempdir().unwrap();
        let bundle = directory.path().join("gone");
        assert_eq!(Making::begin(&bundle).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(Makers::of(&bundle).are_gone());
    }
}
