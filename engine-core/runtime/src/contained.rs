//! A guest in a process that somebody else makes: the first process of a container, or one more in it.
//!
//! Three processes take part, of which only one is a container's. A [`Contained`] is made outside, where modules and artifacts are; the container's
//! process, a fork of that one, [enters](Contained::enter) it and ends with it; and whoever is left with that process watches it by
//! its [`Custody`], which can be passed on as bytes and descriptors.

mod server;

use crate::network::GuestNetwork;
use crate::process::{self, ChildProcess, SharedCounters};
use crate::ready::Ready;
use crate::run::job::GuestJob;
use crate::run::{conclude, duplicate};
use crate::streams::{self, PipedStreams};
use crate::supervisor::{self, Watch};
use crate::worker::{self, WorkerSetup, above_standard_streams, confine};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Pid;
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};
use server::ServerJob;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmrt_host::HostRoot;
use wasmrt_model::module::ExternType;
use wasmrt_model::{
    EngineName, Error, ErrorKind, IsolationLevel, LimitsSpec, ModuleInfo, NetworkPolicy, Outcome, Result, Tier,
};

pub use server::ContainedServer;

/// How long a process that was made for this one may take to become its child.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(2);

/// A guest that is ready to run in whatever process enters it.
pub struct Contained {
    work: Work,
    report: OwnedFd,
    counters: Arc<SharedCounters>,
}

/// What the process that enters becomes.
enum Work {
    Guest(Box<GuestJob>),
    Server(Box<ServerJob>),
}

impl std::fmt::Debug for Contained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contained").field("serves", &matches!(self.work, Work::Server(_))).finish_non_exhaustive()
    }
}

/// What is needed to watch a guest's process, and to say what its end means.
#[derive(Debug)]
pub struct Custody {
    terms: Terms,
    report: OwnedFd,
    counters: OwnedFd,
}

/// What of a [`Custody`] can be written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    engine: EngineName,
    tier: Tier,
    wall_time: Option<Duration>,
    cpu_time: Option<Duration>,
    compile_time: Option<Duration>,
    /// Whether signals are its own affair.
    handles_signals: bool,
    /// What was asked for, for the words about an end.
    limits: LimitsSpec,
}

impl Terms {
    /// Whether it does something about signals, so that they are to be sent to it as they are.
    #[must_use]
    pub fn handles_signals(&self) -> bool {
        self.handles_signals
    }

    /// The engine that runs it.
    #[must_use]
    pub fn engine(&self) -> EngineName {
        self.engine
    }

    /// How the engine runs it.
    #[must_use]
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The limits that hold, and were asked for.
    #[must_use]
    pub fn limits(&self) -> &LimitsSpec {
        &self.limits
    }
}

impl Contained {
    pub(crate) fn new(ready: Ready) -> Result<(Self, Custody)> {
        if ready.plan.isolation() != IsolationLevel::Process {
            let what = format!("isolation {} cannot be had in a container", ready.plan.isolation());
            return Err(Error::new(ErrorKind::Unsupported, what).with_hint("take isolation process"));
        }
        let compile_time = ready.compile_time;
        ready.code.let_others_read()?;
        let mut job = GuestJob::new(ready)?;
        job.host_root = HostRoot::Allow;
        let limits = job.plan.limits();
        let terms = Terms {
            engine: job.plan.engine(),
            tier: job.tier,
            wall_time: limits.wall_time.bound().map(|span| span.0),
            cpu_time: limits.cpu_time.bound().map(|span| span.0),
            compile_time,
            handles_signals: false,
            limits: (*limits).into(),
        };
        Self::of(Work::Guest(Box::new(job)), terms)
    }

    pub(crate) fn server(ready: Ready, server: ContainedServer) -> Result<(Self, Custody)> {
        let limits = ready.plan.limits();
        let terms = Terms {
            engine: ready.plan.engine(),
            tier: ready.tier,
            wall_time: None,
            cpu_time: None,
            compile_time: ready.compile_time,
            handles_signals: true,
            limits: (*limits).into(),
        };
        Self::of(Work::Server(Box::new(ServerJob::new(ready, server)?)), terms)
    }

    fn of(work: Work, terms: Terms) -> Result<(Self, Custody)> {
        let failed = |source| Error::io("cannot prepare the guest's process", source);
        let (report, writer) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let writer = above_standard_streams(writer.as_fd()).map_err(failed)?;
        let (counters, passable) = SharedCounters::passable().map_err(failed)?;
        let contained = Self { work, report: writer, counters: Arc::new(counters) };
        Ok((contained, Custody { terms, report, counters: passable }))
    }

    /// Whether the guest wants anything of WASI, or of what is offered beside it.
    #[must_use]
    pub fn imports_wasi(&self) -> bool {
        match &self.work {
            Work::Guest(job) => imports_anything(&job.info),
            Work::Server(job) => job.imports_anything(),
        }
    }

