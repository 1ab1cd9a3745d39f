//! The guest's standard streams, straight on their descriptors: no buffer, no thread, no chunking.
//!
//! Owns reading, writing, their waiting, and the output limits. Which guest descriptor is which stream is the descriptor table's business.

use crate::errno::{Answer, Errno};
use crate::wait::Waiter;
use rustix::event::PollFlags;
use rustix::io::Errno as Os;
use std::io::IoSlice;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmrt_model::backend::Ending;
use wasmrt_model::stdio::Output;
use wasmrt_model::units::Bytes;
use wasmrt_model::{Limit, LimitKind};

/// What a pipe that is ready for writing takes without blocking, by POSIX on Linux.
const PIPE_BUF: usize = 4096;

/// The most buffers that the system takes at once.
const SYSTEM_BUFFERS: usize = 1024;

/// One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdin,
    Stdout,
    Stderr,
}

/// The descriptor behind a stream.
#[derive(Debug)]
struct Channel {
    fd: Option<OwnedFd>,
    terminal: bool,
    /// Whether it may make us wait at all: regular files and the null device do not.
    waits: bool,
    /// Whether the guest asked not to be made to wait.
    nonblocking: bool,
    /// What may still be written to this one.
    left: Option<u64>,
}

impl Channel {
    fn new(fd: Option<OwnedFd>, cap: Option<Bytes>) -> Self {
        let terminal = fd.as_ref().is_some_and(rustix::termios::isatty);
        let waits = fd.as_ref().is_some_and(|fd| terminal || !is_always_ready(fd.as_fd()));
        Self { fd, terminal, waits, nonblocking: false, left: cap.map(|cap| cap.0) }
    }
}

/// Whether neither reading nor writing ever waits for somebody else.
fn is_always_ready(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile)
}

/// The three streams and what may still be written to them.
#[derive(Debug)]
pub(crate) struct Streams {
    stdin: Channel,
    stdout: Channel,
    stderr: Channel,
    /// What has been written to both.
    written: u64,
    limit: Limit<Bytes>,
}

/// Whether a stream can be read or written now.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Readiness<'a> {
    /// Without asking.
    Always,
    /// As soon as this descriptor is.
    When(BorrowedFd<'a>),
}

impl Streams {
    pub(crate) fn new(fds: [Option<OwnedFd>; 3], outputs: [&Output; 2], limit: Limit<Bytes>) -> Self {
        let [stdin, stdout, stderr] = fds;
        let cap = |output: &Output| match output {
            Output::Capture { cap } => *cap,
            _ => None,
        };
        Self {
            stdin: Channel::new(stdin, None),
            stdout: Channel::new(stdout, cap(outputs[0])),
            stderr: Channel::new(stderr, cap(outputs[1])),
            written: 0,
            limit,
        }
    }

