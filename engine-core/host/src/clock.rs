//! The clocks that guests read: the machine's, or fixed ones for reproducible runs.
//!
//! A fixed wall clock starts where the plan says and the monotonic one at 0; each reading of any clock moves all of them on by a
//! microsecond, and waiting for a clock moves them on by the time waited for instead of taking that time.

use crate::errno::{Answer, Errno};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant, SystemTime};
use wasmrt_model::{Clock, Error, ErrorKind, Result};

/// What a reading moves fixed clocks on by, in nanoseconds.
const TICK: u64 = 1_000;

/// A clock's number, the same in both versions of WASI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Id {
    Realtime,
    Monotonic,
    /// Of the process. A guest has one thread, so its thread's clock is the same one.
    Cpu,
}

impl Id {
    pub(crate) fn from_number(number: u32) -> Answer<Self> {
        match number {
            0 => Ok(Self::Realtime),
            1 => Ok(Self::Monotonic),
            2 | 3 => Ok(Self::Cpu),
            _ => Err(Errno::INVAL.into()),
        }
    }
}

/// The clocks of one guest. Times are nanoseconds.
#[derive(Debug)]
pub(crate) enum Clocks {
    Real {
        start: Instant,
        /// The processor time that had been used when the guest got its clocks; None when the process is not the guest's alone.
        cpu_start: Option<u64>,
    },
    Fixed {
        realtime_start: u64,
        elapsed: u64,
    },
}

impl Clocks {
    /// The clocks of the plan. `own_process`: processor time is the guest's to read only where no other work is done.
    pub(crate) fn new(clock: Clock, own_process: bool) -> Result<Self> {
        match clock {
            Clock::Real => Ok(Self::Real { start: Instant::now(), cpu_start: own_process.then(cpu_time) }),
            Clock::Fixed { unix_seconds } => {
                // Half of the range, so that the clock has somewhere to go.
                let realtime_start = unix_seconds
                    .checked_mul(1_000_000_000)
                    .filter(|start| *start <= u64::MAX / 2)
                    .ok_or_else(|| {
                        Error::new(
                            ErrorKind::InvalidInput,
                            format!("a clock cannot be fixed at {unix_seconds} seconds"),
                        )
                        .with_hint(format!("the last second that it can start at is {}", u64::MAX / 2_000_000_000))
                    })?;
                Ok(Self::Fixed { realtime_start, elapsed: 0 })
            }
            other => Err(Error::new(ErrorKind::Unsupported, format!("the host does not know the clock {other:?}"))),
        }
    }

    /// Reads a clock.
    pub(crate) fn now(&mut self, id: Id) -> Answer<u64> {
        match self {
            Self::Real { start, cpu_start } => match id {
                Id::Realtime => {
                    let since =
                        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|_| Errno::OVERFLOW)?;
                    nanoseconds(since)
                }
                Id::Monotonic => nanoseconds(start.elapsed()),
                Id::Cpu => Ok(cpu_time().saturating_sub(cpu_start.ok_or(Errno::BADF)?)),
            },
            Self::Fixed { realtime_start, elapsed } => {
                let since = *elapsed;
                *elapsed = elapsed.saturating_add(TICK);
                match id {
                    Id::Realtime => realtime_start.checked_add(since).ok_or_else(|| Errno::OVERFLOW.into()),
                    Id::Monotonic | Id::Cpu => Ok(since),
                }
            }
        }
    }

    /// The smallest step of a clock.
    pub(crate) fn resolution(&self, id: Id) -> Answer<u64> {
        match self {
            Self::Fixed { .. } => Ok(TICK),
            Self::Real { cpu_start: None, .. } if id == Id::Cpu => Err(Errno::BADF.into()),
            // What Linux says of each of them since it has high-resolution timers.
            Self::Real { .. } => Ok(1),
        }
    }

    /// Whether time passes only when it is looked at.
    pub(crate) fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed { .. })
    }

    /// Lets time pass on fixed clocks; the machine's go by themselves.
    pub(crate) fn advance(&mut self, by: u64) {
        if let Self::Fixed { elapsed, .. } = self {
            *elapsed = elapsed.saturating_add(by);
        }
    }
}

fn nanoseconds(duration: Duration) -> Answer<u64> {
    u64::try_from(duration.as_nanos()).map_err(|_| Errno::OVERFLOW.into())
}

fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default())
}
