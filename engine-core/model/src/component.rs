//! What an engine that runs components has to do: the same bytes-in, execution-out, with WASI 0.2 below it.
//!
//! Components bring a type system of their own, and only wasmtime has it: so WASI is not a list of host functions here, as it is
//! for core modules, but what [`WasmComponent`] makes of a plan and of the descriptors that it is given. Policy stays in the plan.

use crate::backend::{CompileOptions, Ending};
use crate::network::Listener;
use crate::words::Voice;
use crate::{Error, ErrorKind, ModuleInfo, Result, RunPlan};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// What the code of a component depends on, beside the component itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ComponentOptions {
    /// How native code is made.
    pub code: CompileOptions,
    /// Whether it counts fuel. The engine counts, since no other engine has to agree.
    pub fuel: bool,
    /// Whether a running call can be ended from outside, by checks in the code. A process of its own is killed instead.
    pub interruptible: bool,
}

/// Room that is made ready for instances before the first of them, by engines that can do that: a matter of speed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// How many instances there may be at a time.
    pub instances: usize,
    /// What each may have of memory; None means no bound.
    pub memory_bytes: Option<u64>,
    /// What each may have of table elements; None means no bound.
    pub table_elements: Option<u64>,
}

/// What a component offers to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// `wasi:cli/run`: a program that runs once.
    Command,
    /// `wasi:http/incoming-handler`: answers HTTP requests.
    Proxy,
}

impl World {
    /// The interface that a component of this kind exports, without its version.
    #[must_use]
    pub fn interface(self) -> &'static str {
        match self {
            Self::Command => "wasi:cli/run",
            Self::Proxy => "wasi:http/incoming-handler",
        }
    }

    /// Whether a component exports it, in a version 0.2.
    #[must_use]
    pub fn is_exported(self, info: &ModuleInfo) -> bool {
        let exported = |name: &String| {
            name.strip_prefix(self.interface())
                .and_then(|rest| rest.strip_prefix("@0.2."))
                .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit()))
        };
        info.component.as_ref().is_some_and(|component| component.exports.iter().any(exported))
    }
}

/// What a component is given besides the plan.
#[non_exhaustive]
pub struct ComponentResources {
    /// Standard input; None is at its end from the start.
    pub stdin: Option<OwnedFd>,
    /// Standard output; None discards, but counts.
    pub stdout: Option<OwnedFd>,
    /// Standard error; None discards, but counts.
    pub stderr: Option<OwnedFd>,
    /// The way to the process that opens sockets under the plan's rules; None when there are none.
    pub broker: Option<OwnedFd>,
    /// The ports that are published for it. It gets one when it binds the port.
    pub listeners: Vec<Listener>,
    /// Certificates, in DER, of those by whom servers of outgoing https requests are vouched for.
    pub trust: Vec<Vec<u8>>,
    /// The devices of file systems that are the kernel's. Nothing on them is granted, wherever they are mounted.
    pub kernel_devices: Vec<u64>,
    /// Where usage is counted.
    pub usage: Arc<dyn UsageCounter>,
}

impl ComponentResources {
    /// No streams.
    #[must_use]
    pub fn new(usage: Arc<dyn UsageCounter>) -> Self {
        Self {
            stdin: None,
            stdout: None,
            stderr: None,
            broker: None,
            listeners: Vec::new(),
            trust: Vec::new(),
            kernel_devices: Vec::new(),
            usage,
        }
    }
}

impl fmt::Debug for ComponentResources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentResources")
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("broker", &self.broker)
            .field("listeners", &self.listeners)
            .field("trust", &self.trust.len())
            .finish_non_exhaustive()
    }
}

/// Where a component's use is noted while it runs, so that it is known of one that is killed. Totals, not differences.
pub trait UsageCounter: Send + Sync {
    /// Bytes written to standard output and standard error.
    fn output_bytes(&self, total: u64);
    /// Bytes written to files, and by which files were extended.
    fn written_bytes(&self, total: u64);
    /// Bytes of all linear memories.
    fn memory_bytes(&self, total: u64);
    /// Bytes received over the network.
    fn received_bytes(&self, total: u64);
    /// Bytes sent over the network.
    fn sent_bytes(&self, total: u64);
}

/// How a component's run came to its end.
#[derive(Debug)]
#[non_exhaustive]
pub struct ComponentRun {
    /// Ok when `run` returned without an error.
    pub ended: Result<(), Ending>,
    /// 64 KiB pages over all memories.
    pub memory_pages: Option<u64>,
    /// Units of the engine's own fuel that were used, where it counts.
    pub fuel: Option<u64>,
    /// What the host refused, as lines for people.
    pub refusals: Vec<String>,
}

