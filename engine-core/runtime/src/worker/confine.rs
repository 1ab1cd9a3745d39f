//! The second wall: what the kernel denies a worker, whatever gets out of the engine and of the host.
//!
//! Owns the Landlock rules and the system call filters. They come in two stages. [`Wall::before_code`]: before anything of the guest reaches
//! an engine, files outside of the grants, sockets, other processes and most system calls are out of reach. [`Wall::before_guest`]: once code
//! is in place, nothing else becomes executable, and no memory is to be had that the process's limit does not count. Stages are only ever added; nothing here can be undone.
//!
//! What the kernel has is used, or the run fails; what it does not have is told beforehand ([`available`]), so that nobody takes a missing
//! wall for one that stands.

mod filter;

use filter::{Rules, arch, compiled};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use wasmrt_model::{Access, Error, ErrorKind, OsSandbox, Preopen, Result};

/// The first Landlock that covers truncating, and moving files between directories without forbidding it to all.
const LANDLOCK_MINIMUM: u32 = 3;

/// The newest one whose rules are known here.
const LANDLOCK: ABI = ABI::V7;

/// What a worker's wall is built around.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wall<'a> {
    /// What the guest is given.
    pub(crate) preopens: &'a [Preopen],
    /// Native code that the engine opens by its name under /proc.
    pub(crate) artifact: Option<BorrowedFd<'a>>,
    /// What kind of guest it is, since hosts differ in the calls that they make.
    pub(crate) guest: Guest,
}

/// A kind of guest, by what its host needs of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guest {
    /// A module: its host polls.
    Module {
        /// Whether it uses sockets that it is given. It opens none itself, and reaches nobody with them who is not connected already.
        sockets: bool,
    },
    /// A component: its host has a reactor, on one thread.
    Component {
        /// As for modules.
        sockets: bool,
    },
    /// A component that answers requests: threads, and connections that others open.
    Server {
        /// As for modules, for connections that it asks for.
        sockets: bool,
    },
}

/// What this kernel has of it.
pub(crate) fn available() -> OsSandbox {
    OsSandbox {
        landlock: crate::process::landlock_abi()
            .and_then(|abi| u32::try_from(abi).ok())
            .filter(|abi| *abi >= LANDLOCK_MINIMUM),
        seccomp: arch().is_some() && crate::process::has_seccomp_filters(),
    }
}

impl Wall<'_> {
    /// The first stage. Everything that the worker opens by a path of the host, but preopens and the artifact, is open already.
    ///
    /// # Errors
    /// `Internal` when the kernel refuses what it has.
    pub(crate) fn before_code(&self, has: OsSandbox) -> Result<()> {
        if has.landlock.is_some() {
            self.landlock().map_err(failed("Landlock"))?;
        }
        if !has.seccomp {
            return Ok(());
        }
        apply(&allowed_calls(self.guest).map_err(failed("seccomp"))?)?;
        // Of several filters that refuse, the youngest says how.
        if matches!(self.guest, Guest::Server { .. }) {
            apply(&no_clone3().map_err(failed("seccomp"))?)
        } else {
            Ok(())
        }
    }

    /// The second stage: from here on there is the guest.
    ///
    /// # Errors
    /// As the first one.
    pub(crate) fn before_guest(has: OsSandbox) -> Result<()> {
        crate::process::forbid_inspection()
            .map_err(|source| Error::io("cannot keep other processes from looking at the worker", source))?;
        if has.seccomp { apply(&nothing_new().map_err(failed("seccomp"))?) } else { Ok(()) }
    }

    fn landlock(&self) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(LANDLOCK))?
            .handle_access(AccessNet::from_all(LANDLOCK))?
            .scope(Scope::from_all(LANDLOCK))?
            .create()?;
        for preopen in self.preopens {
            rules = allow(rules, PathFd::new(&preopen.host)?, granted(preopen)?)?;
        }
        if let Some(artifact) = self.artifact {
            rules = allow(rules, artifact, AccessFs::ReadFile.into())?;
        }
        if rules.restrict_self()?.ruleset == RulesetStatus::NotEnforced {
            return Err("nothing of it is enforced".into());
        }
        Ok(())
    }
}

fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |source| {
        Error::new(ErrorKind::Internal, format!("this kernel has {what}, and does not take the worker's rules"))
            .with_source(source.into())
    }
}

fn allow<F: std::os::fd::AsFd>(
    rules: RulesetCreated,
    place: F,
    access: BitFlags<AccessFs>,
) -> std::result::Result<RulesetCreated, landlock::RulesetError> {
    rules.add_rule(PathBeneath::new(place, access).set_compatibility(CompatLevel::BestEffort))
}