    fn channel(&self, stream: Stream) -> &Channel {
        match stream {
            Stream::Stdin => &self.stdin,
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    fn channel_mut(&mut self, stream: Stream) -> &mut Channel {
        match stream {
            Stream::Stdin => &mut self.stdin,
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Whether the stream is a terminal.
    pub(crate) fn is_terminal(&self, stream: Stream) -> bool {
        self.channel(stream).terminal
    }

    /// Whether the guest has asked not to be made to wait.
    pub(crate) fn is_nonblocking(&self, stream: Stream) -> bool {
        self.channel(stream).nonblocking
    }

    /// What the guest asks for: to get `again` instead of waiting. The descriptor itself is shared and stays as it is.
    pub(crate) fn set_nonblocking(&mut self, stream: Stream, nonblocking: bool) {
        self.channel_mut(stream).nonblocking = nonblocking;
    }

    /// When reading or writing would not wait.
    pub(crate) fn readiness(&self, stream: Stream) -> Readiness<'_> {
        match self.channel(stream) {
            Channel { fd: Some(fd), waits: true, .. } => Readiness::When(fd.as_fd()),
            _ => Readiness::Always,
        }
    }

    /// How many bytes can be read at once; at least 1, which may turn out to be the end.
    pub(crate) fn readable(&self) -> u64 {
        self.stdin.fd.as_ref().and_then(|fd| rustix::io::ioctl_fionread(fd).ok()).unwrap_or_default().max(1)
    }

    /// Reads what is there, waiting only when nothing is.
    pub(crate) fn read(&self, buffer: &mut [u8], waiter: &Waiter) -> Answer<usize> {
        let channel = &self.stdin;
        let Some(fd) = &channel.fd else { return Ok(0) };
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut wait = channel.waits && (waiter.is_bounded() || channel.nonblocking);
        loop {
            if wait {
                self.await_ready(channel, fd.as_fd(), PollFlags::IN, waiter)?;
            }
            match rustix::io::read(fd, &mut *buffer) {
                Ok(count) => return Ok(count),
                Err(Os::INTR) => {}
                // Whoever shares this descriptor has made it non-blocking; for our guest it is not.
                Err(Os::AGAIN) => wait = true,
                Err(error) => return Err(Errno::from_os(error).into()),
            }
        }
    }

    fn await_ready(&self, channel: &Channel, fd: BorrowedFd<'_>, flags: PollFlags, waiter: &Waiter) -> Answer {
        let until = channel.nonblocking.then(std::time::Instant::now);
        let ready = waiter.poll(&[(fd, flags)], until)?;
        if ready.iter().all(|flags| flags.is_empty()) { Err(Errno::AGAIN.into()) } else { Ok(()) }
    }

    /// Writes these parts of the guest's memory, all of them. What the limits allow is written before they end the guest.
    pub(crate) fn write(
        &mut self,
        stream: Stream,
        memory: &[u8],
        buffers: &[Range<usize>],
        waiter: &Waiter,
        total: &AtomicU64,
    ) -> Answer<usize> {
        let wanted = buffers.iter().try_fold(0usize, |sum, buffer| sum.checked_add(buffer.len()));
        let wanted = wanted.filter(|sum| u32::try_from(*sum).is_ok()).ok_or(Errno::INVAL)?;
        let left = self.left(stream);
        let allowed = usize::try_from(left).map_or(wanted, |left| left.min(wanted));
        let (written, failure) = self.write_allowed(stream, memory, buffers, allowed, waiter);
        let count = u64::try_from(written).unwrap_or(u64::MAX);
        self.written = self.written.saturating_add(count);
        if let Some(left) = &mut self.channel_mut(stream).left {
            *left = left.saturating_sub(count);
        }
        total.store(self.written, Ordering::Relaxed);
        match failure {
            None if allowed < wanted => Err(Ending::Limit(LimitKind::OutputBytes).into()),
            None => Ok(written),
            // A failure after a part is the next call's to report; the end of the guest is not.
            Some(crate::errno::Stop::Errno(_)) if written > 0 => Ok(written),
            Some(failure) => Err(failure),
        }
    }

    /// What both limits allow to be written to a stream.
    fn left(&self, stream: Stream) -> u64 {
        let both = self.limit.bound().map_or(u64::MAX, |limit| limit.0.saturating_sub(self.written));
        self.channel(stream).left.map_or(both, |own| own.min(both))
    }

    fn write_allowed(
        &self,
        stream: Stream,
        memory: &[u8],
        buffers: &[Range<usize>],
        allowed: usize,
        waiter: &Waiter,
    ) -> (usize, Option<crate::errno::Stop>) {
        let channel = self.channel(stream);
        let Some(fd) = &channel.fd else { return (allowed, None) };
        let mut wait = channel.waits && (waiter.is_bounded() || channel.nonblocking);
        // A write that has to be endable may not be larger than what does not block once the descriptor is ready.
        let step = if wait { PIPE_BUF } else { usize::MAX };
        let mut position = Position::default();
        let mut written = 0;
        while written < allowed {
            if wait && let Err(stop) = self.await_ready(channel, fd.as_fd(), PollFlags::OUT, waiter) {
                return (written, Some(stop));
            }
            let parts = position.slices(memory, buffers, step.min(allowed - written));
            match rustix::io::writev(fd, &parts) {
                Ok(count) => {
                    written += count;
                    position.advance(buffers, count);
                }
                Err(Os::INTR) => {}
                Err(Os::AGAIN) => wait = true,
                Err(error) => return (written, Some(Errno::from_os(error).into())),
            }
        }
        (written, None)
    }
}

/// How far a list of buffers has been written.
#[derive(Debug, Default)]
struct Position {
    buffer: usize,
    offset: usize,
}

impl Position {
    /// What comes next, `most` bytes of it at most.
    fn slices<'a>(&self, memory: &'a [u8], buffers: &[Range<usize>], most: usize) -> Vec<IoSlice<'a>> {
        let mut left = most;
        let mut offset = self.offset;
        let mut parts = Vec::with_capacity((buffers.len() - self.buffer).min(SYSTEM_BUFFERS));
        for buffer in &buffers[self.buffer..] {
            if left == 0 || parts.len() == SYSTEM_BUFFERS {
                break;
            }
            let part = &memory[buffer.start + offset..buffer.end];
            let part = &part[..part.len().min(left)];
            offset = 0;
            if !part.is_empty() {
                left -= part.len();
                parts.push(IoSlice::new(part));
            }
        }
        parts
    }

    fn advance(&mut self, buffers: &[Range<usize>], mut count: usize) {
        while count > 0 {
            let rest = buffers[self.buffer].len() - self.offset;
            if count < rest {
                self.offset += count;
                return;
            }
            count -= rest;
            self.buffer += 1;
            self.offset = 0;
        }
    }
}
