//! One process of a container, from containerd's side: what it is doing, how it is ended, how it ended.

use crate::errand::NewProcess;
use crate::oom::OomWatch;
use crate::signal;
use crate::stdio::{Held, Named, Streams};
use crate::terminal::Terminal;
use crate::words::{in_annotations, sentence};
use containerd_shim::protos::api::Status;
use containerd_shim::protos::protobuf::MessageField;
use containerd_shim::protos::protobuf::well_known_types::timestamp::Timestamp;
use oci_spec::runtime::Process as OciProcess;
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Pid, PidfdFlags, Signal};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use wasmrt_model::{Ending, Error, ExitStatus, Limit, LimitKind, LimitsSpec, Result};
use wasmrt_runtime::Custody;

/// What the kernel would do to a program that has no say in it.
const IGNORED_BY_DEFAULT: [i32; 4] = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
const STOPPING: [i32; 4] = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// How long what is left of a container that could not be made may take to end.
const STRANGERS_END_WITHIN: Duration = Duration::from_secs(2);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) status: u32,
    pub(crate) at: SystemTime,
}

impl Exit {
    pub(crate) fn timestamp(&self) -> Timestamp {
        let since = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
            ..Timestamp::default()
        }
    }
}

/// A process that exists.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) pid: i32,
    pidfd: OwnedFd,
    /// Whether signals mean to it what they mean to a program that handles none: it is a guest, which has no say in it.
    guest: bool,
    /// Told when the guest's time begins.
    begin: OwnedFd,
    io: Arc<Mutex<ProcessIo>>,
    /// The signal by which we ended a guest.
    ended_by: Arc<AtomicI32>,
    exit: watch::Receiver<Option<Exit>>,
}

/// What is to be seen of a process while it lives.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) named: Named,
    pub(crate) running: Option<Running>,
    pub(crate) started: bool,
    pub(crate) paused: bool,
    pub(crate) io: Arc<Mutex<ProcessIo>>,
    /// What it was added with, until it is started.
    pub(crate) added: Option<Added>,
    sender: Option<watch::Sender<Option<Exit>>>,
    exit: watch::Receiver<Option<Exit>>,
    /// The same, before anybody is told of it.
    seen: Arc<OnceLock<Exit>>,
}

/// A process that was added to a container, and not started yet.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) process: Box<OciProcess>,
    pub(crate) streams: Streams,
}

/// Where a process belongs that is being made.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) named: Named,
    io: Arc<Mutex<ProcessIo>>,
    sender: watch::Sender<Option<Exit>>,
    seen: Arc<OnceLock<Exit>>,
}

/// Our ends of a process's streams.
#[derive(Debug, Default)]
pub(crate) struct ProcessIo {
    pub(crate) held: Held,
    pub(crate) terminal: Option<Terminal>,
}

impl Process {
    pub(crate) fn new(named: Named) -> Self {
        let (sender, exit) = watch::channel(None);
        Self {
            named,
            running: None,
            started: false,
            paused: false,
            io: Arc::default(),
            added: None,
            sender: Some(sender),
            exit,
            seen: Arc::default(),
        }
    }

    pub(crate) fn io(&self) -> MutexGuard<'_, ProcessIo> {
        self.io.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it belongs once it is made. To be had once.
    pub(crate) fn place(&mut self) -> Option<Place> {
        let sender = self.sender.take()?;
        let (io, seen) = (Arc::clone(&self.io), Arc::clone(&self.seen));
        Some(Place { named: self.named.clone(), io, sender, seen })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.as_ref().map_or(0, |running| running.pid.unsigned_abs())
    }

    pub(crate) fn exit(&self) -> Option<Exit> {
        self.seen.get().copied()
    }

    /// For waiting for its end, also before it was started.
    pub(crate) fn exits(&self) -> watch::Receiver<Option<Exit>> {
        self.exit.clone()
    }

    pub(crate) fn status(&self) -> Status {
        match (self.exit(), self.paused, self.started) {
            (Some(_), ..) => Status::STOPPED,
            (None, true, _) => Status::PAUSED,
            (None, false, true) => Status::RUNNING,
            (None, false, false) => Status::CREATED,
        }
    }
}