    /// Becomes the guest's process, with the standard streams, files, network and rights that this process has, and ends with the guest.
    pub fn enter(&self) -> ! {
        worker::report_and_exit(&self.report, || {
            // Who has changed its user cannot look at itself any more, and engines open their artifacts by their names under /proc.
            process::allow_inspection().map_err(|source| Error::io("cannot look at its own process", source))?;
            give_up_what_execution_would().map_err(|errno| Error::io("cannot drop capabilities", errno.into()))?;
            let job = match &self.work {
                Work::Guest(job) => job,
                Work::Server(server) => return server.carry_out(&self.report),
            };
            let plan = &job.plan;
            let (streams, _) = streams::open(plan.stdio(), PipedStreams::default())?;
            let network = if uses_network(plan.network(), &job.info) {
                GuestNetwork::open(plan.network(), plan.limits().listen_backlog)?
            } else {
                GuestNetwork::default()
            };
            let setup = WorkerSetup {
                keep: job.kept_descriptors(&streams, &network),
                out_of_memory: Some(&self.counters),
                ..job.setup()
            };
            worker::give_up_everything(&setup, &self.report)?;
            let os_sandbox = confine::available();
            Ok(job.carry_out(duplicate(&streams), &network, &self.counters, os_sandbox))
        })
    }
}

fn imports_anything(info: &ModuleInfo) -> bool {
    !info.imports.is_empty() || info.component.as_ref().is_some_and(|component| !component.imports.is_empty())
}

/// A user other than root has no capabilities once a program is executed, and here none is.
fn give_up_what_execution_would() -> Result<(), rustix::io::Errno> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

/// Whether the guest has any use for sockets: what it does not import it cannot ask for, and a process for it need not be there.
fn uses_network(policy: &NetworkPolicy, info: &ModuleInfo) -> bool {
    const INTERFACES: [&str; 2] = ["wasi:sockets/", "wasi:http/"];
    let module = info
        .imports
        .iter()
        .any(|import| matches!(import.extern_type, ExternType::Function(_)) && import.name.starts_with("sock_"));
    let component = info.component.as_ref().is_some_and(|component| {
        component.imports.iter().any(|import| INTERFACES.iter().any(|name| import.starts_with(name)))
    });
    !policy.publish.is_empty() || module || component
}

impl Custody {
    /// What can be written down of it.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What has to be passed on beside its terms, in this order.
    #[must_use]
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.report.as_fd(), self.counters.as_fd()]
    }

    /// As it was passed on.
    #[must_use]
    pub fn passed_on(terms: Terms, descriptors: [OwnedFd; 2]) -> Self {
        let [report, counters] = descriptors;
        Self { terms, report, counters }
    }

    /// Watches the guest's process until its end. It has to be a child of this process, or to become one soon. Its time begins when `begins` becomes
    /// readable, and it is ended when that is up.
    ///
    /// # Errors
    /// Whatever kept the guest from starting inside; `Internal` when the process is not to be watched.
    pub fn watch(self, process: i32, begins: BorrowedFd<'_>) -> Result<Outcome> {
        let Self { terms, report, counters } = self;
        let failed = |source| Error::io("cannot watch the guest's process", source);
        let counters = SharedCounters::passed(counters.as_fd()).map_err(failed)?;
        let child = adopt(process).map_err(failed)?;
        wait_for_beginning(&child, begins).map_err(failed)?;
        let watch = Watch {
            started: Instant::now(),
            wall_time: terms.wall_time,
            cpu_time: terms.cpu_time,
            report,
            stdout: None,
            stderr: None,
            signals: None,
            cancel: None,
            tick: None,
        };
        let watched = supervisor::watch(child, watch).map_err(failed)?;
        let mut outcome = conclude(watched, &counters, terms.engine, terms.tier)?;
        outcome.usage.compile_time = terms.compile_time;
        Ok(outcome)
    }
}

/// Or for the end of a guest that never began.
fn wait_for_beginning(child: &ChildProcess, begins: BorrowedFd<'_>) -> io::Result<()> {
    let pidfd = child.pidfd().ok_or(io::ErrorKind::NotFound)?;
    let mut polled = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN), PollFd::from_borrowed_fd(begins, PollFlags::IN)];
    loop {
        match poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// Waits until the process is ours: between the end of the one that made it and that there is a moment.
fn adopt(process: i32) -> io::Result<ChildProcess> {
    let pid = Pid::from_raw(process).ok_or(io::ErrorKind::InvalidInput)?;
    let until = Instant::now() + HANDED_OVER_WITHIN;
    loop {
        match ChildProcess::adopt(pid) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && Instant::now() < until => {
                std::thread::sleep(Duration::from_micros(100));
            }
            adopted => return adopted,
        }
    }
}
