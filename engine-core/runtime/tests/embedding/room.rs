//! An embedder with a cache of its own, and short ways to say what tests say often.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;
use wasmrt_runtime::model::{EngineName, Outcome, RunSpec};
use wasmrt_runtime::{CacheConfig, Embedder, EmbedderConfig, Run, StartOptions};

/// Longer than anything here takes, and short enough to wait for when it fails.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Room {
    pub(crate) embedder: Embedder,
    cache: tempfile::TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut EmbedderConfig)) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mut config = EmbedderConfig::default();
        config.runtime.cache = CacheConfig::in_directory(cache.path().join("cache"));
        config.worker = Some(PathBuf::from(env!("CARGO_BIN_EXE_wasmrt-worker")));
        change(&mut config);
        Self { embedder: Embedder::new(config), cache }
    }

    pub(crate) fn start(&self, module: &[u8], spec: &RunSpec) -> Run {
        let module = self.embedder.module(module).unwrap();
        self.embedder.start(&module, spec, StartOptions::default()).unwrap()
    }

    pub(crate) fn run(&self, module: &[u8], spec: &RunSpec) -> Outcome {
        ended(&self.start(module, spec))
    }

    /// Lets go of the embedder. What it has started may use the cache until it has ended.
    pub(crate) fn into_cache(self) -> tempfile::TempDir {
        self.cache
    }

    /// The process that forks.
    pub(crate) fn worker(&self) -> Pid {
        pid(self.embedder.status().worker.unwrap())
    }
}

/// The outcome, which has to come.
pub(crate) fn ended(run: &Run) -> Outcome {
    run.wait_timeout(LONG).expect("the run ends").unwrap()
}

/// On this engine, with standard output captured and no input; `more` holds further fields, in JSON.
pub(crate) fn spec_of(engine: &str, more: &str) -> RunSpec {
    let comma = if more.is_empty() { "" } else { "," };
    let stdio = if more.contains("\"stdio\"") {
        ""
    } else {
        r#", "stdio": {"stdin": "null", "stdout": {"capture": {}}, "stderr": {"capture": {}}}"#
    };
    RunSpec::from_json(&format!(r#"{{"engine": "{engine}"{stdio}{comma} {more}}}"#)).unwrap()
}

/// All three streams are pipes.
pub(crate) const PIPED: &str = r#""stdio": {"stdin": "piped", "stdout": "piped", "stderr": "piped"}"#;

/// The engines of this machine, as the embedder tells of them.
pub(crate) fn engines() -> Vec<&'static str> {
    let required = std::env::var("WASMRT_REQUIRE").unwrap_or_default();
    let here = Room::new().embedder.engines().unwrap();
    [EngineName::Wasmtime, EngineName::WasmEdge]
        .into_iter()
        .filter(|name| {
            let has = here.iter().any(|status| status.name == *name && status.capabilities.is_ok());
            let must = *name == EngineName::Wasmtime || required.split([',', ' ']).any(|word| word == name.as_str());
            assert!(has || !must, "{name} is required here");
            has
        })
        .map(EngineName::as_str)
        .collect()
}

pub(crate) fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// The processes that this one has started.
pub(crate) fn children(of: Pid) -> Vec<Pid> {
    let of = of.as_raw_nonzero();
    let list = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    list.split_whitespace().map(|number| pid(number.parse().unwrap())).collect()
}

/// A process whose end can be waited for, whoever reaps it.
pub(crate) struct Watched(OwnedFd);

impl Watched {
    pub(crate) fn new(pid: Pid) -> Self {
        Self(rustix::process::pidfd_open(pid, PidfdFlags::empty()).unwrap())
    }

    pub(crate) fn ends(&self) -> bool {
        readable(&self.0, LONG)
    }
}

/// Whether this becomes readable in time.
pub(crate) fn readable(fd: impl AsFd, within: Duration) -> bool {
    let timeout = rustix::event::Timespec { tv_sec: i64::try_from(within.as_secs()).unwrap(), tv_nsec: 0 };
    let mut polled = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
    poll(&mut polled, Some(&timeout)).unwrap() > 0
}