impl Running {
    /// Watches a process that was made for this one, on a thread of its own, and says how it ended.
    ///
    /// # Errors
    /// The system's; the process is killed then.
    pub(crate) fn watch(
        made: NewProcess,
        held: Held,
        place: Place,
        memory: Option<Arc<OomWatch>>,
        ended: impl FnOnce(Exit) + Send + 'static,
    ) -> Result<Self> {
        let Place { named, io, sender, seen } = place;
        let terminal = made.terminal.map(|terminal| Terminal::attach(terminal, &named)).transpose()?;
        *io.lock().unwrap_or_else(PoisonError::into_inner) = ProcessIo { held, terminal };
        let failed = |source| Error::io("cannot watch the container's process", source);
        let pid = Pid::from_raw(made.pid).ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| failed(errno.into()))?;
        let begin = eventfd(0, EventfdFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let begins = begin.try_clone().map_err(failed)?;
        let ended_by = Arc::new(AtomicI32::new(0));
        let exit = sender.subscribe();
        let running = Self {
            pid: made.pid,
            pidfd,
            guest: made.custody.as_ref().is_some_and(|custody| !custody.terms().handles_signals()),
            begin,
            io: Arc::clone(&io),
            ended_by: Arc::clone(&ended_by),
            exit,
        };
        let memory = memory.map(|memory| (memory.ended(), memory));
        let watching = move || {
            // By the kernel, in the process's control group, while the process lived.
            let out_of_memory = || memory.is_some_and(|(before, memory)| memory.ended() > before);
            let (status, text) = match made.custody {
                Some(custody) => end_of_guest(custody, made.pid, &begins, &ended_by, out_of_memory),
                None => (end_of_program(pid), None),
            };
            finish(&io, text.as_deref());
            let exit = Exit { status, at: SystemTime::now() };
            // Who asks is told so before events say it, and who waits after them.
            let _ = seen.set(exit);
            ended(exit);
            // Whoever waits may be gone.
            let _ = sender.send(Some(exit));
        };
        let thread = std::thread::Builder::new().name(format!("process {pid}")).stack_size(256 << 10);
        if let Err(source) = thread.spawn(watching) {
            running.signal(libc::SIGKILL);
            return Err(failed(source));
        }
        Ok(running)
    }

    /// The process begins: a guest's time, and that its input ends when whoever writes to it is gone.
    pub(crate) fn begin(&self) {
        self.io.lock().unwrap_or_else(PoisonError::into_inner).held.stdin = None;
        // A counter that is full has begun.
        let _ = rustix::io::write(&self.begin, &1u64.to_ne_bytes());
    }

    /// Whether this signal ends it, whatever it does.
    pub(crate) fn ends_at(&self, signal: i32) -> bool {
        let survived = IGNORED_BY_DEFAULT.contains(&signal) || STOPPING.contains(&signal) || signal == 0;
        signal == libc::SIGKILL || self.guest && !survived
    }

    /// Sends a signal. False when the process has ended already.
    pub(crate) fn signal(&self, signal: i32) -> bool {
        if self.exit.borrow().is_some() {
            return false;
        }
        let mut sent = signal;
        if self.guest && signal != 0 {
            if IGNORED_BY_DEFAULT.contains(&signal) && signal != libc::SIGCONT {
                return true;
            }
            sent = match signal {
                libc::SIGCONT => libc::SIGCONT,
                stopping if STOPPING.contains(&stopping) => libc::SIGSTOP,
                _ => libc::SIGKILL,
            };
        }
        if sent == 0 {
            return true;
        }
        if sent == libc::SIGKILL {
            // The first one counts.
            let _ = self.ended_by.compare_exchange(0, signal, Ordering::AcqRel, Ordering::Relaxed);
        }
        match Signal::from_named_raw(sent) {
            Some(sent) => rustix::process::pidfd_send_signal(&self.pidfd, sent).is_ok(),
            None => signal::send_unnamed(self.pid, sent),
        }
    }
}

