//! The child's side: what a forked process does to itself before anything untrusted runs in it, and how it reports.
//!
//! Kinds of work are [`guest`] (run a module), [`component`] (run a component) and compiling; each is a closure that returns a [`Report`].

pub(crate) mod component;
pub(crate) mod confine;
pub(crate) mod guest;
pub(crate) mod report;

use crate::process::{self, ChildProcess, Forked, SharedCounters, SignalsAsDescriptor};
use report::Report;
use rustix::io::FdFlags;
use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::CapabilitySet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use wasmrt_model::{Error, ErrorKind, Result, panic_text};

/// What bounds a worker as a process, and what it may hold on to.
#[derive(Debug, Default)]
pub(crate) struct WorkerSetup<'a> {
    /// Private writable memory that it may map on top of what it starts with. None means no bound.
    pub(crate) memory_bytes: Option<u64>,
    /// Processor time, as a backstop to the supervisor's own watch.
    pub(crate) cpu_time: Option<Duration>,
    /// Stack for a guest. None means that no guest runs in it.
    pub(crate) guest_stack_bytes: Option<u64>,
    /// Whether it opens files for a guest, and may have to use what the caller may do with files of others.
    pub(crate) opens_files: bool,
    /// Whether it binds ports for a guest, and may have to use what the caller may do with those below 1024.
    pub(crate) binds_ports: bool,
    /// How many descriptors it may have to hold for a guest.
    pub(crate) open_files: Option<u64>,
    /// Which process group it is in.
    pub(crate) group: WorkerGroup,
    /// Descriptors that it needs; all others are closed.
    pub(crate) keep: Vec<BorrowedFd<'a>>,
    /// How signals are to be taken again, when the supervisor takes them as a descriptor.
    pub(crate) signals: Option<&'a SignalsAsDescriptor>,
    /// Where it notes that it ran out of memory.
    pub(crate) out_of_memory: Option<&'a SharedCounters>,
}

/// The process group of a worker: who gets the signals of a terminal, and may read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum WorkerGroup {
    /// That of its supervisor.
    #[default]
    Inherit,
    /// One of its own.
    Own,
    /// That of the caller whose terminal the guest reads from, when another process forks for it.
    Join(rustix::process::Pid),
}

/// A worker that was started, and the pipe on which it will report.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) process: ChildProcess,
    pub(crate) report: OwnedFd,
}

/// How much of a worker's stack is the guest's: enough for the default of `call_depth`. A worker's main thread grows on demand.
pub(crate) const GUEST_STACK_BYTES: usize = 256 << 20;

/// Descriptors that a worker holds beside those of its guest.
const OWN_DESCRIPTORS: u64 = 64;

/// What of a worker's stack is for everything else: the engine, host functions, compilers.
const OWN_STACK_BYTES: u64 = 16 << 20;

/// Forks a worker that does `work`, reports and is gone. `work` never returns to the caller's code in the child.
///
/// # Errors
/// `Unsupported` when this process has more than one thread: a fork would leave locks held by threads that are not there.
pub(crate) fn spawn(setup: WorkerSetup<'_>, work: impl FnOnce() -> Report) -> Result<Worker> {
    let threads = process::thread_count().map_err(|source| Error::io("cannot count threads", source))?;
    if threads > 1 {
        return Err(Error::new(ErrorKind::Unsupported, "a process with several threads cannot fork workers")
            .with_context("threads", threads)
            .with_hint("programs with threads use an Embedder, which has another process fork them"));
    }
    let (report, report_writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|errno| Error::io("cannot make a pipe", errno.into()))?;
    let supervisor = rustix::process::getpid();
    match process::fork().map_err(|source| Error::io("cannot fork a worker", source))? {
        Forked::Parent(process) => Ok(Worker { process, report }),
        Forked::Child => report_and_exit(&report_writer, || {
            become_worker(&setup, &report_writer, supervisor)?;
            Ok(work())
        }),
    }
}

/// Does its work, reports, and ends this process. Nothing of the caller's runs afterwards: its frames belong to another process.
pub(crate) fn report_and_exit(pipe: &OwnedFd, work: impl FnOnce() -> Result<Report>) -> ! {
    let report = match std::panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => Report::failed(&error),
        Err(panic) => {
            let text = format!("the worker panicked: {}", panic_text(&*panic));
            Report::failed(&Error::new(ErrorKind::Internal, text))
        }
    };
    let sent = report.send(pipe);
    process::exit_now(i32::from(sent.is_err()));
}

/// The steps from a copy of the parent to a worker, in an order in which each still has what it needs.
fn become_worker(setup: &WorkerSetup<'_>, report: &OwnedFd, supervisor: rustix::process::Pid) -> Result<()> {
    let failed = |what: &'static str| move |errno: rustix::io::Errno| Error::io(what, errno.into());
    // A panic is reported through the pipe; its message has no business on the guest's stderr.
    std::panic::set_hook(Box::new(|_| {}));
    // Die with the supervisor. It may have died before this took effect: then this process has been given away already.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(failed("cannot ask to die with the supervisor"))?;
    if rustix::process::getppid() != Some(supervisor) {
        return Err(Error::new(ErrorKind::Internal, "the supervisor is gone"));
    }
    match setup.group {
        WorkerGroup::Inherit => {}
        WorkerGroup::Own => {
            rustix::process::setpgid(None, None).map_err(failed("cannot make a process group"))?;
        }
        WorkerGroup::Join(group) => {
            rustix::process::setpgid(None, Some(group)).map_err(failed("cannot join the caller's process group"))?;
        }
    }
    give_up_everything(setup, report)
}

