//! The runs that have not ended: how many there are, and waiting for one fewer.
//!
//! Which of them are under way the zygote decides, in the order in which they came; here only their number counts.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// Runs by number, each with the socket that becomes readable at its end.
#[derive(Debug, Default)]
pub(super) struct Queue {
    runs: BTreeMap<u64, Arc<OwnedFd>>,
    next: u64,
}

impl Queue {
    /// A place, unless all are taken.
    pub(super) fn enter(&mut self, socket: &Arc<OwnedFd>, places: usize) -> Option<u64> {
        if self.runs.len() >= places && self.unfinished() >= places {
            return None;
        }
        let place = self.next;
        self.next += 1;
        self.runs.insert(place, Arc::clone(socket));
        Some(place)
    }

    pub(super) fn leave(&mut self, place: u64) {
        self.runs.remove(&place);
    }

    /// How many have not ended. Those that have are taken off the list, whether anybody has asked for their outcome or not.
    pub(super) fn unfinished(&mut self) -> usize {
        let sockets = self.sockets();
        let ended = ended(&sockets, Some(Duration::ZERO)).unwrap_or_else(|_| vec![false; sockets.len()]);
        let mut ended = ended.into_iter();
        self.runs.retain(|_, _| ended.next() != Some(true));
        self.runs.len()
    }

    pub(super) fn sockets(&self) -> Vec<Arc<OwnedFd>> {
        self.runs.values().map(Arc::clone).collect()
    }
}

/// Waits until one of them has ended, or time is up.
pub(super) fn wait_for_any(sockets: &[Arc<OwnedFd>], timeout: Option<Duration>) -> io::Result<()> {
    ended(sockets, timeout).map(drop)
}

fn ended(sockets: &[Arc<OwnedFd>], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> =
        sockets.iter().map(|socket| PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)).collect();
    match poll(&mut polled, timeout.map(timespec).as_ref()) {
        // A signal came first: whoever asked looks again.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(polled.iter().map(|one| !one.revents().is_empty()).collect()),
        Err(errno) => Err(errno.into()),
    }
}

pub(super) fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) }
}
