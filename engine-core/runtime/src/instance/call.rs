//! What a call of an instance may use, and how it ended. Words only.

use std::fmt;
use std::time::Duration;
use wasmrt_model::units::{Count, Span};
use wasmrt_model::{Error, ErrorKind, ExitStatus, Limit, Result, RunPlan, Value};

/// What bounds one call, below what the instance's spec says: a limit left out is the spec's. A call can tighten and never widen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallLimits {
    /// Units of fuel. The instance must have been made with a limit of its own, since what is not limited is not metered.
    pub fuel: Option<Count>,
    /// Wall-clock time, host functions included.
    pub wall_time: Option<Duration>,
}

impl CallLimits {
    /// At most this much fuel.
    #[must_use]
    pub fn with_fuel(mut self, fuel: u64) -> Self {
        self.fuel = Some(Count(fuel));
        self
    }

    /// At most this long.
    #[must_use]
    pub fn with_wall_time(mut self, wall_time: Duration) -> Self {
        self.wall_time = Some(wall_time);
        self
    }

    /// What holds for a call of an instance with this plan.
    pub(super) fn resolve(self, plan: &RunPlan) -> Result<(Limit<Count>, Option<Duration>)> {
        let limits = plan.limits();
        let denied = |name: &str, asked: &dyn fmt::Display, limit: &dyn fmt::Display| {
            Error::new(ErrorKind::Denied, format!("a call with {name} {asked} is above the instance's {limit}"))
        };
        let fuel = match self.fuel.map(Limit::At) {
            None => limits.fuel,
            Some(_) if limits.fuel == Limit::Unlimited => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "fuel of a call cannot be enforced: the instance is not metered",
                )
                .with_hint("give its spec a limit of fuel, which is then the most that a call may have"));
            }
            Some(asked) if asked.exceeds(limits.fuel) => return Err(denied("fuel", &asked, &limits.fuel)),
            Some(asked) => asked,
        };
        let wall_time = match self.wall_time.map(|span| Limit::At(Span(span))) {
            None => limits.wall_time,
            Some(asked) if asked.exceeds(limits.wall_time) => {
                return Err(denied("wall_time", &asked, &limits.wall_time));
            }
            Some(asked) => asked,
        };
        Ok((fuel, wall_time.bound().map(|span| span.0)))
    }
}

/// A call that came to an end, in whatever way.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CallOutcome {
    /// How it ended.
    pub end: CallEnd,
    /// What it used.
    pub usage: CallUsage,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEnd {
    /// The function returned these values. The instance can be called again.
    Returned(Vec<Value>),
    /// The guest ended: it exited, trapped or reached a limit. The instance is spent.
    Ended(ExitStatus),
}

/// What a call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallUsage {
    /// From its start to its end, host functions included.
    pub wall_time: Duration,
    /// Fuel. None when the instance is not metered.
    pub fuel: Option<u64>,
}

impl CallOutcome {
    /// What the function returned, or how the guest ended.
    ///
    /// # Errors
    /// How the guest ended.
    pub fn into_values(self) -> Result<Vec<Value>, ExitStatus> {
        match self.end {
            CallEnd::Returned(values) => Ok(values),
            CallEnd::Ended(status) => Err(status),
        }
    }
}

/// Why an instance can only be reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spent {
    /// Its guest ended.
    Ended(ExitStatus),
    /// A call failed on our side, in a host function, or was cancelled: the guest stopped in the middle of something.
    Failed {
        /// The kind of the error.
        kind: ErrorKind,
        /// The error as people read it.
        message: String,
    },
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => status.fmt(f),
            Self::Failed { message, .. } => f.write_str(message),
        }
    }
}
