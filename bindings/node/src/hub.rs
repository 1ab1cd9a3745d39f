//! The one thread that starts runs and waits for all of them, so that JavaScript's threads do neither.
//!
//! It is started with the first run, sleeps in `poll`, and is no reason for the process to live on: what keeps that alive are promises.

use crate::ticket::{Job, Ticket};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use wasmrt_runtime::model::{Error, ErrorKind, Result};
use wasmrt_runtime::{PipedStreams, Run, StartOptions, WhenFull};

/// How often those who wait for a place look for one whose end nobody here hears: other callers of the same embedder have places too.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

struct Hub {
    asked: Mutex<Vec<Arc<Ticket>>>,
    wake: OwnedFd,
}

static HUB: OnceLock<Hub> = OnceLock::new();

/// Hands a run over.
///
/// # Errors
/// `Internal` when there is no thread or descriptor to be had for the hub.
pub(crate) fn hand_over(ticket: Arc<Ticket>) -> Result<()> {
    let hub = match HUB.get() {
        Some(hub) => hub,
        None => start()?,
    };
    hub.asked().push(ticket);
    hub.wake();
    Ok(())
}

/// Makes it look at what has changed.
pub(crate) fn wake() {
    if let Some(hub) = HUB.get() {
        hub.wake();
    }
}

fn start() -> Result<&'static Hub> {
    static STARTING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(hub) = HUB.get() {
        return Ok(hub);
    }
    let failed = |source: std::io::Error| Error::io("cannot start the thread that waits for runs", source);
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|errno| failed(errno.into()))?;
    let hub = HUB.get_or_init(|| Hub { asked: Mutex::default(), wake });
    std::thread::Builder::new().name("wasmrt-runs".to_owned()).spawn(|| hub.serve()).map_err(failed)?;
    Ok(hub)
}

/// A run that is under way.
struct Running {
    ticket: Arc<Ticket>,
    run: Arc<Run>,
    /// Whether all is known of its ports.
    heard: bool,
}

impl Running {
    /// Listens to what is told of its ports.
    fn hear(&mut self) {
        if self.heard {
            return;
        }
        if let Some(published) = self.run.published_timeout(Duration::ZERO).transpose() {
            self.ticket.heard(published);
            self.heard = true;
        }
    }
}

/// What became of an attempt to start a run.
enum Attempt {
    Started(Running),
    /// There is no place yet.
    Waits(Arc<Ticket>),
    Over,
}

impl Hub {
    fn asked(&self) -> MutexGuard<'_, Vec<Arc<Ticket>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // It fails only when so much is counted already that the thread is certain to wake.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    fn serve(&self) {
        let mut waiting: Vec<Arc<Ticket>> = Vec::new();
        let mut running: Vec<Running> = Vec::new();
        loop {
            waiting.append(&mut self.asked());
            let mut full = HashSet::new();
            for ticket in std::mem::take(&mut waiting) {
                match attempt(ticket, &mut full) {
                    Attempt::Started(started) => running.push(started),
                    Attempt::Waits(ticket) => waiting.push(ticket),
                    Attempt::Over => {}
                }
            }
            let ended = self.wait(&running, !waiting.is_empty());
            let mut ended = ended.into_iter();
            running.retain_mut(|running| {
                running.hear();
                if !ended.next().unwrap_or(false) {
                    return true;
                }
                match running.run.try_wait() {
                    None => true,
                    Some(outcome) => {
                        running.hear();
                        running.ticket.ended(outcome);
                        false
                    }
                }
            });
        }
    }

    /// Which runs have ended, after waiting for something to happen.
    fn wait(&self, running: &[Running], somebody_waits: bool) -> Vec<bool> {
        let mut polled: Vec<PollFd<'_>> = std::iter::once(self.wake.as_fd())
            .chain(running.iter().map(|running| running.run.as_fd()))
            .chain(
                running
                    .iter()
                    .filter(|running| !running.heard)
                    .filter_map(|running| running.run.published_descriptor()),
            )
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        if poll(&mut polled, somebody_waits.then_some(&LOOK_AGAIN)).is_err() {
            return Vec::new();
        }
        if let Some((wake, _)) = polled.split_first()
            && !wake.revents().is_empty()
        {
            // Sets the count back; it is only there to be seen.
            let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
        }
        polled.iter().skip(1).take(running.len()).map(|polled| !polled.revents().is_empty()).collect()
    }
}

/// Starts a run, if there is a place for it. `full` has the embedders that have none: who comes later must not get in first.
fn attempt(ticket: Arc<Ticket>, full: &mut HashSet<u64>) -> Attempt {
    let job = match ticket.take_job() {
        Ok(Some(job)) => job,
        Ok(None) => return Attempt::Over,
        Err(cancelled) => {
            ticket.heard(Ok(Vec::new()));
            ticket.ended(Err(cancelled));
            return Attempt::Over;
        }
    };
    let has_to_wait = || job.until.is_none_or(|until| Instant::now() < until);
    if full.contains(&job.owner) && has_to_wait() {
        ticket.put_back(job);
        return Attempt::Waits(ticket);
    }
    match start_now(&job) {
        Ok(run) => {
            let run = Arc::new(run);
            ticket.started(&run);
            let mut running = Running { ticket, run, heard: false };
            running.hear();
            Attempt::Started(running)
        }
        Err(error) if error.kind() == ErrorKind::Busy && has_to_wait() => {
            full.insert(job.owner);
            ticket.put_back(job);
            Attempt::Waits(ticket)
        }
        Err(error) => {
            ticket.heard(Ok(Vec::new()));
            ticket.ended(Err(error));
            Attempt::Over
        }
    }
}

fn start_now(job: &Job) -> Result<Run> {
    let mut options = StartOptions::default();
    options.when_full = WhenFull::Refuse;
    options.piped = copy(&job.piped).map_err(|source| Error::io("cannot pass a stream on", source))?;
    job.embedder.start(&job.module, &job.spec, options)
}

/// What is passed on is gone even when there was no place; so a copy is.
fn copy(piped: &PipedStreams) -> std::io::Result<PipedStreams> {
    let copy = |stream: &Option<OwnedFd>| stream.as_ref().map(OwnedFd::try_clone).transpose();
    Ok(PipedStreams { stdin: copy(&piped.stdin)?, stdout: copy(&piped.stdout)?, stderr: copy(&piped.stderr)? })
}
