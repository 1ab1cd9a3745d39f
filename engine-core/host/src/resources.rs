//! What the caller gives to a host besides the plan: streams, counters, deadline, cancellation.
//!
//! Nothing here decides anything; making the descriptors and mapping the counters is the caller's part.

use crate::network::Network;
use rustix::event::EventfdFlags;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use wasmrt_model::network::Listener;
use wasmrt_model::{Error, ErrorKind, Result};

/// What a guest's host works with.
#[non_exhaustive]
pub struct Resources {
    /// Standard input; None is at its end from the start.
    pub stdin: Option<OwnedFd>,
    /// Standard output; None discards, but counts.
    pub stdout: Option<OwnedFd>,
    /// Standard error; None discards, but counts.
    pub stderr: Option<OwnedFd>,
    /// Where usage is counted.
    pub counters: Box<dyn AsRef<Counters> + Send + Sync>,
    /// Whose time a blocking call takes.
    pub blocking: Blocking,
    /// When a blocking call ends the guest with the wall-time limit. Guests that compute are ended by others.
    pub deadline: Option<Instant>,
    /// What ends the guest from outside.
    pub cancel: Option<Cancel>,
    /// Whether a preopen may be the host's root directory.
    pub host_root: HostRoot,
    /// Who opens sockets for the guest; None means nobody does.
    pub network: Option<Box<dyn Network>>,
    /// Sockets that are the guest's from the start, from descriptor 3 on.
    pub listeners: Vec<Listener>,
}

impl Resources {
    /// No streams, counters of its own, inline, without deadline and cancellation.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stdin: None,
            stdout: None,
            stderr: None,
            counters: Box::new(Counters::default()),
            blocking: Blocking::Inline,
            deadline: None,
            cancel: None,
            host_root: HostRoot::Refuse,
            network: None,
            listeners: Vec::new(),
        }
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources")
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("blocking", &self.blocking)
            .field("deadline", &self.deadline)
            .field("cancel", &self.cancel)
            .field("host_root", &self.host_root)
            .field("network", &self.network)
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

/// What the guest has used, as of its last host call. May lie in memory shared with a supervisor: it is written, never read back.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Counters {
    /// Bytes written to stdout and stderr.
    pub output_bytes: AtomicU64,
    /// Bytes written to files, and by which files were extended.
    pub written_bytes: AtomicU64,
    /// Bytes received over the network.
    pub received_bytes: AtomicU64,
    /// Bytes sent over the network.
    pub sent_bytes: AtomicU64,
    /// The largest size of the guest's memory that a host call has seen.
    pub memory_bytes: AtomicU64,
}

impl AsRef<Self> for Counters {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Whose time a call takes that the operating system makes wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Blocking {
    /// The calling thread's. For a guest in a process of its own: no threads are ever started. Waiting for standard streams and clocks
    /// still ends at the deadline; a file operation that hangs (a FIFO, a dead network file system) ends with the process.
    #[default]
    Inline,
    /// File operations run on a few threads of their own, so that the deadline and a cancellation end them too. For guests in the
    /// caller's process. An operation that never returns keeps its thread.
    Offload,
}

/// Whether a preopen may be the host's root directory: almost always a mistake, but for a caller that is inside a container already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostRoot {
    /// Such a preopen is refused.
    #[default]
    Refuse,
    /// It is a directory like any other.
    Allow,
}

/// Ends a guest from another thread: what it waits for, or its next host call, fails as cancelled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<Bell>);

#[derive(Debug)]
struct Bell {
    raised: AtomicBool,
    event: OwnedFd,
}

impl Cancel {
    /// A handle that has not been used yet.
    ///
    /// # Errors
    /// `Internal` when the process has no descriptor left.
    pub fn new() -> Result<Self> {
        let event = event()?;
        Ok(Self(Arc::new(Bell { raised: AtomicBool::new(false), event })))
    }

    /// Ends the guest. Doing so again changes nothing.
    pub fn cancel(&self) {
        self.0.raised.store(true, Ordering::Release);
        ring(&self.0.event);
    }

    /// Whether the guest is to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.raised.load(Ordering::Acquire)
    }
}

/// Readable from the moment of the cancellation on.
impl AsFd for Cancel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

/// A descriptor that becomes readable when it is rung.
pub(crate) fn event() -> Result<OwnedFd> {
    rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot make an event descriptor").with_source(error))
}

/// Makes an event descriptor readable. It can only fail when it is readable already.
pub(crate) fn ring(event: &OwnedFd) {
    let _already_rung = rustix::io::write(event, &1u64.to_ne_bytes());
}
