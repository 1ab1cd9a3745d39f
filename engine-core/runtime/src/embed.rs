//! Guests at process level for programs that have threads: Python, Node, C, servers.
//!
//! Such a program cannot fork a worker by itself. [`Embedder`] starts the executable `wasmrt-worker` once, which has one thread and engines
//! loaded, and forks for each run. Everything about a run is decided there by the same code as in [`Runtime::run`]; here are handles, a
//! bounded queue, and the way there and back. No thread is started in the caller's process.

mod config;
mod find;
mod module;
mod published;
mod queue;
mod run;
mod streams;
mod zygote_process;

pub use config::{EmbedderConfig, StartOptions, WhenFull};
pub use find::find_worker;
pub use module::Module;
pub use published::PublishedAt;
pub use run::Run;

use crate::errand::{Errand, Parcel};
use crate::inspect::Inspection;
use crate::instance::{Imports, Instance, InstantiateOptions};
use crate::registry::EngineStatus;
use crate::runtime::{Compiled, Runtime};
use crate::wire::packet::{self, Packet};
use crate::wire::{self, Answer, JobHead, Task};
use published::Announcements;
use queue::Queue;
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use serde::Serialize;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use wasmrt_model::{Error, ErrorKind, Outcome, Result, RunSpec};
use zygote_process::ZygoteProcess;

/// A process that dies again and again is started this often...
const MOST_STARTS: usize = 8;
/// ...in this time.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// Runs guests at process level, from any thread of any process.
///
/// Making one costs nothing: `wasmrt-worker` is started by the first run, and again when it has died. Clones are handles of the same one. It ends
/// when the last of them, and of the [`Run`]s that it started, is dropped, when [`close`](Self::close) is called, or when this process ends.
///
/// A process forked from this one may go on to use its copy, which then starts a `wasmrt-worker` of its own; runs of its parent are not its to wait for.
///
/// ```no_run
/// use wasmrt_runtime::{Embedder, EmbedderConfig, StartOptions, model::RunSpec};
///
/// let embedder = Embedder::new(EmbedderConfig::default());
/// let module = embedder.module(&std::fs::read("app.wasm")?)?;
/// let spec = RunSpec::from_json(r#"{"stdio": {"stdout": {"capture": {}}}, "limits": {"wall_time": "2s"}}"#)?;
/// let run = embedder.start(&module, &spec, StartOptions::default())?;
/// let outcome = run.wait()?;
/// println!("{}", outcome.status);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Embedder {
    inner: Arc<Inner>,
}

/// What there is of an embedder's runs at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EmbedderStatus {
    /// Runs that are under way.
    pub running: usize,
    /// Runs that wait for others to end.
    pub queued: usize,
    /// How many may be under way at once.
    pub max_runs: usize,
    /// How many may wait.
    pub queue: usize,
    /// The process id of `wasmrt-worker`. None when it has not been started yet, or has died.
    pub worker: Option<u32>,
    /// How often it had to be started again.
    pub restarts: u64,
}

#[derive(Debug)]
pub(crate) struct Inner {
    config: EmbedderConfig,
    /// For what needs no process: instances in this one.
    direct: Runtime,
    here: Here,
}

/// What belongs to one process. A fork of it gets an empty one: locks may be held in its copy, by threads that it does not have.
#[derive(Debug)]
struct Here {
    pid: Pid,
    state: Mutex<State>,
    after_fork: OnceLock<Box<Here>>,
}

#[derive(Debug, Default)]
struct State {
    zygote: Option<Arc<ZygoteProcess>>,
    queue: Queue,
    starts: VecDeque<Instant>,
    restarts: u64,
    closed: bool,
}

impl Here {
    fn new() -> Self {
        Self { pid: rustix::process::getpid(), state: Mutex::default(), after_fork: OnceLock::new() }
    }

