//! Ending calls from outside: at their deadlines, and when somebody cancels them.
//!
//! [`Calls`] is what other threads see of an instance. A call that begins and ends in time writes three words and takes no lock. One thread for
//! all instances of a runtime, started with the first deadline, sleeps until the earliest one; it does not tick. Whether a call was ended is
//! decided by one exchange of a word that carries the call's number, so that nothing meant for one call reaches the next.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use wasmrt_host::Cancel;
use wasmrt_model::backend::Interrupter;
use wasmrt_model::{Error, ErrorKind, Result};

/// Later than any deadline.
const NEVER: u64 = u64::MAX;

/// So many instances are watched before any is looked for that is gone.
const LEAST_ROOM: usize = 64;

/// The lowest bits of [`Calls::state`]; the others are the call's number.
const PHASE_BITS: u32 = 2;
const PHASE_MASK: u64 = (1 << PHASE_BITS) - 1;
const IDLE: u64 = 0;
const RUNNING: u64 = 1;
const CANCELLED: u64 = 2;
const EXPIRED: u64 = 3;

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndedBy {
    /// A [`CancelHandle`].
    Cancel,
    /// Its deadline.
    Deadline,
}

/// The calls of one instance, as other threads see them. There is at most one at a time.
#[derive(Debug)]
pub(super) struct Calls {
    state: AtomicU64,
    /// The deadline of the call, in nanoseconds of [`now`]. Written before the call begins.
    deadline: AtomicU64,
    means: Mutex<Means>,
}

/// What it takes to end a call.
#[derive(Debug, Default)]
pub(super) struct Means {
    /// Ends a guest that computes.
    pub(super) interrupter: Option<Arc<dyn Interrupter>>,
    /// Ends a guest that waits in WASI.
    pub(super) waiting: Option<Cancel>,
}

impl Calls {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: AtomicU64::new(IDLE), deadline: AtomicU64::new(NEVER), means: Mutex::default() })
    }

    fn means(&self) -> MutexGuard<'_, Means> {
        self.means.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what it takes. Not while a call runs.
    pub(super) fn change_means(&self, change: impl FnOnce(&mut Means)) {
        change(&mut self.means());
    }

    /// A call begins. The caller looks at the watch afterwards, if there is a deadline.
    fn begin(&self, deadline: u64) {
        self.deadline.store(deadline, Ordering::SeqCst);
        let number = (self.state.load(Ordering::Relaxed) >> PHASE_BITS).wrapping_add(1);
        self.state.store(number << PHASE_BITS | RUNNING, Ordering::SeqCst);
    }

    /// The call is over. Says who ended it, if anybody did.
    pub(super) fn finish(&self) -> Option<EndedBy> {
        let number = self.state.load(Ordering::Relaxed) & !PHASE_MASK;
        match self.state.swap(number | IDLE, Ordering::AcqRel) & PHASE_MASK {
            CANCELLED => Some(EndedBy::Cancel),
            EXPIRED => Some(EndedBy::Deadline),
            _ => None,
        }
    }

    /// Ends the call that `state` was read of, if it still runs. The means are those of that call, since they are held.
    fn end(&self, means: &Means, state: u64, phase: u64) -> bool {
        let ended = state & PHASE_MASK == RUNNING
            && self
                .state
                .compare_exchange(state, state & !PHASE_MASK | phase, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
        if ended {
            if let Some(interrupter) = &means.interrupter {
                interrupter.interrupt();
            }
            if let Some(waiting) = &means.waiting {
                waiting.cancel();
            }
        }
        ended
    }

    fn cancel(&self) -> bool {
        let means = self.means();
        self.end(&means, self.state.load(Ordering::SeqCst), CANCELLED)
    }

    /// Ends the call if its deadline has passed. Otherwise says when it will.
    fn expire(&self, now: u64) -> u64 {
        let state = self.state.load(Ordering::SeqCst);
        let deadline = self.deadline.load(Ordering::SeqCst);
        if state & PHASE_MASK != RUNNING {
            return NEVER;
        }
        if deadline > now {
            return deadline;
        }
        let means = self.means();
        self.end(&means, state, EXPIRED);
        NEVER
    }
}

/// Ends a call from another thread.
#[derive(Clone)]
pub struct CancelHandle(Arc<Calls>);

impl CancelHandle {
    pub(super) fn of(calls: &Arc<Calls>) -> Self {
        Self(Arc::clone(calls))
    }

    /// Ends the call that is under way: it fails as `Cancelled`, and the instance is spent until it is reset. Says whether there was one;
    /// without one nothing happens, and the next call is not affected.
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }
}

impl fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelHandle").finish_non_exhaustive()
    }
}

/// Watches deadlines. One for a runtime and its instances.
#[derive(Debug)]
pub(crate) struct Watch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// When the thread will look again by itself.
    next_look: AtomicU64,
    watched: Mutex<Watched>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Watched {
    calls: Vec<Weak<Calls>>,
    /// How many there may be before those that are gone are looked for.
    room: usize,
    /// Whether the thread has been started.
    started: bool,
    /// Whether it is to end.
    over: bool,
}