/// In a process that is there for a guest alone: keeps what the guest needs, and nothing else.
pub(crate) fn give_up_everything(setup: &WorkerSetup<'_>, report: &OwnedFd) -> Result<()> {
    let failed = |what: &'static str| move |errno: rustix::io::Errno| Error::io(what, errno.into());
    process::default_signals_in_child();
    if let Some(signals) = setup.signals {
        signals.restore_in_child();
    }
    if let Some(counters) = setup.out_of_memory {
        counters.explain_aborts_in_child();
    }
    // Engines and libraries get streams that lead nowhere; only the guest's host functions hold the real ones.
    null_own_streams(&setup.keep, report).map_err(failed("cannot detach the standard streams"))?;
    let mut keep = setup.keep.clone();
    let standard = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    keep.extend(standard);
    keep.push(report.as_fd());
    process::close_all_but(&keep);
    rustix::thread::set_no_new_privs(true).map_err(failed("cannot give up new privileges"))?;
    drop_privileges(setup).map_err(failed("cannot drop capabilities"))?;
    limit_resources(setup)
}

fn null_own_streams(keep: &[BorrowedFd<'_>], report: &OwnedFd) -> Result<(), rustix::io::Errno> {
    use std::os::fd::AsRawFd;
    // The caller moves what it keeps out of the way of 0, 1 and 2 first.
    debug_assert!(keep.iter().all(|fd| fd.as_raw_fd() > 2) && report.as_raw_fd() > 2);
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)
}

/// Drops all capabilities, but those that the guest's own files and ports may need where it has some: a guest of root makes no setuid
/// files, no device nodes and no network configuration.
fn drop_privileges(setup: &WorkerSetup<'_>) -> Result<(), rustix::io::Errno> {
    let mut needed = CapabilitySet::empty();
    if setup.opens_files {
        needed |= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH | CapabilitySet::FOWNER;
    }
    if setup.binds_ports {
        needed |= CapabilitySet::NET_BIND_SERVICE;
    }
    let mut sets = rustix::thread::capabilities(None)?;
    sets.effective &= needed;
    sets.permitted &= needed;
    sets.inheritable = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, sets)
}

fn limit_resources(setup: &WorkerSetup<'_>) -> Result<()> {
    let set = |resource: Resource, soft: u64, hard: u64| {
        rustix::process::setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) })
            .map_err(|errno| Error::io(format!("cannot set {resource:?}"), errno.into()))
    };
    set(Resource::Core, 0, 0)?;
    if let Some(open_files) = setup.open_files {
        allow_descriptors(open_files.saturating_add(OWN_DESCRIPTORS))?;
    }
    limit_stack(OWN_STACK_BYTES.saturating_add(setup.guest_stack_bytes.unwrap_or_default()))?;
    if let Some(cpu_time) = setup.cpu_time {
        // The kernel counts whole seconds here; the supervisor is exact and comes first.
        let seconds = cpu_time.as_secs().saturating_add(2);
        // Where less is allowed already, that stays.
        let allowed = rustix::process::getrlimit(Resource::Cpu).maximum.unwrap_or(u64::MAX);
        set(Resource::Cpu, seconds.min(allowed), seconds.saturating_add(1).min(allowed))?;
    }
    if let Some(memory_bytes) = setup.memory_bytes {
        let own =
            mapped_data_bytes().map_err(|source| Error::io("cannot read the process's own memory use", source))?;
        let cap = own.saturating_add(memory_bytes);
        set(Resource::Data, cap, cap)?;
    }
    Ok(())
}

/// As many descriptors as are needed, if the machine allows that: what it does not, the guest sees as an error when it gets there.
fn allow_descriptors(count: u64) -> Result<()> {
    let now = rustix::process::getrlimit(Resource::Nofile);
    let most = now.maximum.map_or(count, |maximum| count.min(maximum));
    if now.current.is_none_or(|current| current >= most) {
        return Ok(());
    }
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: now.maximum })
        .map_err(|errno| Error::io("cannot raise the number of descriptors", errno.into()))
}

/// The stack that is needed, no more and no less: what a guest can fill is memory too.
fn limit_stack(bytes: u64) -> Result<()> {
    let maximum = rustix::process::getrlimit(Resource::Stack).maximum;
    if let Some(maximum) = maximum.filter(|maximum| *maximum < bytes) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "limit call_depth needs {} MiB of stack, and this process may have {} MiB",
                bytes >> 20,
                maximum >> 20
            ),
        )
        .with_hint("raise the hard stack limit (ulimit -Hs), or set a lower call_depth"));
    }
    rustix::process::setrlimit(Resource::Stack, Rlimit { current: Some(bytes), maximum: Some(bytes) })
        .map_err(|errno| Error::io("cannot set the stack limit", errno.into()))
}

/// Private writable memory that this process has mapped: what RLIMIT_DATA counts.
fn mapped_data_bytes() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmData:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok());
    kibibytes.map(|kib| kib.saturating_mul(1024)).ok_or_else(|| io::Error::other("/proc/self/status has no VmData"))
}

/// A copy of a descriptor that is out of the way of the three standard ones and closed on exec.
pub(crate) fn above_standard_streams(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let copy = rustix::io::fcntl_dupfd_cloexec(fd, 3)?;
    debug_assert!(rustix::io::fcntl_getfd(&copy).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC)));
    Ok(copy)
}
