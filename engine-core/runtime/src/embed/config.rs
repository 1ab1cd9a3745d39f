//! How an embedder is set up, and how a run is started.

use crate::runtime::RuntimeConfig;
use crate::streams::PipedStreams;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wasmrt_model::EngineName;

/// How an embedder is set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EmbedderConfig {
    /// Cache and ceiling.
    pub runtime: RuntimeConfig,
    /// The executable `wasmrt-worker`. None: where [`find_worker`](super::find_worker) finds it.
    pub worker: Option<PathBuf>,
    /// How many runs may be under way at once.
    pub max_runs: usize,
    /// How many may wait for others to end. Each takes a descriptor of this process, of which many have 1,024.
    pub queue: usize,
    /// Engines to load before the first run asks for them.
    pub warm: Vec<EngineName>,
}

/// 64 runs at once, and 512 that wait.
impl Default for EmbedderConfig {
    fn default() -> Self {
        Self { runtime: RuntimeConfig::default(), worker: None, max_runs: 64, queue: 512, warm: Vec::new() }
    }
}

/// How a run is started.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct StartOptions {
    /// The guest's ends of streams that the spec calls piped. For one that is missing a pipe is made, whose other end the
    /// [`Run`](super::Run) has.
    pub piped: PipedStreams,
    /// What to do when no more runs fit.
    pub when_full: WhenFull,
}

/// What to do when as many runs are under way, and wait, as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// Wait until there is room.
    #[default]
    Wait,
    /// Wait this long, then refuse.
    WaitFor(Duration),
    /// Refuse, with [`ErrorKind::Busy`](wasmrt_model::ErrorKind::Busy).
    Refuse,
}

impl WhenFull {
    /// When waiting has to end. None: never.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Wait => None,
            Self::WaitFor(time) => Instant::now().checked_add(time),
            Self::Refuse => Some(Instant::now()),
        }
    }
}
