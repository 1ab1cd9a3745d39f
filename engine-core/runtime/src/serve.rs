//! A server: a listener, and a worker that answers with a component, started again when it dies.
//!
//! The supervisor owns the listener and the plan, and nothing that a request touches. It forks, so it has one thread.

use crate::network::GuestNetwork;
use crate::process::{Death, SharedCounters, SignalsAsDescriptor};
use crate::ready::{Ready, ReadyCode};
use crate::run::job::{OwnedCode, RunCounters, kernel_devices, memory_cap, owned_code};
use crate::streams::{self, GuestStreams, PipedStreams};
use crate::trust;
use crate::worker::component::{self, ComponentWork};
use crate::worker::confine::Guest;
use crate::worker::report::Report;
use crate::worker::{self, Worker, WorkerGroup, WorkerSetup, above_standard_streams};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PipeFlags;
use rustix::process::Signal;
use std::fs::File;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmrt_host::HostRoot;
use wasmrt_model::backend::{Code, Ending};
use wasmrt_model::component::{AccessLog, ComponentOptions, ComponentResources, Pool, ServeLimits, ServerSetup};
use wasmrt_model::words::Voice;
use wasmrt_model::{Error, ErrorKind, ExitStatus, OsSandbox, Result};

/// The first pause before a worker that died is started again; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A worker that lived this long did not die of starting.
const STEADY: Duration = Duration::from_secs(10);
/// What a worker has beyond the time to drain before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// Descriptors for connections that are idle, beside those of requests.
const IDLE_CONNECTIONS: u64 = 1_024;
/// What a thread may take of memory: its stack and its share of the allocator.
const BYTES_PER_THREAD: u64 = 80 << 20;

/// The most that a report may have.
const MOST_REPORT_BYTES: u64 = 1 << 20;
/// The signals by which people and service managers ask a server to stop. Others that arrive change nothing.
const ASK_TO_STOP: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP];

/// Where a server listens and what bounds it.
#[non_exhaustive]
pub struct ServeOptions<'a> {
    /// The address for requests; port 0 lets the system choose.
    pub address: SocketAddr,
    /// The address of `/healthz`, if there is to be one.
    pub health: Option<SocketAddr>,
    /// The bounds of requests.
    pub limits: ServeLimits,
    /// What is told of each request, on standard error.
    pub access_log: AccessLog,
    /// How requests that went wrong are told there.
    pub voice: Voice,
    /// How many threads run guests; None means as many as there are processors.
    pub threads: Option<usize>,
    /// Hears what happens.
    pub events: Option<&'a mut dyn FnMut(ServeEvent)>,
}

impl<'a> ServeOptions<'a> {
    /// The usual limits at this address.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            health: None,
            limits: ServeLimits::default(),
            access_log: AccessLog::default(),
            voice: Voice::default(),
            threads: None,
            events: None,
        }
    }
}

impl std::fmt::Debug for ServeOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeOptions")
            .field("address", &self.address)
            .field("health", &self.health)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What happens to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServeEvent {
    /// It listens, with the ports that the system chose.
    Listening {
        /// For requests.
        address: SocketAddr,
        /// For `/healthz`.
        health: Option<SocketAddr>,
    },
    /// Its worker has died, and is started again after a pause.
    WorkerDied {
        /// How, in words.
        how: String,
        /// The pause.
        pause: Duration,
    },
    /// It was asked to stop, and finishes what is under way.
    Stopping,
}

/// Why a server has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Served {
    /// It was asked to stop, and did.
    Stopped,
    /// It was asked twice, and was ended at once.
    Killed {
        /// The second signal.
        signal: i32,
    },
}

/// The sockets of a server.
pub(crate) struct Listeners {
    requests: TcpListener,
    health: Option<TcpListener>,
}

impl Listeners {
    /// Lets nobody connect any more, in whichever process the listener is. What is accepted already stays.
    fn close(&self) {
        // It can only be closed already.
        let _closed = rustix::net::shutdown(&self.requests, rustix::net::Shutdown::Both);
    }
}

/// Binds both addresses, so that a port that is taken is told before anything is compiled.
pub(crate) fn listen(address: SocketAddr, health: Option<SocketAddr>) -> Result<Listeners> {
    let requests = bind(address)?;
    let health = health.map(bind).transpose()?;
    Ok(Listeners { requests, health })
}