impl ComponentRun {
    /// An ending of which nothing else is known.
    #[must_use]
    pub fn ended(ended: Result<(), Ending>) -> Self {
        Self { ended, memory_pages: None, fuel: None, refusals: Vec::new() }
    }
}

/// A component that is loaded.
pub trait WasmComponent: fmt::Debug + Send + Sync {
    /// Runs its `wasi:cli/run` to the end, on the calling thread alone.
    fn run(&self, plan: &RunPlan, resources: ComponentResources) -> ComponentRun;

    /// Answers HTTP requests with its `wasi:http/incoming-handler`, a fresh instance for each, until it is told to stop. Starts threads.
    ///
    /// # Errors
    /// `MissingImports` for what it imports and nobody offers, and failures of ours before the first connection; what goes wrong in a request
    /// is that request's.
    fn serve(&self, plan: &RunPlan, resources: ComponentResources, server: ServerSetup) -> Result<()>;
}

/// How a server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeLimits {
    /// What a request may take in all, from its head to the end of its response's body.
    pub request_timeout: Duration,
    /// Requests that run at a time.
    pub concurrency: usize,
    /// Requests that may wait for their turn; further ones are refused with 503.
    pub queue: usize,
    /// The largest head of a request, in bytes.
    pub header_bytes: usize,
    /// The largest body of a request, in bytes.
    pub body_bytes: u64,
    /// What requests that are under way have left when the server stops.
    pub drain_timeout: Duration,
}

impl ServeLimits {
    /// What `concurrency` may be: as many as a machine could have a use for.
    pub const CONCURRENCY: RangeInclusive<u32> = 1..=65_536;
    /// What `queue` may be.
    pub const QUEUE: RangeInclusive<u32> = 0..=1_048_576;
    /// What `header_bytes` may be. Below what every client sends it would refuse them all.
    pub const HEADER_BYTES: RangeInclusive<u32> = 256..=1 << 20;
    /// Requests that may wait for each that may run, where nobody says how many.
    pub const WAITING_FOR_EACH: usize = 4;
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            concurrency: 128,
            queue: 128 * Self::WAITING_FOR_EACH,
            header_bytes: 64 << 10,
            body_bytes: 64 << 20,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// What is told of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AccessLog {
    /// Nothing.
    Off,
    /// A line for people.
    #[default]
    Text,
    /// A line of JSON.
    Json,
}

/// `off`, `text` or `json`.
impl FromStr for AccessLog {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "off" => Ok(Self::Off),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("'{text}' is not a form of the access log: off, text or json"),
            )),
        }
    }
}

/// Everything that a server needs but its component and plan.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerSetup {
    /// Where requests come from.
    pub listener: TcpListener,
    /// Where `/healthz` is answered.
    pub health: Option<TcpListener>,
    /// Its bounds.
    pub limits: ServeLimits,
    /// What is told of each request, on `log`.
    pub access_log: AccessLog,
    /// How lines of the server's own speak.
    pub voice: Voice,
    /// Where they go.
    pub log: OwnedFd,
    /// Becomes readable when the server is to stop: it accepts no more and finishes what is under way.
    pub stop: OwnedFd,
    /// How many threads run guests.
    pub threads: usize,
}

impl ServerSetup {
    /// A server with the usual limits.
    #[must_use]
    pub fn new(listener: TcpListener, log: OwnedFd, stop: OwnedFd) -> Self {
        let (limits, access_log, voice) = (ServeLimits::default(), AccessLog::default(), Voice::default());
        Self { listener, health: None, limits, access_log, voice, log, stop, threads: 1 }
    }

    /// The address that it listens at.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::ComponentInfo;

    #[test]
    fn a_world_is_known_by_its_interface_and_version() {
        let info = |name: &str| ModuleInfo {
            component: Some(ComponentInfo { exports: vec![name.to_owned()], ..ComponentInfo::default() }),
            ..ModuleInfo::default()
        };
        assert!(World::Command.is_exported(&info("wasi:cli/run@0.2.0")));
        assert!(World::Command.is_exported(&info("wasi:cli/run@0.2.12")));
        assert!(World::Proxy.is_exported(&info("wasi:http/incoming-handler@0.2.3")));
        for name in [
            "wasi:cli/run@0.3.0",
            "wasi:cli/run",
            "wasi:cli/runner@0.2.0",
            "wasi:cli/run@0.2.",
            "wasi:cli/run@0.2.0-rc",
        ] {
            assert!(!World::Command.is_exported(&info(name)), "{name}");
        }
        assert!(!World::Command.is_exported(&ModuleInfo::default()));
    }
}
