//! How a guest ended, in words: traps with their backtrace, limits with their value. What to do about it depends on the front-end.
//!
//! A guest that exits by itself has said what it wanted to say; so has the person who pressed Ctrl-C.

use crate::{ExitStatus, Frame, Limit, LimitKind, Limits, LimitsSpec, Outcome, Trap};
use std::fmt::Display;

/// What is said of an ending.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ending {
    /// The one line.
    pub headline: String,
    /// Lines below it.
    pub details: Vec<String>,
}

impl Ending {
    fn new(headline: impl Into<String>) -> Self {
        Self { headline: headline.into(), details: Vec::new() }
    }

    /// What is to be said of this outcome, if anything. `limits` are those that were asked for.
    #[must_use]
    pub fn of(outcome: &Outcome, limits: &LimitsSpec) -> Option<Self> {
        const ASKED_FOR: [i32; 5] = [1, 2, 3, 13, 15]; // SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM
        match &outcome.status {
            ExitStatus::Exited { .. } => None,
            ExitStatus::Trapped { trap } => Some(of_trap(trap)),
            ExitStatus::LimitReached { limit } => Some(of_limit(*limit, limits)),
            ExitStatus::Signaled { signal } if ASKED_FOR.contains(signal) => None,
            ExitStatus::Signaled { signal } => Some(Self::new(format!("the guest was ended by {}", name_of(*signal)))),
            ExitStatus::EngineCrashed { signal } => {
                Some(Self::new(format!("the engine {} crashed with {}", outcome.engine, name_of(*signal))))
            }
        }
    }
}

fn of_trap(trap: &Trap) -> Ending {
    let mut ending = Ending::new(format!("trap: {trap}"));
    let width = trap.backtrace.len().saturating_sub(1).to_string().len();
    for (index, frame) in trap.backtrace.iter().enumerate() {
        ending.details.push(of_frame(index, width, frame));
        if let Some(source) = &frame.source {
            ending.details.push(format!("{:width$}    at {source}", ""));
        }
    }
    ending
}

fn of_frame(index: usize, width: usize, frame: &Frame) -> String {
    let name = frame.name.clone().unwrap_or_else(|| format!("function {}", frame.function));
    match frame.offset {
        Some(offset) => format!("{index:width$}: {name} (+{offset:#x})"),
        None => format!("{index:width$}: {name}"),
    }
}

fn of_limit(kind: LimitKind, asked: &LimitsSpec) -> Ending {
    let default = Limits::default();
    Ending::new(match kind {
        LimitKind::WallTime => reached("wall-time limit", asked.wall_time.unwrap_or(default.wall_time)),
        LimitKind::CpuTime => reached("CPU-time limit", asked.cpu_time.unwrap_or(default.cpu_time)),
        LimitKind::Fuel => reached("fuel limit", asked.fuel.unwrap_or(default.fuel)),
        LimitKind::OutputBytes => reached("output limit", asked.output_bytes.unwrap_or(default.output_bytes)),
        LimitKind::WrittenBytes => {
            reached("limit on written files", asked.written_bytes.unwrap_or(default.written_bytes))
        }
        LimitKind::ReceivedBytes => {
            reached("limit on received bytes", asked.received_bytes.unwrap_or(default.received_bytes))
        }
        LimitKind::SentBytes => reached("limit on sent bytes", asked.sent_bytes.unwrap_or(default.sent_bytes)),
        LimitKind::Memory => format!(
            "the guest's process reached its memory cap, which lies above the guest's limit of {}",
            asked.memory_bytes.unwrap_or(default.memory_bytes)
        ),
    })
}

/// `wall-time limit of 1s reached`; without the value when it is one that nobody asked for.
fn reached<T: Copy + Ord + Display>(what: &str, limit: Limit<T>) -> String {
    match limit.bound() {
        Some(bound) => format!("{what} of {bound} reached"),
        None => format!("{what} reached"),
    }
}

fn name_of(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Bytes, Span};
    use crate::{EngineName, Tier, TrapKind, Usage};

    fn ending(status: ExitStatus, limits: &LimitsSpec) -> Option<Ending> {
        Ending::of(&Outcome::new(status, Usage::default(), EngineName::Wasmtime, Tier::Optimized), limits)
    }

    #[test]
    fn a_limit_is_told_with_its_value() {
        let limits = LimitsSpec {
            wall_time: Some(Limit::At(Span(std::time::Duration::from_secs(1)))),
            output_bytes: Some(Limit::At(Bytes(1024))),
            ..LimitsSpec::default()
        };
        for (limit, value) in
            [(LimitKind::WallTime, "1s"), (LimitKind::OutputBytes, "1KiB"), (LimitKind::Memory, "512MiB")]
        {
            let ending = ending(ExitStatus::LimitReached { limit }, &limits).unwrap();
            assert!(ending.headline.contains(value), "{ending:?}");
        }
    }

    #[test]
    fn who_ended_it_knows_why() {
        let none = LimitsSpec::default();
        for status in
            [ExitStatus::Exited { code: 3 }, ExitStatus::Signaled { signal: 2 }, ExitStatus::Signaled { signal: 15 }]
        {
            assert_eq!(ending(status, &none), None);
        }
        assert!(ending(ExitStatus::Signaled { signal: 9 }, &none).is_some());
        assert!(ending(ExitStatus::EngineCrashed { signal: 11 }, &none).unwrap().headline.contains("SIGSEGV"));
    }

    #[test]
    fn a_backtrace_is_one_line_for_a_frame_and_one_for_its_source() {
        let frame = |function, name: Option<&str>, offset, source: Option<&str>| Frame {
            function,
            name: name.map(str::to_owned),
            offset,
            source: source.map(str::to_owned),
        };
        let trap = Trap::new(TrapKind::Unreachable)
            .with_backtrace(vec![frame(4, Some("panic"), Some(0x1234), Some("lib.rs:7")), frame(9, None, None, None)]);
        let ending = ending(ExitStatus::Trapped { trap }, &LimitsSpec::default()).unwrap();
        assert_eq!(ending.details, ["0: panic (+0x1234)", "     at lib.rs:7", "1: function 9"]);
    }
}