/// Binds the first of these addresses whose family this machine has.
pub(crate) fn listen_at_first(addresses: &[SocketAddr]) -> Result<Listeners> {
    let mut last = Error::new(ErrorKind::Internal, "a server was given no address");
    for address in addresses {
        match listen(*address, None) {
            Err(error) if lacks_family(&error) => last = error,
            listening => return listening,
        }
    }
    Err(last)
}

fn lacks_family(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    let errno = source.and_then(rustix::io::Errno::from_io_error);
    matches!(errno, Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL))
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    let failed = |source| Error::io(format!("cannot listen at {address}"), source);
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = above_standard_streams(listener.as_fd()).map_err(failed)?;
    Ok(TcpListener::from(listener))
}

/// Serves until somebody asks it to stop.
pub(crate) fn serve(ready: Ready, listeners: &Listeners, options: ServeOptions<'_>) -> Result<Served> {
    let ServeOptions { limits, access_log, voice, threads, events, .. } = options;
    let mut silent = |_| {};
    let events: &mut dyn FnMut(ServeEvent) = match events {
        Some(events) => events,
        None => &mut silent,
    };
    let signals = take_signals()?;
    Server::new(ready, listeners, HostRoot::Refuse, Terms { limits, access_log, voice, threads })?
        .serve(&signals, events)
}

/// From here on signals are waited for. What arrives meanwhile is not lost.
pub(crate) fn take_signals() -> Result<SignalsAsDescriptor> {
    SignalsAsDescriptor::new().map_err(|source| Error::io("cannot take signals", source))
}

/// What a server is to keep to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Terms {
    pub(crate) limits: ServeLimits,
    pub(crate) access_log: AccessLog,
    pub(crate) voice: Voice,
    pub(crate) threads: Option<usize>,
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Everything that a worker is made of, again and again.
pub(crate) struct Server<'a> {
    ready: Ready,
    code: OwnedCode,
    component: ComponentOptions,
    listeners: &'a Listeners,
    streams: GuestStreams,
    log: OwnedFd,
    host_root: HostRoot,
    limits: ServeLimits,
    access_log: AccessLog,
    voice: Voice,
    threads: usize,
    memory_bytes: Option<u64>,
    open_files: Option<u64>,
    os_sandbox: OsSandbox,
}

impl<'a> Server<'a> {
    /// `host_root`: whether the root of the file system that it finds may be its guests'.
    pub(crate) fn new(mut ready: Ready, listeners: &'a Listeners, host_root: HostRoot, terms: Terms) -> Result<Self> {
        let Terms { limits, access_log, voice, threads } = terms;
        let threads = threads.unwrap_or_else(processors);
        let component = ready
            .component
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a server was given something that is no component"))?;
        let code = std::mem::replace(&mut ready.code, ReadyCode::Wasm(Vec::new()));
        let (code, code_bytes) = owned_code(code)?;
        let plan = &ready.plan;
        let (streams, _) = streams::open(plan.stdio(), PipedStreams::default())?;
        let log = above_standard_streams(rustix::stdio::stderr())
            .map_err(|source| Error::io("the server has no standard error to write to", source))?;
        let many = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let memory_bytes = memory_cap(plan, ready.tier, code_bytes).map(|guest| {
            guest
                .saturating_mul(many(limits.concurrency))
                .saturating_add(many(threads).saturating_mul(BYTES_PER_THREAD))
        });
        let open_files = plan.limits().open_files.bound().map(|files| {
            let connections =
                many(limits.concurrency).saturating_add(many(limits.queue)).saturating_add(IDLE_CONNECTIONS);
            files.0.saturating_mul(many(limits.concurrency)).saturating_add(connections)
        });
        let os_sandbox = worker::confine::available();
        Ok(Self {
            ready,
            code,
            component,
            listeners,
            streams,
            log,
            host_root,
            limits,
            access_log,
            voice,
            threads,
            memory_bytes,
            open_files,
            os_sandbox,
        })
    }