    /// That of the process which asks.
    fn now(&self) -> &Self {
        let pid = rustix::process::getpid();
        let mut here = self;
        while here.pid != pid {
            here = here.after_fork.get_or_init(|| Box::new(Self::new()));
        }
        here
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Embedder {
    /// Nothing is started, looked for or loaded yet.
    #[must_use]
    pub fn new(config: EmbedderConfig) -> Self {
        let direct = Runtime::new(config.runtime.clone());
        Self { inner: Arc::new(Inner { config, direct, here: Here::new() }) }
    }

    /// With its process forked from this one, which has a single thread still, and knows how to do errands there. That process outlives this one by a
    /// moment, however this one ends, and does the epilogue then. When it has died, the program that the configuration names is started in its place;
    /// it has to know the same errands, and has no epilogue.
    ///
    /// # Errors
    /// `Unsupported` when this process has several threads.
    pub fn forked(config: EmbedderConfig, errand: Errand, epilogue: impl FnOnce()) -> Result<Self> {
        let zygote = Arc::new(ZygoteProcess::fork(&config, errand, epilogue)?);
        let embedder = Self::new(config);
        embedder.inner.here.lock().zygote = Some(zygote);
        Ok(embedder)
    }

    /// How it was set up.
    #[must_use]
    pub fn config(&self) -> &EmbedderConfig {
        &self.inner.config
    }

    /// The runtime for what happens in this process: the cache, `doctor`, instances.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.inner.direct
    }

    /// A module that can be run many times, from any thread. It is copied once; what it is shows when it is run.
    ///
    /// # Errors
    /// `Internal` when there is no memory or descriptor left for it.
    pub fn module(&self, bytes: &[u8]) -> Result<Module> {
        Module::new(bytes)
    }

    /// Makes everything ready that a run of this module with this spec needs: engine, native code. Later runs find it.
    ///
    /// # Errors
    /// Whatever would keep such a run from starting.
    pub fn preload(&self, module: &Module, spec: &RunSpec) -> Result<()> {
        match self.ask(Task::Preload, Some(module), Some(spec))? {
            Answer::Preloaded => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Starts a run, or puts it into the queue. The guest's end is seen on what is returned.
    ///
    /// # Errors
    /// `Busy` when as many runs are under way and wait as may, unless the caller would rather wait ([`WhenFull`]); `NotFound` when there is no
    /// `wasmrt-worker`; `Internal` when it cannot be started. What keeps the guest from starting is told by [`Run::wait`].
    pub fn start(&self, module: &Module, spec: &RunSpec, options: StartOptions) -> Result<Run> {
        let StartOptions { piped, when_full } = options;
        let mut spec = spec.clone();
        take_environment(&mut spec);
        let mut streams = streams::set_up(&mut spec.stdio, piped)?;
        let ports = published::chosen_ports(&spec.network);
        if ports > 0 {
            let (ours, theirs) = std::io::pipe().map_err(|source| no_descriptor(source, &self.inner.config))?;
            streams.events = Some(theirs.into());
            streams.announcements = Announcements::new(ours, ports);
        }
        let spec = written(Some(&spec))?;
        self.send(Job { task: Task::Run, body: &spec, module: Some(module), extra: &[] }, streams, when_full)
    }

    /// Has an errand done, in a fork of its process, and waits for what comes of it. The fork ends when `taken` has returned: processes that it made
    /// and left are this process's children soon after that, if it adopts orphans.
    ///
    /// # Errors
    /// Whatever comes of the errand; as [`start`](Self::start).
    pub fn errand<T>(&self, parcel: &Parcel, taken: impl FnOnce(Parcel) -> Result<T>) -> Result<T> {
        let job = Job { task: Task::Errand, body: &parcel.bytes, module: None, extra: &parcel.descriptors };
        let run = self.send(job, streams::Streams::default(), WhenFull::Wait)?;
        match run.answer()? {
            Answer::Errand(parcel) => taken(parcel),
            other => Err(unexpected(&other)),
        }
    }

    /// Starts a run and waits for its end.
    ///
    /// # Errors
    /// As [`start`](Self::start) and [`Run::wait`].
    pub fn run(&self, module: &Module, spec: &RunSpec, options: StartOptions) -> Result<Outcome> {
        self.start(module, spec, options)?.wait()
    }

    /// Every engine, with what it can do or why it cannot be had. They are loaded in another process, not in this one.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn engines(&self) -> Result<Vec<EngineStatus>> {
        match self.ask(Task::Engines, None, None)? {
            Answer::Engines(engines) => {
                Ok(engines.into_iter().map(|(name, capabilities)| EngineStatus { name, capabilities }).collect())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// What a module is, and which engines would run it. It is read in another process.
    ///
    /// # Errors
    /// `NotWasm`, `InvalidModule` for what no engine runs; as [`start`](Self::start).
    pub fn inspect(&self, module: &Module) -> Result<Inspection> {
        match self.ask(Task::Inspect, Some(module), None)? {
            Answer::Inspection(inspection) => Ok(*inspection),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes native code and puts it into the cache, for later runs with the same engine and limits.
    ///
    /// # Errors
    /// As [`Runtime::compile`] and [`start`](Self::start).
    pub fn compile(&self, module: &Module, spec: &RunSpec) -> Result<Compiled> {
        match self.ask(Task::Compile, Some(module), Some(spec))? {
            Answer::Compiled(compiled) => Ok(compiled),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes an instance in this very process.
    ///
    /// # Errors
    /// As [`Runtime::instantiate`].
    pub fn instantiate(
        &self,
        module: &[u8],
        spec: &RunSpec,
        imports: Imports,
        options: InstantiateOptions<'_>,
    ) -> Result<Instance> {
        self.inner.direct.instantiate(module, spec, imports, options)
    }

    /// How many runs there are, and what becomes of them.
    #[must_use]
    pub fn status(&self) -> EmbedderStatus {
        let here = self.inner.here.now();
        let mut state = here.lock();
        let unfinished = state.queue.unfinished();
        let config = &self.inner.config;
        let running = unfinished.min(config.max_runs);
        EmbedderStatus {
            running,
            queued: unfinished.saturating_sub(running),
            max_runs: config.max_runs,
            queue: config.queue,
            worker: state.zygote.as_ref().filter(|zygote| zygote.is_alive()).map(|zygote| zygote.id()),
            restarts: state.restarts,
        }
    }

    /// Ends all runs, as cancelled, and `wasmrt-worker`, and starts nothing any more. Returns when that process is gone.
    pub fn close(&self) {
        let here = self.inner.here.now();
        let (zygote, sockets) = {
            let mut state = here.lock();
            state.closed = true;
            (state.zygote.take(), state.queue.sockets())
        };
        for socket in sockets {
            run::give_up(socket.as_fd());
        }
        if let Some(zygote) = zygote {
            zygote.stop();
        }
    }

    /// Sends a job and waits for its answer.
    fn ask(&self, task: Task, module: Option<&Module>, spec: Option<&RunSpec>) -> Result<Answer> {
        let spec = written(spec)?;
        self.send(Job { task, body: &spec, module, extra: &[] }, streams::Streams::default(), WhenFull::Wait)?.answer()
    }

    fn send(&self, job: Job<'_>, streams: streams::Streams, when_full: WhenFull) -> Result<Run> {
        let Job { task, body, module, extra } = job;
        let head = JobHead {
            task,
            module: module.map(Module::name),
            long_spec: body.len() > packet::MOST_BYTES / 2,
            streams: streams.given.each_ref().map(Option::is_some),
            events: streams.events.is_some(),
            group: streams.group.map(|group| group.as_raw_nonzero().get()),
            extra: extra.len(),
        };
        let head_json = serde_json::to_vec(&head)
            .map_err(|source| Error::new(ErrorKind::Internal, "a job cannot be written down").with_source(source))?;
        let no_descriptor = |source: std::io::Error| no_descriptor(source, &self.inner.config);
        let directory = rustix::fs::open(".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| no_descriptor(errno.into()))?;
        let long = head.long_spec.then(|| wire::memory("wasmrt-spec", &[body])).transpose().map_err(no_descriptor)?;
        let body: &[u8] = if head.long_spec { &[] } else { body };

        let here = self.inner.here.now();
        let (ours, theirs) = packet::pair().map_err(no_descriptor)?;
        let ours = Arc::new(ours);
        let place = self.take_place(here, &ours, when_full)?;
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![theirs.as_fd(), directory.as_fd()];
        descriptors.extend(module.map(Module::memory));
        descriptors.extend(long.as_ref().map(AsFd::as_fd));
        descriptors.extend(streams.given.iter().flatten().chain(&streams.events).chain(extra).map(AsFd::as_fd));
        let packet = Packet::new(&head_json).body(&[body]);
        let sent = self.zygote(here).and_then(|zygote| match packet.send(zygote.control(), &descriptors) {
            Ok(()) => Ok(zygote),
            // It died a moment ago. Another one may do better; whether it does is not tried a second time.
            Err(error) if zygote_process::is_gone(&error) => {
                zygote.give_up();
                let zygote = self.zygote(here)?;
                packet.send(zygote.control(), &descriptors).map_err(|source| zygote.failure(source))?;
                Ok(zygote)
            }
            Err(source) => Err(no_descriptor(source)),
        });
        match sent {
            Ok(zygote) => Ok(Run::new(Arc::clone(&self.inner), zygote, ours, place, streams)),
            Err(error) => {
                here.lock().queue.leave(place);
                Err(error)
            }
        }
    }

    /// A place among the runs, as soon as there is one.
    fn take_place(&self, here: &Here, socket: &Arc<OwnedFd>, when_full: WhenFull) -> Result<u64> {
        let config = &self.inner.config;
        let places = config.max_runs.max(1).saturating_add(config.queue);
        let until = when_full.deadline();
        loop {
            let waits_for = {
                let mut state = here.lock();
                if state.closed {
                    return Err(Error::new(ErrorKind::Cancelled, "the embedder was closed"));
                }
                if let Some(place) = state.queue.enter(socket, places) {
                    return Ok(place);
                }
                state.queue.sockets()
            };
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Error::new(ErrorKind::Busy, "all places are taken")
                    .with_context("running", config.max_runs)
                    .with_context("waiting", config.queue)
                    .with_hint("try again later, wait for a place, or allow more runs or a longer queue"));
            }
            queue::wait_for_any(&waits_for, left).map_err(|source| Error::io("cannot wait for a place", source))?;
        }
    }

    /// The process that forks, started when there is none.
    fn zygote(&self, here: &Here) -> Result<Arc<ZygoteProcess>> {
        let mut state = here.lock();
        if state.closed {
            return Err(Error::new(ErrorKind::Cancelled, "the embedder was closed"));
        }
        if let Some(zygote) = state.zygote.as_ref().filter(|zygote| zygote.is_usable()) {
            return Ok(Arc::clone(zygote));
        }
        let now = Instant::now();
        while state.starts.front().is_some_and(|start| now.duration_since(*start) > STARTS_WITHIN) {
            state.starts.pop_front();
        }
        if state.starts.len() >= MOST_STARTS {
            let error = Error::new(
                ErrorKind::Internal,
                format!("wasmrt-worker was started {MOST_STARTS} times within {} seconds", STARTS_WITHIN.as_secs()),
            );
            let ended = state.zygote.as_ref().and_then(|zygote| zygote.end());
            return Err(match ended {
                Some(end) => error.with_context("the last one", end),
                None => error,
            }
            .with_hint("something ends it: look for what it wrote on standard error, and for the kernel's log"));
        }
        state.starts.push_back(now);
        let zygote = Arc::new(ZygoteProcess::start(&self.inner.config)?);
        if state.zygote.replace(Arc::clone(&zygote)).is_some() {
            state.restarts += 1;
        }
        Ok(zygote)
    }
}

/// What is sent of a job, beside streams.
struct Job<'a> {
    task: Task,
    body: &'a [u8],
    module: Option<&'a Module>,
    extra: &'a [OwnedFd],
}

fn written(spec: Option<&RunSpec>) -> Result<Vec<u8>> {
    let written = spec.map(serde_json::to_vec).transpose();
    let written = written
        .map_err(|source| Error::new(ErrorKind::InvalidInput, "the spec cannot be passed on").with_source(source))?;
    Ok(written.unwrap_or_default())
}

/// What the guest inherits of the environment is looked up here and now: the zygote has that of the moment at which it was started.
fn take_environment(spec: &mut RunSpec) {
    for name in std::mem::take(&mut spec.env.inherit) {
        if let (false, Ok(value)) = (spec.env.set.contains_key(&name), std::env::var(&name)) {
            spec.env.set.insert(name, value);
        }
    }
}

fn no_descriptor(source: std::io::Error, config: &EmbedderConfig) -> Error {
    let places = config.max_runs.saturating_add(config.queue);
    let used_up = source.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error());
    let error = Error::io("cannot pass a run on", source);
    if used_up {
        error.with_hint(format!(
            "each run that has not ended takes a descriptor, and there may be {places}: allow more (ulimit -n), or a shorter queue"
        ))
    } else {
        error
    }
}

fn unexpected(answer: &Answer) -> Error {
    Error::new(ErrorKind::Internal, format!("wasmrt-worker answered something else: {answer:?}"))
}
