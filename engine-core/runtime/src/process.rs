//! The few system calls that need unsafe code: fork, reaping with usage, signals as a descriptor, memory shared with a worker.
//!
//! It knows processes, not guests: what a child does and what its death means is decided in [`crate::worker`] and
//! [`crate::supervisor`].
#![expect(unsafe_code, reason = "fork, wait4, signalfd and shared memory have no safe wrappers that fit")]

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};
use rustix::process::{Pid, PidfdFlags, Signal};
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::str::FromStr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::time::Duration;
use wasmrt_host::Counters;

/// What [`fork`] returns in each of the two processes.
pub(crate) enum Forked {
    /// This is the new process.
    Child,
    /// This is the old one, and that is its child.
    Parent(ChildProcess),
}

/// Forks. The caller has made sure that the process has one thread.
pub(crate) fn fork() -> io::Result<Forked> {
    // SAFETY: the process has a single thread, so the child may do anything that the parent could.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => {
            let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("fork returned no process id"))?;
            ChildProcess::of(pid).map(Forked::Parent)
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    Exited(i32),
    Signaled(i32),
}

/// How a process ended and what it used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) death: Death,
    pub(crate) cpu_time: Duration,
    pub(crate) peak_resident_bytes: u64,
}

/// A child that has not been forgotten: it is killed and reaped when this is dropped.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    pid: Pid,
    pidfd: Option<OwnedFd>,
    ended: Option<Ended>,
}

impl ChildProcess {
    /// A child that this process has just made. It stays a zombie until it is reaped here, so its id cannot be taken by another process.
    pub(crate) fn of(pid: Pid) -> io::Result<Self> {
        let mut child = Self { pid, pidfd: None, ended: None };
        child.pidfd = Some(rustix::process::pidfd_open(pid, PidfdFlags::empty())?);
        Ok(child)
    }

    /// Takes over a process that a descendant has made and left to this one, which is what happens to those whose parent ends.
    ///
    /// # Errors
    /// The system's, and `NotFound` when it is not this process's child.
    pub(crate) fn adopt(pid: Pid) -> io::Result<Self> {
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        let parent = parent_of(pid)?;
        if parent != rustix::process::getpid().as_raw_nonzero().get() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("process {pid} belongs to process {parent}")));
        }
        Ok(Self { pid, pidfd: Some(pidfd), ended: None })
    }

    /// Readable when the child has ended.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal. A child that has ended already is no error.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            // The only failure is ESRCH, for a child that died a moment ago and is reaped next.
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    /// Waits for its end and takes its usage.
    pub(crate) fn reap(&mut self) -> io::Result<Ended> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        let mut status = 0;
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        loop {
            // SAFETY: both pointers are valid for writes for the whole call.
            let reaped =
                unsafe { libc::wait4(self.pid.as_raw_nonzero().get(), &raw mut status, 0, usage.as_mut_ptr()) };
            if reaped >= 0 {
                break;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        // SAFETY: it was zeroed, and all zeroes is a valid rusage; wait4 has filled it in since.
        let usage = unsafe { usage.assume_init() };
        let death = if libc::WIFSIGNALED(status) {
            Death::Signaled(libc::WTERMSIG(status))
        } else {
            Death::Exited(libc::WEXITSTATUS(status))
        };
        let ended = Ended {
            death,
            cpu_time: duration(usage.ru_utime) + duration(usage.ru_stime),
            peak_resident_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024),
        };
        self.ended = Some(ended);
        Ok(ended)
    }

    /// Forgets it: it is neither ended nor reaped here.
    pub(crate) fn leave(self) {
        let mut child = ManuallyDrop::new(self);
        drop(child.pidfd.take());
    }

    /// The processor time that it has used so far. None once it is gone.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        // The kernel's own encoding of "the CPU clock of that process" (what clock_getcpuclockid returns).
        const CPUCLOCK_SCHED: libc::clockid_t = 2;
        let clock = (!self.pid.as_raw_nonzero().get() << 3) | CPUCLOCK_SCHED;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is valid for writes; a clock that does not exist is an error.
        let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
        (result == 0)
            .then(|| Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0)))
    }
}

/// The parent of a process, also of one that has ended and was not reaped.
fn parent_of(pid: Pid) -> io::Result<i32> {
    stat_field(&pid.to_string(), 4)
}

/// How many threads this process has.
pub(crate) fn thread_count() -> io::Result<usize> {
    stat_field("self", 20)
}