    /// Serves until somebody asks it to stop.
    pub(crate) fn serve(&self, signals: &SignalsAsDescriptor, events: &mut dyn FnMut(ServeEvent)) -> Result<Served> {
        let mut listening = Some(self.listening()?);
        let mut pause = PAUSE;
        loop {
            let started = Instant::now();
            let mut process = self.start(signals)?;
            if let Some(listening) = listening.take() {
                events(listening);
            }
            let how = match process.watch(self.listeners, signals, self.limits.drain_timeout, events)? {
                End::Served(served) => return Ok(served),
                End::Died(how) => how,
            };
            if started.elapsed() >= STEADY {
                pause = PAUSE;
            }
            events(ServeEvent::WorkerDied { how, pause });
            if rest(pause, signals)? {
                return Ok(Served::Stopped);
            }
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// What its process has to keep open.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let GuestStreams { stdin, stdout, stderr } = &self.streams;
        let mut keep: Vec<BorrowedFd<'_>> = [stdin, stdout, stderr].into_iter().flatten().map(AsFd::as_fd).collect();
        keep.extend([self.listeners.requests.as_fd(), self.log.as_fd()]);
        keep.extend(self.listeners.health.as_ref().map(AsFd::as_fd));
        if let OwnedCode::Artifact(file) = &self.code {
            keep.push(file.as_fd());
        }
        keep
    }

    /// Where it says what happens.
    pub(crate) fn log(&self) -> BorrowedFd<'_> {
        self.log.as_fd()
    }

    /// Where it listens.
    fn listening(&self) -> Result<ServeEvent> {
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|source| Error::io("cannot tell where the server listens", source))
        };
        Ok(ServeEvent::Listening {
            address: address(&self.listeners.requests)?,
            health: self.listeners.health.as_ref().map(address).transpose()?,
        })
    }

    /// Forks a worker.
    fn start(&self, signals: &SignalsAsDescriptor) -> Result<Process> {
        let failed = |source| Error::io("cannot make a pipe", source);
        let (stopped, stop) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let stopped = above_standard_streams(stopped.as_fd()).map_err(failed)?;
        let counters =
            SharedCounters::new().map_err(|source| Error::io("cannot share memory with the worker", source))?;
        let counters = Arc::new(counters);
        let plan = &self.ready.plan;
        // A worker that died may have left half a conversation behind: each has one of its own.
        let network = GuestNetwork::open(plan.network(), plan.limits().listen_backlog)?;
        let mut keep = self.descriptors();
        keep.push(stopped.as_fd());
        keep.extend(network.descriptors());
        let setup = WorkerSetup {
            memory_bytes: self.memory_bytes,
            opens_files: !self.ready.plan.preopens().is_empty(),
            binds_ports: false,
            open_files: self.open_files,
            guest_stack_bytes: None,
            cpu_time: None,
            // The supervisor decides what Ctrl-C means for it.
            group: WorkerGroup::Own,
            keep,
            signals: Some(signals),
            out_of_memory: Some(&counters),
        };
        let work = || match self.work(&stopped, &network, RunCounters(Arc::clone(&counters))) {
            Ok(()) => Report::ended(ExitStatus::Exited { code: 0 }),
            Err(ending) => Report::of(ending),
        };
        let worker = worker::spawn(setup, work)?;
        Ok(Process { worker, stop: Some(stop), counters, _network: network })
    }

    /// In the worker: loads, confines itself, serves.
    fn work(&self, stopped: &OwnedFd, network: &GuestNetwork, usage: RunCounters) -> Result<(), Ending> {
        let copy = |fd: BorrowedFd<'_>| {
            above_standard_streams(fd).map_err(|source| Error::io("cannot hold on to a descriptor", source))
        };
        let plan = &self.ready.plan;
        let mut resources = ComponentResources::new(Arc::new(usage));
        let GuestStreams { stdin, stdout, stderr } = crate::run::duplicate(&self.streams);
        (resources.stdin, resources.stdout, resources.stderr) = (stdin, stdout, stderr);
        resources.broker = network.broker_in_worker()?;
        resources.trust = trust::of_machine(plan.network(), &self.ready.info);
        resources.kernel_devices = kernel_devices(plan, self.host_root)?;
        let listener = TcpListener::from(copy(self.listeners.requests.as_fd())?);
        let mut setup = ServerSetup::new(listener, copy(self.log.as_fd())?, copy(stopped.as_fd())?);
        setup.health = match &self.listeners.health {
            Some(health) => Some(TcpListener::from(copy(health.as_fd())?)),
            None => None,
        };
        setup.limits = self.limits;
        setup.access_log = self.access_log;
        setup.voice = self.voice;
        setup.threads = self.threads;
        let code = match &self.code {
            OwnedCode::Wasm(bytes) => Code::Wasm(bytes),
            OwnedCode::Artifact(file) => {
                Code::Artifact(file.try_clone().map_err(|source| Error::io("cannot hold on to the artifact", source))?)
            }
        };
        let work = ComponentWork {
            engine: self.ready.engine.as_ref(),
            guest: Guest::Server { sockets: network.is_open() },
            code,
            options: self.component,
            pool: Some(Pool {
                instances: self.limits.concurrency,
                memory_bytes: plan.limits().memory_bytes.bound().map(|bytes| bytes.0),
                table_elements: plan.limits().table_elements.bound().map(|elements| elements.0),
            }),
            plan,
            os_sandbox: self.os_sandbox,
        };
        let component = component::load(work)?;
        component.serve(plan, resources, setup)?;
        Ok(())
    }
}