/// What a preopen stands for, in the kernel's terms. Guests execute no files, and make no devices, FIFOs and sockets.
fn granted(preopen: &Preopen) -> std::io::Result<BitFlags<AccessFs>> {
    let is_directory = std::fs::metadata(&preopen.host)?.is_dir();
    let mut access: BitFlags<AccessFs> = AccessFs::ReadFile.into();
    if is_directory {
        access |= AccessFs::ReadDir;
    }
    if preopen.access == Access::ReadWrite {
        access |= AccessFs::WriteFile | AccessFs::Truncate;
        if is_directory {
            access |= AccessFs::RemoveDir | AccessFs::RemoveFile | AccessFs::MakeDir;
            access |= AccessFs::MakeReg | AccessFs::MakeSym | AccessFs::Refer;
        }
    }
    Ok(access)
}

fn apply(program: &BpfProgram) -> Result<()> {
    seccompiler::apply_filter(program).map_err(failed("seccomp"))
}

/// Everything else fails as not permitted, which engines and libraries take for a kernel that does not have it.
const REFUSE: SeccompAction = SeccompAction::Errno(libc::EPERM.cast_unsigned());

/// System calls that are harmless with any arguments: memory, time, and descriptors that the worker has.
const ALWAYS: &[i64] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    // Descriptors.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_getdents64,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    // Names below directories that the worker has; Landlock says which ones these are.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_utimensat,
    libc::SYS_getcwd,
    // Time.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    // The process itself.
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_geteuid,
    libc::SYS_getuid,
    libc::SYS_getrusage,
    libc::SYS_sched_yield,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The same under the names that only older architectures have.
#[cfg(target_arch = "x86_64")]
const ALWAYS_HERE: &[i64] =
    &[libc::SYS_poll, libc::SYS_readlink, libc::SYS_renameat, libc::SYS_stat, libc::SYS_lstat, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const ALWAYS_HERE: &[i64] = &[];

/// What may be done with sockets that one has. Opening, binding and connecting is another process's.
const SOCKETS: &[i64] = &[
    libc::SYS_accept4,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
];

/// The options that may be set.
const SOCKET_OPTIONS: &[libc::c_int] =
    &[libc::SO_KEEPALIVE, libc::SO_OOBINLINE, libc::SO_SNDBUF, libc::SO_RCVBUF, libc::SO_LINGER];

/// Those that components may set beside: they say how this machine talks to the peer that there is.
const COMPONENT_SOCKET_OPTIONS: &[(libc::c_int, libc::c_int)] = &[
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
    (libc::IPPROTO_IP, libc::IP_TTL),
    (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS),
];

/// What may be asked of a descriptor by ioctl: whether it is a terminal, and how much can be read.
const IOCTLS: &[u64] = &[libc::TCGETS, libc::TIOCGWINSZ, libc::FIONREAD, libc::FIONBIO];

/// What a reactor takes: events of descriptors that the worker has, and one to wake it.
const REACTOR: &[i64] = &[libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_eventfd2];
#[cfg(target_arch = "x86_64")]
const REACTOR_HERE: &[i64] = &[libc::SYS_epoll_wait];
#[cfg(not(target_arch = "x86_64"))]
const REACTOR_HERE: &[i64] = &[];

/// What a server takes beside: connections that were made to it, and threads' own affairs. It opens no socket, and connects to nobody.
const SERVER: &[i64] = &[
    libc::SYS_accept4,
    libc::SYS_recvfrom,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
];

/// How the C library makes a thread, in its two kinds; nothing else may be made, no process and no namespace.
const THREAD_FLAGS: [u64; 2] = [0x003d_0f00, 0x007d_0f00];

/// A kernel without clone3 is what makes the C library fall back to clone, whose flags a filter can see.
fn no_clone3() -> std::result::Result<BpfProgram, seccompiler::BackendError> {
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    compiled(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS.cast_unsigned()))
}

