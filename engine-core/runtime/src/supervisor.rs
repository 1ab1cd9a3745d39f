//! Watches one child: deadlines, signals, captured output, its report, its end.
//!
//! The child may be hostile. Nothing here trusts it to keep time, to stop writing or to end; what it reports is bounded bytes.

use crate::process::{ChildProcess, Ended, SignalsAsDescriptor};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// What a child may use and where its words go.
pub(crate) struct Watch<'a> {
    /// When it was started.
    pub(crate) started: Instant,
    /// Wall-clock time that it has.
    pub(crate) wall_time: Option<Duration>,
    /// Processor time that it has.
    pub(crate) cpu_time: Option<Duration>,
    /// Where its report comes from.
    pub(crate) report: OwnedFd,
    /// Its standard output, when that is captured.
    pub(crate) stdout: Option<Capture>,
    /// Its standard error, when that is captured.
    pub(crate) stderr: Option<Capture>,
    /// Signals to pass on to it.
    pub(crate) signals: Option<&'a SignalsAsDescriptor>,
    /// Readable when the caller wants it ended.
    pub(crate) cancel: Option<BorrowedFd<'a>>,
    /// Called about every `TICK` while it runs, with the time since its start.
    pub(crate) tick: Option<&'a mut dyn FnMut(Duration)>,
}

/// How often a caller that asked for it hears that the child still runs.
const TICK: Duration = Duration::from_millis(100);

/// Room for what is read at once; a pipe holds 16 times as much.
const READ_BYTES: usize = 4 << 10;

/// The most that a report may have. What is longer is no report.
const REPORT_BYTES: usize = 4 << 20;

/// A stream that is being captured.
#[derive(Debug)]
pub(crate) struct Capture {
    pipe: OwnedFd,
    kept: Vec<u8>,
    cap: Option<usize>,
    open: bool,
    overflowed: bool,
}

impl Capture {
    /// Keeps up to `cap` bytes of what comes out of this pipe.
    pub(crate) fn new(pipe: OwnedFd, cap: Option<u64>) -> Self {
        let cap = cap.map(|cap| usize::try_from(cap).unwrap_or(usize::MAX));
        Self { pipe, kept: Vec::new(), cap, open: true, overflowed: false }
    }

    /// Reads what is there, straight to where it is kept.
    fn read_some(&mut self) -> io::Result<()> {
        self.kept.reserve(READ_BYTES);
        let count = match rustix::io::read(&self.pipe, rustix::buffer::spare_capacity(&mut self.kept)) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.open = count > 0;
        if let Some(cap) = self.cap
            && self.kept.len() > cap
        {
            self.overflowed = true;
            self.kept.truncate(cap);
        }
        Ok(())
    }
}

/// Why a child was ended by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    WallTime,
    CpuTime,
    OutputBytes,
    Cancelled,
}

/// A child's end as it was seen.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) ended: Ended,
    pub(crate) wall_time: Duration,
    /// Why it was ended, when that was our doing.
    pub(crate) cause: Option<Cause>,
    /// The last signal that was passed on to it.
    pub(crate) forwarded: Option<Signal>,
    /// What it reported: empty when it did not get that far.
    pub(crate) report: Vec<u8>,
    pub(crate) stdout: Option<Vec<u8>>,
    pub(crate) stderr: Option<Vec<u8>>,
}