/// How and when a process ended, as the task API says it. One that has not: 0, and never.
pub(crate) fn told(exit: Option<Exit>) -> (u32, MessageField<Timestamp>) {
    exit.map_or_else(Default::default, |exit| (exit.status, MessageField::some(exit.timestamp())))
}

/// Says the last words, and lets go of the streams, which is how their readers see the end.
fn finish(io: &Mutex<ProcessIo>, text: Option<&str>) {
    let ProcessIo { held, terminal } = std::mem::take(&mut *io.lock().unwrap_or_else(PoisonError::into_inner));
    match terminal {
        Some(terminal) => terminal.finish(text),
        None => held.finish(text.unwrap_or_default()),
    }
}

/// The status of a guest's end, and what is said of it.
fn end_of_guest(
    custody: Custody,
    pid: i32,
    begins: &OwnedFd,
    ended_by: &AtomicI32,
    out_of_memory: impl FnOnce() -> bool,
) -> (u32, Option<String>) {
    let limits = *custody.terms().limits();
    let mut outcome = match custody.watch(pid, begins.as_fd()) {
        Ok(outcome) => outcome,
        Err(error) => return (u32::from(error.kind().exit_code()), Some(format!("wasmrt: {}\n", sentence(&error)))),
    };
    let ended_by = ended_by.load(Ordering::Acquire);
    let mut why = None;
    if outcome.status == (ExitStatus::Signaled { signal: libc::SIGKILL }) {
        if ended_by != 0 {
            outcome.status = ExitStatus::Signaled { signal: ended_by };
        } else if out_of_memory() {
            why = Some("  the container's control group was out of memory\n");
        } else if is_used_up(&limits, outcome.usage.cpu_time) {
            outcome.status = ExitStatus::LimitReached { limit: LimitKind::CpuTime };
        }
    }
    let mut text = String::new();
    if let Some(ending) = Ending::of(&outcome, &limits).filter(|_| ended_by == 0) {
        text.push_str(&format!("wasmrt: {}\n", ending.headline));
        text.extend(ending.details.iter().map(|line| format!("  {line}\n")));
        text.extend(why);
    }
    if !outcome.status.success() {
        let said = |refusal: &String| format!("wasmrt: refused while it ran: {}\n", in_annotations(refusal));
        text.extend(outcome.refusals.iter().map(said));
    }
    (u32::from(outcome.status.exit_code()), Some(text).filter(|text| !text.is_empty()))
}

/// Whether the kernel has ended a guest for its rlimit, which it may notice before us: it counts whole ticks, so it is early or late by some of them.
fn is_used_up(limits: &LimitsSpec, used: Duration) -> bool {
    let allowed = limits.cpu_time.and_then(Limit::bound).map(|span| span.0);
    allowed.is_some_and(|allowed| used >= allowed - allowed / 8)
}

/// Waits for a program that becomes a child of this process, or is one.
fn end_of_program(pid: Pid) -> u32 {
    use rustix::process::{WaitOptions, waitpid};
    let mut tries = 0;
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                if let Some(code) = status.exit_status() {
                    return code.unsigned_abs() & 0xff;
                }
                if let Some(signal) = status.terminating_signal() {
                    return 128 + signal.unsigned_abs();
                }
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            // Between the end of the process that made it and its becoming ours there is a moment.
            Err(rustix::io::Errno::CHILD) if tries < 20_000 => {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_micros(100));
            }
            Err(_) => return 255,
        }
    }
}

/// Hears of the ends of children that are not among these. They may take a moment to end: what made them is gone.
pub(crate) fn reap_all_but(known: &[i32]) {
    use rustix::process::{WaitOptions, waitpid};
    let until = Instant::now() + STRANGERS_END_WITHIN;
    while Instant::now() < until {
        let children = children();
        let strangers: Vec<i32> =
            children.split_whitespace().filter_map(|id| id.parse().ok()).filter(|id| !known.contains(id)).collect();
        if strangers.is_empty() {
            return;
        }
        for stranger in strangers {
            if let Some(pid) = Pid::from_raw(stranger) {
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All children of this process, whichever of its threads they count as belonging to.
fn children() -> String {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok()).collect()
}