fn allowed_calls(guest: Guest) -> std::result::Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: Rules = ALWAYS.iter().chain(ALWAYS_HERE).map(|call| (*call, Vec::new())).collect();
    match guest {
        Guest::Module { .. } => {}
        Guest::Component { .. } => rules.extend(unconditional(REACTOR.iter().chain(REACTOR_HERE))),
        Guest::Server { .. } => allow_server(&mut rules)?,
    }
    let (Guest::Module { sockets } | Guest::Component { sockets } | Guest::Server { sockets }) = guest;
    if sockets {
        allow_sockets(&mut rules)?;
        if !matches!(guest, Guest::Module { .. }) {
            let options = COMPONENT_SOCKET_OPTIONS.iter().map(|(level, name)| option(*level, *name));
            let options: Vec<_> = options.collect::<std::result::Result<_, _>>()?;
            rules.entry(libc::SYS_setsockopt).or_default().extend(options);
        }
    }
    let is = |argument: u8, value: u64| {
        SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?])
    };
    let requests = IOCTLS.iter().map(|request| is(1, *request)).collect::<std::result::Result<_, _>>()?;
    rules.insert(libc::SYS_ioctl, requests);
    // Signals to itself, for abort; limits of its own, to be read and lowered.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![is(0, own)?]);
    rules.insert(libc::SYS_prlimit64, vec![is(0, 0)?, is(0, own)?]);
    // For the second stage, and for libraries that ask what the machine has.
    rules.insert(libc::SYS_prctl, vec![is(0, PR_SET_DUMPABLE)?, is(0, PR_SET_NO_NEW_PRIVS)?, is(0, PR_GET_AUXV)?]);
    rules.insert(libc::SYS_seccomp, Vec::new());
    compiled(rules, REFUSE, SeccompAction::Allow)
}

fn unconditional<'a>(calls: impl Iterator<Item = &'a i64>) -> impl Iterator<Item = (i64, Vec<SeccompRule>)> {
    calls.map(|call| (*call, Vec::new()))
}

/// Sockets that the worker was given.
fn allow_sockets(rules: &mut Rules) -> std::result::Result<(), seccompiler::BackendError> {
    rules.extend(unconditional(SOCKETS.iter()));
    rules.insert(libc::SYS_sendto, vec![to_its_peer()?]);
    let options = SOCKET_OPTIONS.iter().map(|name| option(libc::SOL_SOCKET, *name));
    let options: Vec<_> = options.collect::<std::result::Result<_, _>>()?;
    rules.entry(libc::SYS_setsockopt).or_default().extend(options);
    Ok(())
}

/// Connections that were made to the worker, and threads.
fn allow_server(rules: &mut Rules) -> std::result::Result<(), seccompiler::BackendError> {
    rules.extend(unconditional(REACTOR.iter().chain(REACTOR_HERE).chain(SERVER)));
    rules.insert(libc::SYS_sendto, vec![to_its_peer()?]);
    rules.insert(libc::SYS_setsockopt, vec![option(libc::IPPROTO_TCP, libc::TCP_NODELAY)?]);
    let flags = |flags: &u64| {
        SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, *flags)?])
    };
    rules.insert(libc::SYS_clone, THREAD_FLAGS.iter().map(flags).collect::<std::result::Result<_, _>>()?);
    Ok(())
}

/// Without an address: to the peer that the socket has.
fn to_its_peer() -> std::result::Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(4, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?])
}

/// One socket option of one level.
fn option(level: libc::c_int, name: libc::c_int) -> std::result::Result<SeccompRule, seccompiler::BackendError> {
    let equals = |argument, value: libc::c_int| {
        let value = u64::from(value.cast_unsigned());
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
    };
    SeccompRule::new(vec![equals(1, level)?, equals(2, name)?])
}

const PR_SET_DUMPABLE: u64 = 4;
const PR_SET_NO_NEW_PRIVS: u64 = 38;
/// Since Linux 6.4; not in every libc.
const PR_GET_AUXV: u64 = 0x4155_5856;

/// No more code, and no memory but what the limit on private memory counts: none that is shared, and none that passes for a stack.
fn nothing_new() -> std::result::Result<BpfProgram, seccompiler::BackendError> {
    let has = |argument: u8, bit: libc::c_int| {
        let bit = u64::from(bit.cast_unsigned());
        let operator = SeccompCmpOp::MaskedEq(bit);
        SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, bit)?])
    };
    let (protection, flags) = (2, 3);
    let rules = BTreeMap::from([
        (
            libc::SYS_mmap,
            vec![
                has(protection, libc::PROT_EXEC)?,
                has(flags, libc::MAP_SHARED)?,
                has(flags, MAP_DROPPABLE)?,
                has(flags, libc::MAP_GROWSDOWN)?,
            ],
        ),
        (libc::SYS_mprotect, vec![has(protection, libc::PROT_EXEC)?]),
        // The wall is complete.
        (libc::SYS_prctl, Vec::new()),
        (libc::SYS_seccomp, Vec::new()),
    ]);
    compiled(rules, SeccompAction::Allow, REFUSE)
}

/// Since Linux 6.11; not in every libc.
const MAP_DROPPABLE: libc::c_int = 8;

#[cfg(test)]
mod tests;