/// A field of `/proc/PID/stat`, counted from 1 as proc(5) does, from the third on.
fn stat_field<T: FromStr>(pid: &str, number: usize) -> io::Result<T> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in brackets and may contain anything.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let field = number.checked_sub(3).and_then(|index| behind_name.split_whitespace().nth(index));
    let parsed = field.and_then(|field| field.parse().ok());
    parsed.ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has no field {number}")))
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.signal(Signal::KILL);
            let _ = self.reap();
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_usec * 1000).unwrap_or(0))
}

/// Ends this process at once: no destructors, no exit handlers of libraries that were loaded before the fork.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: it does not return, and touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// The signals that people and supervisors send to end, or to talk to, a program.
const FORWARDED: [libc::c_int; 6] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2];

/// Signals that arrive as readable numbers instead of ending the process, for as long as this lives.
#[derive(Debug)]
pub(crate) struct SignalsAsDescriptor {
    descriptor: OwnedFd,
    mask_before: libc::sigset_t,
}

impl SignalsAsDescriptor {
    pub(crate) fn new() -> io::Result<Self> {
        let mut mask = empty_signal_set();
        for signal in FORWARDED {
            // SAFETY: the set is initialised and the number is a signal's.
            unsafe { libc::sigaddset(&raw mut mask, signal) };
        }
        let mut mask_before = empty_signal_set();
        // SAFETY: both sets are valid; the process has one thread.
        let result = unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const mask, &raw mut mask_before) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the set is valid; -1 asks for a new descriptor.
        let descriptor = unsafe { libc::signalfd(-1, &raw const mask, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if descriptor < 0 {
            let error = io::Error::last_os_error();
            set_signal_mask(&mask_before);
            return Err(error);
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { descriptor, mask_before })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// The next signal that is waiting.
    pub(crate) fn next(&self) -> Option<Signal> {
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        let count = rustix::io::read(&self.descriptor, &mut info[..]).ok()?;
        let number = info.get(..4).filter(|_| count == info.len())?;
        let number = u32::from_ne_bytes(number.try_into().ok()?);
        Signal::from_named_raw(i32::try_from(number).ok()?)
    }

    /// In a child: takes signals as they were taken before this was made.
    pub(crate) fn restore_in_child(&self) {
        set_signal_mask(&self.mask_before);
    }
}

impl Drop for SignalsAsDescriptor {
    fn drop(&mut self) {
        set_signal_mask(&self.mask_before);
    }
}

fn empty_signal_set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is valid for writes.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: sigemptyset has initialised it.
    unsafe { set.assume_init() }
}

fn set_signal_mask(mask: &libc::sigset_t) {
    // SAFETY: the set is valid, and the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, std::ptr::from_ref(mask), std::ptr::null_mut()) };
}

/// In a child: what the parent ignores or handles, the child takes as a fresh program would. But a closed pipe is an error, and no signal.
pub(crate) fn default_signals_in_child() {
    for signal in FORWARDED {
        // SAFETY: setting the default disposition of a valid signal.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: ignoring a valid signal.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Makes this process hear how its children end, whatever it was started with: a program that ignores them hands that on.
pub(crate) fn hear_of_children() {
    // SAFETY: setting the default disposition of a valid signal.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// What a worker and its supervisor share.
#[repr(C)]
struct SharedPage {
    counters: Counters,
    out_of_memory: AtomicU8,
}

/// Counters in memory that a worker writes and its supervisor reads, also after the worker was killed.
#[derive(Debug)]
pub(crate) struct SharedCounters {
    page: NonNull<SharedPage>,
}

impl SharedCounters {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: asks for fresh memory; nothing existing is touched.
        let page = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                size_of::<SharedPage>(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
            )
        }?;
        NonNull::new(page.cast()).map(|page| Self { page }).ok_or_else(|| io::Error::other("mmap returned null"))
    }

    /// In memory that other processes can be given: they map what the descriptor stands for.
    pub(crate) fn passable() -> io::Result<(Self, OwnedFd)> {
        let memory = rustix::fs::memfd_create("wasmrt-counters", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&memory, u64::try_from(size_of::<SharedPage>()).unwrap_or(u64::MAX))?;
        rustix::fs::fcntl_add_seals(&memory, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok((Self::passed(memory.as_fd())?, memory))
    }

    /// From the descriptor that [`passable`](Self::passable) made, maybe in another process.
    pub(crate) fn passed(memory: BorrowedFd<'_>) -> io::Result<Self> {
        let seals = rustix::fs::fcntl_get_seals(memory)?;
        let length = usize::try_from(rustix::fs::fstat(memory)?.st_size).unwrap_or(0);
        if !seals.contains(SealFlags::SHRINK) || length < size_of::<SharedPage>() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this memory is not for counters"));
        }
        // SAFETY: asks for a new mapping; nothing existing is touched. What is mapped is as long as the page and cannot become shorter.
        let page = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                size_of::<SharedPage>(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                memory,
                0,
            )
        }?;
        NonNull::new(page.cast()).map(|page| Self { page }).ok_or_else(|| io::Error::other("mmap returned null"))
    }

    fn page(&self) -> &SharedPage {
        // SAFETY: page-aligned, large enough, zeroed by the system and mapped as long as `self` lives; it consists of atomics, for which
        // any bits are valid and which several processes may change at once.
        unsafe { self.page.as_ref() }
    }

    pub(crate) fn get(&self) -> &Counters {
        &self.page().counters
    }

    /// Whether the worker aborted because the system gave it no more memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.page().out_of_memory.load(Ordering::Relaxed) != 0
    }

