//! A run as its caller sees it: waiting for its end, ending it, its piped streams.

use super::published::{Announcements, PublishedAt};
use super::queue::timespec;
use super::streams::{OurEnds, Streams};
use super::zygote_process::ZygoteProcess;
use super::{Inner, unexpected};
use crate::wire::Answer;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Pid;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wasmrt_model::{Error, ErrorKind, Outcome, Result};

/// A run that was started. All methods may be called from any thread, also while another one waits.
///
/// The outcome is handed out once, to whoever asks first after the end. Dropping this ends a run that has not ended.
#[derive(Debug)]
pub struct Run {
    inner: Arc<Inner>,
    zygote: Arc<ZygoteProcess>,
    socket: Arc<OwnedFd>,
    place: u64,
    /// The process that started it. Copies of this in others are not theirs.
    owner: Pid,
    taken: AtomicBool,
    streams: Mutex<OurEnds>,
    announcements: Announcements,
}

impl Run {
    pub(super) fn new(
        inner: Arc<Inner>,
        zygote: Arc<ZygoteProcess>,
        socket: Arc<OwnedFd>,
        place: u64,
        streams: Streams,
    ) -> Self {
        let Streams { ours, announcements, .. } = streams;
        Self {
            inner,
            zygote,
            socket,
            place,
            owner: rustix::process::getpid(),
            taken: AtomicBool::new(false),
            streams: Mutex::new(ours),
            announcements,
        }
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// Whatever kept the guest from starting, `Cancelled` when the run was ended by [`cancel`](Self::cancel), `Internal` when a process of ours died
    /// under it, `InvalidInput` when the outcome was handed out already.
    pub fn wait(&self) -> Result<Outcome> {
        outcome(self.answer())
    }

    /// Waits for the end, but not longer than this. None when it has not come.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<Outcome>> {
        self.answer_until(Instant::now().checked_add(timeout)).map(outcome)
    }

    /// The outcome, if the run has ended.
    pub fn try_wait(&self) -> Option<Result<Outcome>> {
        self.wait_timeout(Duration::ZERO)
    }

    /// Ends the run. It ends soon, with an error of kind `Cancelled`, unless its end came first.
    pub fn cancel(&self) {
        if self.is_ours() {
            give_up(self.socket.as_fd());
        }
    }

    /// Where the guest's standard input is written to, when the spec says that it is piped and no descriptor was given. To be had once; dropping it
    /// is the end of the input.
    pub fn take_stdin(&self) -> Option<PipeWriter> {
        self.our_ends().stdin.take()
    }

    /// Where the guest's standard output is read from, when the spec says that it is piped and no descriptor was given. To be had once.
    pub fn take_stdout(&self) -> Option<PipeReader> {
        self.our_ends().stdout.take()
    }

    /// As [`take_stdout`](Self::take_stdout), for standard error.
    pub fn take_stderr(&self) -> Option<PipeReader> {
        self.our_ends().stderr.take()
    }

    /// The ports of the machine that the system chose for this run: those that the spec publishes without naming one. Waits until they are
    /// bound; there are fewer when the run ended before that.
    ///
    /// # Errors
    /// When there is nothing to be heard any more.
    pub fn published(&self) -> Result<Vec<PublishedAt>> {
        self.published_until(None).map(Option::unwrap_or_default)
    }

    /// As [`published`](Self::published), but waits no longer than this. None when not all are known by then.
    ///
    /// # Errors
    /// As [`published`](Self::published).
    pub fn published_timeout(&self, timeout: Duration) -> Result<Option<Vec<PublishedAt>>> {
        self.published_until(Instant::now().checked_add(timeout))
    }

    /// Readable when there is more to be told of ports: for event loops. None when no port is left to the system's choice. What is read from it is for
    /// [`Run`] alone.
    pub fn published_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.announcements.descriptor()
    }

    fn published_until(&self, until: Option<Instant>) -> Result<Option<Vec<PublishedAt>>> {
        if self.is_ours() { self.announcements.until(until, &self.taken) } else { Err(self.foreign()) }
    }

    fn our_ends(&self) -> std::sync::MutexGuard<'_, OurEnds> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ours(&self) -> bool {
        self.owner == rustix::process::getpid()
    }

    /// Waits for the answer of a job of any kind.
    pub(super) fn answer(&self) -> Result<Answer> {
        self.answer_until(None).unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "a wait without an end ended")))
    }

    fn answer_until(&self, until: Option<Instant>) -> Option<Result<Answer>> {
        if !self.is_ours() {
            return Some(Err(self.foreign()));
        }
        loop {
            if self.taken.load(Ordering::Acquire) {
                return Some(Err(taken()));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let mut polled =
                [self.socket.as_fd(), self.zygote.death()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
            match poll(&mut polled, left.map(timespec).as_ref()) {
                Ok(0) if left.is_some_and(|left| left.is_zero()) => return None,
                Ok(0) | Err(rustix::io::Errno::INTR) => {
                    if left.is_some_and(|left| left.is_zero()) {
                        return None;
                    }
                }
                Ok(_) => {
                    if polled[0].revents().is_empty() {
                        no_more_answers(self.socket.as_fd());
                    }
                    break;
                }
                Err(errno) => return Some(Err(Error::io("cannot wait for the run", errno.into()))),
            }
        }
        if self.taken.swap(true, Ordering::AcqRel) {
            return Some(Err(taken()));
        }
        self.leave();
        Some(match Answer::receive(self.socket.as_fd()) {
            Ok(Some(Answer::Failed(error))) => Err(error),
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.zygote.failure(std::io::ErrorKind::UnexpectedEof.into())),
            Err(source) => Err(self.zygote.failure(source)),
        })
    }

    fn foreign(&self) -> Error {
        Error::new(ErrorKind::InvalidInput, "this run was started by another process")
            .with_context("process", self.owner)
            .with_hint("a fork cannot wait for the runs of its parent: start runs of its own")
    }

    fn leave(&self) {
        self.inner.here.now().lock().queue.leave(self.place);
    }
}

/// Readable when the run has ended, and from then on: for event loops. What is read from it is for [`Run`] alone.
impl AsFd for Run {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // In a fork this is a copy; what ends the run would end it for the parent, too.
        if self.is_ours() && !*self.taken.get_mut() {
            give_up(self.socket.as_fd());
            self.leave();
        }
    }
}

/// Tells the other end that the answer is not needed. What is on its way still comes.
pub(super) fn give_up(socket: BorrowedFd<'_>) {
    // Failing means that the other end is gone, which is what was wanted.
    let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Write);
}

/// The zygote has died, and its supervisors with it. Processes that an errand has made may have the other end still; nobody may answer there any more.
/// What is on its way still comes.
fn no_more_answers(socket: BorrowedFd<'_>) {
    // As above.
    let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
}

fn outcome(answer: Result<Answer>) -> Result<Outcome> {
    match answer? {
        Answer::Outcome(outcome) => Ok(*outcome),
        other => Err(unexpected(&other)),
    }
}

fn taken() -> Error {
    Error::new(ErrorKind::InvalidInput, "the outcome of this run was handed out before")
}
