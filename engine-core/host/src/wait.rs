//! Waiting: for descriptors, for clocks, and for file operations on other threads; always until the deadline or a cancellation at most.
//!
//! Waiting inline needs nothing but poll(2). What is waited for, and what its readiness means, is the callers' business.

use crate::resources::{Cancel, event, ring};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;
use wasmrt_model::backend::Ending;
use wasmrt_model::{Error, ErrorKind, LimitKind};

/// How many file operations may hang at once before further ones wait for them.
const OFFLOAD_THREADS: usize = 16;

/// What ends waiting, whatever is waited for.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancel: Option<Cancel>,
}

impl Waiter {
    /// Whether a system call that may block has to be preceded by a wait that can be ended.
    pub(crate) fn is_bounded(&self) -> bool {
        self.deadline.is_some() || self.cancel.is_some()
    }

    /// Whether the guest has been cancelled. Cheap enough for every host call.
    pub(crate) fn check_cancel(&self) -> Result<(), Ending> {
        match &self.cancel {
            Some(cancel) if cancel.is_cancelled() => Err(cancelled()),
            _ => Ok(()),
        }
    }

    /// Whether the guest may go on.
    pub(crate) fn check(&self) -> Result<(), Ending> {
        self.check_cancel()?;
        match self.deadline {
            Some(deadline) if deadline <= Instant::now() => Err(Ending::Limit(LimitKind::WallTime)),
            _ => Ok(()),
        }
    }

    /// Waits until one of the descriptors is ready or it is `until`, and returns what is ready of each.
    pub(crate) fn poll(
        &self,
        wanted: &[(BorrowedFd<'_>, PollFlags)],
        until: Option<Instant>,
    ) -> Result<Vec<PollFlags>, Ending> {
        let mut fds: Vec<PollFd<'_>> = wanted.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        if let Some(cancel) = &self.cancel {
            fds.push(PollFd::from_borrowed_fd(cancel.as_fd(), PollFlags::IN));
        }
        loop {
            self.check()?;
            let until = [until, self.deadline].into_iter().flatten().min();
            let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
            // A time that does not fit is further away than any guest lives.
            let timeout = rest.and_then(|rest| Timespec::try_from(rest).ok());
            match rustix::event::poll(&mut fds, timeout.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(Error::new(ErrorKind::Internal, "poll failed").with_source(error).into()),
                Ok(_) => {}
            }
            self.check()?;
            let ready: Vec<PollFlags> = fds.iter().take(wanted.len()).map(PollFd::revents).collect();
            if ready.iter().any(|flags| !flags.is_empty()) || until.is_some_and(|until| until <= Instant::now()) {
                return Ok(ready);
            }
        }
    }
}

fn cancelled() -> Ending {
    Ending::Failed(Error::new(ErrorKind::Cancelled, "the guest was cancelled"))
}

/// The threads that blocking file operations run on. Nothing exists before the first of them.
#[derive(Debug, Default)]
pub(crate) struct Offload {
    runtime: Option<tokio::runtime::Runtime>,
    done: Option<Arc<Done>>,
}

/// Rung when an operation has come to its end.
#[derive(Debug)]
struct Done(OwnedFd);

impl Wake for Done {
    fn wake(self: Arc<Self>) {
        ring(&self.0);
    }
}

impl Offload {
    /// Polls the future to its end, on this thread; what it hands to the runtime's blocking threads runs there.
    ///
    /// The runtime only lends its threads: it is never driven, so this works on a thread of another runtime as well.
    pub(crate) fn block_on<T>(
        &mut self,
        mut future: Pin<&mut impl Future<Output = T>>,
        waiter: &Waiter,
    ) -> Result<T, Ending> {
        let done = match &self.done {
            Some(done) => done.clone(),
            None => self.done.insert(Arc::new(Done(event()?))).clone(),
        };
        let runtime = match &self.runtime {
            Some(runtime) => runtime,
            None => self.runtime.insert(
                tokio::runtime::Builder::new_current_thread()
                    .max_blocking_threads(OFFLOAD_THREADS)
                    .build()
                    .map_err(|error| Error::io("cannot prepare threads for file operations", error))?,
            ),
        };
        let _entered = runtime.enter();
        let waker = Waker::from(done.clone());
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Ok(value);
            }
            waiter.poll(&[(done.0.as_fd(), PollFlags::IN)], None)?;
            let _drained = rustix::io::read(&done.0, &mut [0u8; 8]);
        }
    }
}

impl Drop for Offload {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // An operation that hangs must not hang its host.
            runtime.shutdown_background();
        }
    }
}