impl Watch {
    /// A watch without a thread.
    pub(crate) fn new() -> Arc<Self> {
        let shared = Shared { next_look: AtomicU64::new(NEVER), watched: Mutex::default(), changed: Condvar::new() };
        Arc::new(Self(Arc::new(shared)))
    }

    /// Watches the deadlines of these calls from now on.
    pub(super) fn add(&self, calls: &Arc<Calls>) -> Result<()> {
        let mut watched = self.0.watched();
        if !watched.started {
            let shared = Arc::clone(&self.0);
            let thread = std::thread::Builder::new().name("wasmrt-deadlines".to_owned()).spawn(move || shared.run());
            thread.map_err(|source| {
                Error::new(ErrorKind::Internal, "deadlines take a thread, and there is none to be had")
                    .with_source(source)
            })?;
            watched.started = true;
        }
        // The thread forgets what is gone when it looks; with distant deadlines that may be long after.
        if watched.calls.len() >= watched.room {
            watched.calls.retain(|calls| calls.strong_count() > 0);
            watched.room = watched.calls.len().saturating_mul(2).max(LEAST_ROOM);
        }
        watched.calls.push(Arc::downgrade(calls));
        Ok(())
    }

    /// A call begins.
    pub(super) fn begin(&self, calls: &Calls, started: Instant, wall_time: Option<Duration>) {
        let Some(wall_time) = wall_time else {
            calls.begin(NEVER);
            return;
        };
        let deadline = since_base(started).saturating_add(nanoseconds(wall_time)).min(NEVER - 1);
        calls.begin(deadline);
        // Either the thread sees this call when it looks next, or it is woken to look: both sides write first and read then.
        if self.0.next_look.load(Ordering::SeqCst) > deadline {
            drop(self.0.watched());
            self.0.changed.notify_one();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.watched().over = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut watched = self.watched();
        while !watched.over {
            // Whoever begins from here on and is not seen below, wakes us.
            self.next_look.store(NEVER, Ordering::SeqCst);
            let now = since_base(Instant::now());
            let mut next = NEVER;
            watched.calls.retain(|calls| match calls.upgrade() {
                Some(calls) => {
                    next = next.min(calls.expire(now));
                    true
                }
                None => false,
            });
            self.next_look.store(next, Ordering::SeqCst);
            watched = if next == NEVER {
                self.changed.wait(watched).unwrap_or_else(PoisonError::into_inner)
            } else {
                let rest = Duration::from_nanos(next.saturating_sub(since_base(Instant::now())));
                self.changed.wait_timeout(watched, rest).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }
}

/// Nanoseconds of the monotonic clock since it was first asked here.
fn since_base(instant: Instant) -> u64 {
    static BASE: OnceLock<Instant> = OnceLock::new();
    nanoseconds(instant.saturating_duration_since(*BASE.get_or_init(|| instant)))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_one_call_does_not_reach_the_next() {
        let calls = Calls::new();
        assert!(!calls.cancel());
        calls.begin(NEVER);
        assert_eq!(calls.finish(), None);
        // Late: the call that the state was read of is over, and another one runs.
        calls.begin(5);
        let seen = calls.state.load(Ordering::SeqCst);
        assert_eq!(calls.finish(), None);
        calls.begin(NEVER);
        assert!(!calls.end(&Means::default(), seen, EXPIRED));
        assert_eq!(calls.finish(), None);
        calls.begin(NEVER);
        assert!(calls.cancel() && !calls.cancel());
        assert_eq!(calls.finish(), Some(EndedBy::Cancel));
        assert!(!calls.cancel());
    }

    #[test]
    fn a_call_expires_at_its_deadline_and_not_before() {
        let calls = Calls::new();
        assert_eq!(calls.expire(100), NEVER);
        calls.begin(100);
        assert_eq!(calls.expire(99), 100);
        assert_eq!(calls.expire(100), NEVER);
        assert_eq!(calls.finish(), Some(EndedBy::Deadline));
        calls.begin(NEVER);
        assert_eq!(calls.expire(NEVER - 1), NEVER);
        assert_eq!(calls.finish(), None);
    }

    #[test]
    fn instances_that_are_gone_are_forgotten_before_any_deadline() {
        let watch = Watch::new();
        let stays = Calls::new();
        watch.add(&stays).unwrap();
        watch.begin(&stays, Instant::now(), Some(Duration::from_secs(3600)));
        for _ in 0..10_000 {
            let calls = Calls::new();
            watch.add(&calls).unwrap();
            watch.begin(&calls, Instant::now(), Some(Duration::from_secs(7200)));
            assert_eq!(calls.finish(), None);
        }
        assert!(watch.0.watched().calls.len() <= LEAST_ROOM);
        assert_eq!(stays.finish(), None);
    }
}
