//! How a run ended and what it used. Everything a guest can do to itself ends here, never in an error.

use crate::EngineName;
use crate::OsSandbox;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The result of a run that started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// What it used.
    pub usage: Usage,
    /// The engine that ran it.
    pub engine: EngineName,
    /// How the engine ran it.
    pub tier: Tier,
    /// The results of an invoked export, as text; empty for `_start`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<crate::Value>,
    /// Standard output, when it was captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Captured>,
    /// Standard error, when it was captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<Captured>,
    /// What the host refused while it ran: one line each, bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<String>,
    /// What the kernel enforced on its worker; None when it had no process of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_sandbox: Option<OsSandbox>,
}

impl Outcome {
    /// An outcome without results, captures or refusals.
    #[must_use]
    pub fn new(status: ExitStatus, usage: Usage, engine: EngineName, tier: Tier) -> Self {
        Self {
            status,
            usage,
            engine,
            tier,
            results: Vec::new(),
            stdout: None,
            stderr: None,
            refusals: Vec::new(),
            os_sandbox: None,
        }
    }
}

/// Output that was captured: the bytes up to the cap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// What was written.
    #[serde(with = "lossy_text")]
    pub bytes: Vec<u8>,
}

/// Reports are for people and JSON has no bytes: text as text, anything else with replacement characters.
mod lossy_text {
    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(bytes))
    }
    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Ok(<String as serde::Deserialize>::deserialize(deserializer)?.into_bytes())
    }
}

/// How the engine executed the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tier {
    /// Instruction by instruction.
    Interpreter,
    /// Native code made quickly, with little optimisation.
    Baseline,
    /// Native code made with the engine's usual optimisation.
    Optimized,
}

impl Tier {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interpreter => "interpreter",
            Self::Baseline => "baseline",
            Self::Optimized => "optimized",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a guest ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ExitStatus {
    /// The entry function returned, or the guest called proc_exit.
    Exited {
        /// All 32 bits of it; 0 when the function returned.
        code: u32,
    },
    /// It did what WebAssembly forbids.
    Trapped {
        /// What, and where.
        trap: Trap,
    },
    /// It ran into a limit that ends a guest.
    LimitReached {
        /// Which one.
        limit: LimitKind,
    },
    /// A signal ended it: forwarded from outside, or a caller's cancel.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// The engine itself died under it. The guest gained nothing by that: it was alone in its process.
    EngineCrashed {
        /// The signal that the engine died of.
        signal: i32,
    },
}

/// The limits that end a guest (others are errors that the guest itself sees).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LimitKind {
    /// wall_time.
    WallTime,
    /// cpu_time.
    CpuTime,
    /// fuel.
    Fuel,
    /// output_bytes.
    OutputBytes,
    /// written_bytes.
    WrittenBytes,
    /// received_bytes.
    ReceivedBytes,
    /// sent_bytes.
    SentBytes,
    /// The worker's hard cap, above the guest's memory limit.
    Memory,
}

impl LimitKind {
    /// The name of the limit's field in a RunSpec, with dashes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WallTime => "wall-time",
            Self::CpuTime => "cpu-time",
            Self::Fuel => "fuel",
            Self::OutputBytes => "output-bytes",
            Self::WrittenBytes => "written-bytes",
            Self::ReceivedBytes => "received-bytes",
            Self::SentBytes => "sent-bytes",
            Self::Memory => "memory",
        }
    }
}

impl ExitStatus {
    /// The process exit code of a front-end: one table, used by every front-end that is a process.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        const SIGXCPU: u8 = 24;
        const SIGXFSZ: u8 = 25;
        const SIGKILL: u8 = 9;
        const SIGABRT: u8 = 6;
        let signal_code = |signal: i32| 128u8.saturating_add(u8::try_from(signal).unwrap_or(127));
        match self {
            Self::Exited { code } => code.to_le_bytes()[0],
            Self::Trapped { .. } => 128 + SIGABRT,
            Self::LimitReached { limit } => match limit {
                LimitKind::WallTime => 124,
                LimitKind::CpuTime | LimitKind::Fuel => 128 + SIGXCPU,
                LimitKind::OutputBytes | LimitKind::WrittenBytes | LimitKind::ReceivedBytes | LimitKind::SentBytes => {
                    128 + SIGXFSZ
                }
                LimitKind::Memory => 128 + SIGKILL,
            },
            Self::Signaled { signal } | Self::EngineCrashed { signal } => signal_code(*signal),
        }
    }

    /// Whether the guest ended by itself with code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        matches!(self, Self::Exited { code: 0 })
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exited with code {code}"),
            Self::Trapped { trap } => write!(f, "trap: {trap}"),
            Self::LimitReached { limit } => match limit {
                LimitKind::WallTime => f.write_str("wall-time limit reached"),
                LimitKind::CpuTime => f.write_str("CPU time used up"),
                LimitKind::Fuel => f.write_str("out of fuel"),
                LimitKind::OutputBytes => f.write_str("output limit exceeded"),
                LimitKind::WrittenBytes => f.write_str("written-bytes limit exceeded"),
                LimitKind::ReceivedBytes => f.write_str("received-bytes limit exceeded"),
                LimitKind::SentBytes => f.write_str("sent-bytes limit exceeded"),
                LimitKind::Memory => f.write_str("worker reached its memory cap"),
            },
            Self::Signaled { signal } => write!(f, "ended by signal {signal}"),
            Self::EngineCrashed { signal } => write!(f, "the engine crashed with signal {signal}"),
        }
    }
}