/// Watches a child until it has ended and everything that it wrote has been read.
pub(crate) fn watch(mut child: ChildProcess, watch: Watch<'_>) -> io::Result<Watched> {
    let Watch { started, wall_time, cpu_time, report, stdout, stderr, signals, cancel, mut tick } = watch;
    let mut report = Capture::new(report, u64::try_from(REPORT_BYTES).ok());
    let mut captures = [stdout, stderr];
    let deadline = wall_time.and_then(|time| started.checked_add(time));
    let mut cause = None;
    let mut forwarded = None;
    let cores = if cpu_time.is_some() { cores() } else { 1 };
    loop {
        let mut next = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if let Some(allowed) = cpu_time {
            // With every core to itself the child needs at least this long to use up what it has left.
            let left = allowed.saturating_sub(child.cpu_time().unwrap_or_default());
            let soonest = left / cores;
            next = Some(next.map_or(soonest, |next| next.min(soonest)).max(Duration::from_micros(500)));
        }
        if tick.is_some() {
            next = Some(next.map_or(TICK, |next| next.min(TICK)));
        }
        let events = wait(&child, &report, &captures, signals, cancel, next)?;
        if events.report {
            report.read_some()?;
        }
        for (capture, ready) in captures.iter_mut().zip(events.captures) {
            if let (Some(capture), true) = (capture, ready) {
                capture.read_some()?;
            }
        }
        if events.ended {
            break;
        }
        while let Some(signal) = signals.and_then(SignalsAsDescriptor::next) {
            child.signal(signal);
            forwarded = Some(signal);
        }
        let now = Instant::now();
        let reason = if events.cancelled {
            Some(Cause::Cancelled)
        } else if deadline.is_some_and(|deadline| now >= deadline) {
            Some(Cause::WallTime)
        } else if cpu_time.is_some_and(|allowed| child.cpu_time().is_some_and(|used| used >= allowed)) {
            Some(Cause::CpuTime)
        } else if captures.iter().flatten().any(|capture| capture.overflowed) {
            Some(Cause::OutputBytes)
        } else {
            None
        };
        if let Some(reason) = reason {
            cause = Some(reason);
            child.signal(Signal::KILL);
            break;
        }
        if let Some(tick) = &mut tick {
            tick(now.saturating_duration_since(started));
        }
    }
    let ended = child.reap()?;
    let wall_time = started.elapsed();
    for capture in captures.iter_mut().flatten().chain([&mut report]) {
        drain(capture)?;
    }
    if cause.is_none() && captures.iter().flatten().any(|capture| capture.overflowed) {
        cause = Some(Cause::OutputBytes);
    }
    let report = if report.overflowed { Vec::new() } else { report.kept };
    let [stdout, stderr] = captures.map(|capture| capture.map(|capture| capture.kept));
    Ok(Watched { ended, wall_time, cause, forwarded, report, stdout, stderr })
}

/// Reads what is left in a pipe whose writer is dead.
fn drain(capture: &mut Capture) -> io::Result<()> {
    rustix::io::ioctl_fionbio(&capture.pipe, true)?;
    while capture.open && !capture.overflowed {
        let before = capture.kept.len();
        capture.read_some()?;
        if capture.open && capture.kept.len() == before {
            break;
        }
    }
    Ok(())
}

fn cores() -> u32 {
    std::thread::available_parallelism().ok().and_then(|cores| u32::try_from(cores.get()).ok()).unwrap_or(1)
}

/// What happened in one wait.
struct Events {
    ended: bool,
    report: bool,
    captures: [bool; 2],
    cancelled: bool,
}

fn wait(
    child: &ChildProcess,
    report: &Capture,
    captures: &[Option<Capture>; 2],
    signals: Option<&SignalsAsDescriptor>,
    cancel: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> io::Result<Events> {
    let pidfd = child.pidfd().ok_or_else(|| io::Error::other("the child has no descriptor"))?;
    let open = |capture: &'_ Capture| capture.open && !capture.overflowed;
    let sources = [
        Some(pidfd),
        open(report).then(|| report.pipe.as_fd()),
        captures[0].as_ref().filter(|c| open(c)).map(|c| c.pipe.as_fd()),
        captures[1].as_ref().filter(|c| open(c)).map(|c| c.pipe.as_fd()),
        signals.map(SignalsAsDescriptor::descriptor),
        cancel,
    ];
    // Descriptors that are absent are left out of the poll: polling a closed pipe would return at once.
    let present: Vec<usize> =
        sources.iter().enumerate().filter(|(_, fd)| fd.is_some()).map(|(index, _)| index).collect();
    let mut polled: Vec<PollFd<'_>> =
        sources.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    });
    match poll(&mut polled, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut ready = [false; 6];
    for (index, polled) in present.into_iter().zip(&polled) {
        if let Some(ready) = ready.get_mut(index) {
            *ready = !polled.revents().is_empty();
        }
    }
    let [ended, report, stdout, stderr, _, cancelled] = ready;
    Ok(Events { ended, report, captures: [stdout, stderr], cancelled })
}