    /// In a worker: an abort from now on says whether memory was the reason. Allocators have no other way to tell.
    pub(crate) fn explain_aborts_in_child(&self) {
        let flag = std::ptr::from_ref(&self.page().out_of_memory).cast_mut();
        OUT_OF_MEMORY_FLAG.store(flag, Ordering::Relaxed);
        let handler: extern "C" fn(libc::c_int) = explain_abort;
        // SAFETY: the handler only does what a signal handler may.
        unsafe { libc::signal(libc::SIGABRT, handler as libc::sighandler_t) };
    }
}

impl Drop for SharedCounters {
    fn drop(&mut self) {
        // SAFETY: the map was made by `new`, and no reference into it outlives `self`. Failing leaves it mapped.
        let _ = unsafe { rustix::mm::munmap(self.page.as_ptr().cast(), size_of::<SharedPage>()) };
    }
}

// SAFETY: all access goes through shared references to atomics.
unsafe impl Send for SharedCounters {}
// SAFETY: as above.
unsafe impl Sync for SharedCounters {}

/// Where [`explain_abort`] writes; set once in a worker, whose shared page is never unmapped.
static OUT_OF_MEMORY_FLAG: AtomicPtr<AtomicU8> = AtomicPtr::new(std::ptr::null_mut());

/// An allocator that gives up aborts; so does a C++ engine. When not even this much can be mapped, memory was the reason.
extern "C" fn explain_abort(_: libc::c_int) {
    const PROBE_BYTES: usize = 32 << 20;
    // SAFETY: asks for fresh private memory; nothing existing is touched.
    let probe = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            PROBE_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if probe == libc::MAP_FAILED {
        let flag = OUT_OF_MEMORY_FLAG.load(Ordering::Relaxed);
        // SAFETY: null, or the flag in the shared page, which lives as long as the worker.
        if let Some(flag) = unsafe { flag.as_ref() } {
            flag.store(1, Ordering::Relaxed);
        }
    }
    // SAFETY: back to the default, so that the abort that goes on after this handler ends the process.
    unsafe { libc::signal(libc::SIGABRT, libc::SIG_DFL) };
}

/// The version of Landlock that the kernel has active.
pub(crate) fn landlock_abi() -> Option<i64> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the call takes no attributes and returns a number.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0usize, VERSION) };
    (version > 0).then_some(version)
}

/// Lets this process look at itself under /proc, whoever it has become.
pub(crate) fn allow_inspection() -> io::Result<()> {
    // SAFETY: the call takes plain numbers.
    if unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether the kernel takes filters of system calls.
pub(crate) fn has_seccomp_filters() -> bool {
    let action: u32 = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the call reads one number behind the pointer.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}

/// Keeps other processes of the same user from looking into this one, and the kernel from writing it down when it crashes.
pub(crate) fn forbid_inspection() -> io::Result<()> {
    // SAFETY: the call takes plain numbers.
    if unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// In a child: closes every descriptor but these.
pub(crate) fn close_all_but(keep: &[BorrowedFd<'_>]) {
    use std::os::fd::AsRawFd;
    let mut keep: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok()).collect();
    keep.sort_unstable();
    keep.dedup();
    let mut first = 0;
    for descriptor in keep {
        if descriptor > first {
            close_range(first, descriptor - 1);
        }
        first = descriptor + 1;
    }
    close_range(first, u32::MAX);
}

/// Takes a descriptor that was passed on to this process by its number. The caller makes sure that nobody else has taken it.
pub(crate) fn adopt(descriptor: i32) -> Option<OwnedFd> {
    // SAFETY: F_GETFD takes any number.
    let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
    // SAFETY: it is open, and nobody in this process owns it.
    (flags >= 0).then(|| unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn close_range(first: u32, last: u32) {
    // SAFETY: it runs in a fresh child that owns copies of its parent's descriptors; objects that hold the closed ones are never
    // used nor dropped again, since the child leaves through `exit_now`.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
}