/// A trap: what happened and where in the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trap {
    /// Which rule was broken.
    pub kind: TrapKind,
    /// More than the kind says: a host function's complaint. May be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Innermost function first. Empty when the engine does not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<Frame>,
}

impl Trap {
    /// A trap without detail and backtrace.
    #[must_use]
    pub fn new(kind: TrapKind) -> Self {
        Self { kind, detail: String::new(), backtrace: Vec::new() }
    }

    /// Says more than the kind.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Says where.
    #[must_use]
    pub fn with_backtrace(mut self, backtrace: Vec<Frame>) -> Self {
        self.backtrace = backtrace;
        self
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.description())?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// One frame of a wasm backtrace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The function's index in the module as the guest was given to us.
    pub function: u32,
    /// Its name from the name section, demangled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The offset of the instruction in the module, where the engine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Source file and line, where the module has debug information and the engine reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

macro_rules! trap_kinds {
    ($($variant:ident = $name:literal: $text:literal,)*) => {
        /// Which rule a trap broke: the same kind on every engine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum TrapKind { $(#[doc = $text] #[serde(rename = $name)] $variant,)* }

        impl TrapKind {
            /// The stable name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
            /// A line for people.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

trap_kinds! {
    Unreachable = "unreachable": "unreachable instruction executed",
    MemoryOutOfBounds = "memory-out-of-bounds": "out of bounds memory access",
    TableOutOfBounds = "table-out-of-bounds": "out of bounds table access",
    UndefinedElement = "undefined-element": "call through a null or undefined table element",
    IndirectCallTypeMismatch = "indirect-call-type-mismatch": "indirect call with the wrong signature",
    IntegerDivideByZero = "integer-divide-by-zero": "integer divide by zero",
    IntegerOverflow = "integer-overflow": "integer overflow",
    InvalidConversion = "invalid-conversion": "invalid conversion to integer",
    StackOverflow = "stack-overflow": "call stack exhausted",
    UnalignedAtomic = "unaligned-atomic": "unaligned atomic access",
    NullReference = "null-reference": "null reference",
    CastFailure = "cast-failure": "cast failure",
    ArrayOutOfBounds = "array-out-of-bounds": "out of bounds array access",
    AllocationTooLarge = "allocation-too-large": "allocation too large",
    UncaughtException = "uncaught-exception": "uncaught exception",
    BadPointer = "bad-pointer": "bad pointer passed to a host function",
    HostFunction = "host-function": "host function failed",
    Instantiation = "instantiation": "instantiation failed",
    Other = "other": "trap",
}

impl fmt::Display for TrapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

/// What a run used. None where it could not be measured, never a made-up zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// From the worker's start to its end.
    pub wall_time: Duration,
    /// User and system time of the worker.
    pub cpu_time: Duration,
    /// Peak resident memory of the worker process, engine included.
    pub peak_memory_bytes: u64,
    /// 64 KiB pages over all of the guest's memories, at the end (at the last host call when it was killed).
    pub memory_pages: Option<u64>,
    /// Fuel used, when the run was metered.
    pub fuel: Option<u64>,
    /// Bytes written to stdout and stderr.
    pub output_bytes: u64,
    /// Bytes written to files.
    pub written_bytes: u64,
    /// Bytes received over the network.
    #[serde(default)]
    pub received_bytes: u64,
    /// Bytes sent over the network.
    #[serde(default)]
    pub sent_bytes: u64,
    /// Time spent compiling before the run; None when nothing had to be compiled.
    pub compile_time: Option<Duration>,
}