/// A worker that serves.
struct Process {
    worker: Worker,
    /// Tells it to stop.
    stop: Option<OwnedFd>,
    counters: Arc<SharedCounters>,
    /// What opens sockets for its guests, for as long as it lives.
    _network: GuestNetwork,
}

/// How a worker's service ended.
enum End {
    Served(Served),
    Died(String),
}

impl Process {
    /// Watches it to its end.
    fn watch(
        &mut self,
        listeners: &Listeners,
        signals: &SignalsAsDescriptor,
        drain: Duration,
        events: &mut dyn FnMut(ServeEvent),
    ) -> Result<End> {
        let mut killed_at: Option<Instant> = None;
        loop {
            let left = killed_at.map(|at| at.saturating_duration_since(Instant::now()));
            let ended = self.wait(signals, left)?;
            while let Some(signal) = signals.next() {
                if !ASK_TO_STOP.contains(&signal) {
                    continue;
                }
                if self.stop.take().is_none() {
                    self.worker.process.signal(Signal::KILL);
                    self.worker.process.reap().map_err(|source| Error::io("cannot reap the worker", source))?;
                    return Ok(End::Served(Served::Killed { signal: signal.as_raw() }));
                }
                // The worker reads the end of the pipe. Whoever comes from now on is told so at once: without this the system would go
                // on taking connections, for as long as this process has the listener.
                listeners.close();
                events(ServeEvent::Stopping);
                killed_at = Instant::now().checked_add(drain.saturating_add(GRACE));
            }
            if ended {
                return self.conclude();
            }
            if killed_at.is_some_and(|at| Instant::now() >= at) {
                self.worker.process.signal(Signal::KILL);
            }
        }
    }

    /// Waits until something happens. Whether it has ended.
    fn wait(&self, signals: &SignalsAsDescriptor, timeout: Option<Duration>) -> Result<bool> {
        let failed = |source| Error::io("cannot watch the worker", source);
        let pidfd = self.worker.process.pidfd().ok_or_else(|| failed(std::io::Error::other("it has no descriptor")))?;
        let mut polled = [
            PollFd::from_borrowed_fd(pidfd, PollFlags::IN),
            PollFd::from_borrowed_fd(signals.descriptor(), PollFlags::IN),
        ];
        wait(&mut polled, timeout)?;
        Ok(!polled[0].revents().is_empty())
    }

    fn conclude(&mut self) -> Result<End> {
        let ended = self.worker.process.reap().map_err(|source| Error::io("cannot reap the worker", source))?;
        let mut report = Vec::new();
        let pipe =
            self.worker.report.try_clone().map_err(|source| Error::io("cannot read the worker's report", source))?;
        File::from(pipe)
            .take(MOST_REPORT_BYTES)
            .read_to_end(&mut report)
            .map_err(|source| Error::io("cannot read the worker's report", source))?;
        if let Some(report) = Report::receive(&report) {
            // What keeps a server from starting would keep it from starting again.
            report.into_result()?;
        }
        Ok(match (ended.death, self.stop.is_none()) {
            (_, true) => End::Served(Served::Stopped),
            _ if self.counters.ran_out_of_memory() => End::Died("it ran out of memory".to_owned()),
            (Death::Signaled(signal), false) => End::Died(format!("signal {signal}")),
            (Death::Exited(code), false) => End::Died(format!("exit code {code}")),
        })
    }
}

/// Lets a while pass. Whether the server was asked to stop meanwhile.
fn rest(pause: Duration, signals: &SignalsAsDescriptor) -> Result<bool> {
    let Some(until) = Instant::now().checked_add(pause) else { return Ok(false) };
    loop {
        while let Some(signal) = signals.next() {
            if ASK_TO_STOP.contains(&signal) {
                return Ok(true);
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        wait(&mut [PollFd::from_borrowed_fd(signals.descriptor(), PollFlags::IN)], Some(left))?;
    }
}

fn wait(polled: &mut [PollFd<'_>], timeout: Option<Duration>) -> Result<()> {
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    });
    match poll(polled, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(errno) => Err(Error::io("cannot wait for the worker", errno.into())),
    }
}
