//! The process `wasmrt-worker` as its owner sees it: started, met, alive or not, stopped.

use super::config::EmbedderConfig;
use super::find::find_worker;
use super::queue::timespec;
use crate::errand::Errand;
use crate::fork::fork;
use crate::process::{ChildProcess, Death};
use crate::wire::packet::{self, Packet};
use crate::wire::{self, Greeting, VERSION, Welcome};
use crate::zygote;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Gid, Pid, PidfdFlags, Signal, Uid};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wasmrt_model::{Error, ErrorKind, Result};

/// How long it may take to say that it is there.
const WELCOME_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take to end by itself.
const END_WITHIN: Duration = Duration::from_secs(2);
/// The kernel closes a dying process's descriptors before it is seen to be dead.
const DEATH_WITHIN: Duration = Duration::from_millis(250);

/// The process, for as long as anybody needs it. It is stopped when this is dropped.
#[derive(Debug)]
pub(super) struct ZygoteProcess {
    control: OwnedFd,
    pidfd: OwnedFd,
    id: u32,
    child: Mutex<ManuallyDrop<ChildProcess>>,
    /// The process that started it; in its forks this is a copy that stops nothing.
    owner: Pid,
    /// What it may do is what its owner might when it was started.
    rights: Rights,
    given_up: AtomicBool,
}

/// Whose files a process can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rights {
    user: Uid,
    group: Gid,
}

impl Rights {
    fn now() -> Self {
        Self { user: rustix::process::geteuid(), group: rustix::process::getegid() }
    }
}

impl ZygoteProcess {
    /// Starts it and hears that it is there.
    pub(super) fn start(config: &EmbedderConfig) -> Result<Self> {
        let path = find_worker(config.worker.as_deref())?;
        let in_path = |error: Error| error.with_context("path", path.display());
        let failed = |source| in_path(Error::io("cannot start wasmrt-worker", source));
        let (control, theirs) = packet::pair().map_err(failed)?;
        let child = Command::new(&path)
            .args(["--control", "0"])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            // Ctrl-C is for its owner, who decides what becomes of runs.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData.into());
        let child = pid.and_then(ChildProcess::of).map_err(failed)?;
        Self::meet(child, control, config).map_err(in_path)
    }

    /// Forks it from this process, which has one thread, and hears that it is there.
    pub(super) fn fork(config: &EmbedderConfig, errand: Errand, epilogue: impl FnOnce()) -> Result<Self> {
        let (control, theirs) = packet::pair().map_err(|source| Error::io("cannot make a socket", source))?;
        let child = fork([theirs], |[theirs]| zygote::live(theirs, errand, epilogue))?;
        Self::meet(child.into_child(), control, config)
    }

    fn meet(child: ChildProcess, control: OwnedFd, config: &EmbedderConfig) -> Result<Self> {
        let failed = |source| Error::io("cannot start wasmrt-worker", source);
        let owner = rustix::process::getpid();
        let owner_pidfd =
            rustix::process::pidfd_open(owner, PidfdFlags::empty()).map_err(|errno| failed(errno.into()))?;
        let pidfd = child.pidfd().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let pidfd = pidfd.try_clone_to_owned().map_err(failed)?;
        let id = child.pid().as_raw_nonzero().get().unsigned_abs();
        // A fork of this process must not end it with its copy.
        let child = Mutex::new(ManuallyDrop::new(child));
        let zygote = Self { control, pidfd, id, child, owner, rights: Rights::now(), given_up: AtomicBool::new(false) };
        zygote.greet(config, &owner_pidfd)?;
        Ok(zygote)
    }

    fn greet(&self, config: &EmbedderConfig, owner: &OwnedFd) -> Result<()> {
        let greeting = Greeting {
            version: VERSION.to_owned(),
            cache: config.runtime.cache.clone(),
            ceiling: config.runtime.ceiling.clone(),
            max_runs: config.max_runs,
            warm: config.warm.clone(),
        };
        let greeting = serde_json::to_vec(&greeting).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "cannot pass on the configuration").with_source(source)
        })?;
        Packet::new(&greeting).send(self.control.as_fd(), &[owner.as_fd()]).map_err(|source| self.failure(source))?;
        if !is_readable(self.control.as_fd(), WELCOME_WITHIN) {
            return Err(Error::new(ErrorKind::Internal, "wasmrt-worker was started and says nothing"));
        }
        let welcome = packet::receive(self.control.as_fd()).map_err(|source| self.failure(source))?;
        let welcome = welcome.ok_or_else(|| self.failure(io::ErrorKind::UnexpectedEof.into()))?;
        match wire::parse(&welcome.head)? {
            Welcome::Ready => Ok(()),
            Welcome::Refused(error) => Err(error),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Readable once it has died.
    pub(super) fn death(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    pub(super) fn is_alive(&self) -> bool {
        !is_readable(self.pidfd.as_fd(), Duration::ZERO)
    }

    /// Whether it may be given more to do: it lives, and may do what its owner still may.
    pub(super) fn is_usable(&self) -> bool {
        !self.given_up.load(Ordering::Relaxed) && self.rights == Rights::now() && self.is_alive()
    }

    /// Gives it nothing to do any more.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// How it ended. None while it lives, and when somebody else has heard it.
    pub(super) fn end(&self) -> Option<String> {
        if !is_readable(self.pidfd.as_fd(), Duration::ZERO) {
            return None;
        }
        let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).reap().ok()?;
        Some(match ended.death {
            Death::Signaled(signal) => format!("was killed by signal {signal}"),
            Death::Exited(code) => format!("ended with code {code}"),
        })
    }

    /// What it means that nothing more came from it, or could be sent to it.
    pub(super) fn failure(&self, source: io::Error) -> Error {
        let gone = is_gone(&source) && is_readable(self.pidfd.as_fd(), DEATH_WITHIN);
        let text = match (gone, self.end()) {
            (true, Some(end)) => format!("wasmrt-worker {end}"),
            (true, None) => "wasmrt-worker is gone".to_owned(),
            (false, _) => "wasmrt-worker could not be understood".to_owned(),
        };
        Error::new(ErrorKind::Internal, text).with_context("process", self.id).with_source(source)
    }

    /// Ends it, and waits until it has ended.
    pub(super) fn stop(&self) {
        if self.owner != rustix::process::getpid() {
            return;
        }
        // Forks of this process hold copies of the socket; this ends it for all of them.
        let _ = rustix::net::shutdown(&self.control, rustix::net::Shutdown::Both);
        let ended = is_readable(self.pidfd.as_fd(), END_WITHIN);
        reap(&self.child, !ended);
    }
}

impl Drop for ZygoteProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether this says that nobody is at the other end.
pub(super) fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected | UnexpectedEof)
}

fn reap(child: &Mutex<ManuallyDrop<ChildProcess>>, kill: bool) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    if kill {
        child.signal(Signal::KILL);
    }
    // Somebody else may have heard of its end.
    let _ = child.reap();
}

fn is_readable(fd: BorrowedFd<'_>, within: Duration) -> bool {
    let until = std::time::Instant::now() + within;
    loop {
        let left = until.saturating_duration_since(std::time::Instant::now());
        let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        match poll(&mut polled, Some(&timespec(left))) {
            Ok(0) if left.is_zero() => return false,
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}
