//! A descriptor that the reactor watches. Knows nothing of what goes over it.
//!
//! Whether a descriptor can be used now is asked with poll: it may be shared, and others may have used it meanwhile. The reactor only says
//! when to ask again.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that can be waited for.
pub(super) struct Watched(AsyncFd<OwnedFd>);

impl Watched {
    /// Has to be called inside the runtime that will wait.
    ///
    /// # Errors
    /// The descriptor again, with what the reactor has against it: regular files, for one, are always ready.
    #[expect(
        deprecated,
        reason = "what its successor obliges to, an owned descriptor keeps by itself: it shows one number and closes it last"
    )]
    pub(super) fn new(fd: OwnedFd, interest: Interest) -> Result<Self, (OwnedFd, io::Error)> {
        AsyncFd::try_with_interest(fd, interest).map(Self).map_err(|error| error.into_parts())
    }

    /// A socket, to be read and written.
    pub(super) fn socket(fd: OwnedFd) -> io::Result<Self> {
        Self::new(fd, Interest::READABLE | Interest::WRITABLE).map_err(|(_, error)| error)
    }

    /// Whether it can be used now, be it to see an error or an end.
    pub(super) fn is_ready(&self, flags: PollFlags) -> bool {
        poll(self.as_fd(), flags, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))
    }

    /// Waits until it can.
    pub(super) async fn ready(&self, interest: Interest, flags: PollFlags) {
        while !self.is_ready(flags) {
            match self.0.ready(interest).await {
                Ok(mut guard) if !self.is_ready(flags) => guard.clear_ready(),
                Ok(_) => return,
                // The runtime is going away, and the guest with it.
                Err(_) => return,
            }
        }
    }

    /// Waits until something can be read.
    pub(super) async fn readable(&self) {
        self.ready(Interest::READABLE, PollFlags::IN).await;
    }

    /// Waits until something can be written.
    pub(super) async fn writable(&self) {
        self.ready(Interest::WRITABLE, PollFlags::OUT).await;
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

/// Whether anything is to be told of a descriptor, errors and hang-ups included.
pub(super) fn poll(fd: BorrowedFd<'_>, flags: PollFlags, timeout: Option<&Timespec>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, flags)];
    loop {
        match rustix::event::poll(&mut fds, timeout) {
            Ok(count) => return count > 0,
            Err(Errno::INTR) => {}
            // Whatever it is, using the descriptor will tell.
            Err(_) => return true,
        }
    }
}
