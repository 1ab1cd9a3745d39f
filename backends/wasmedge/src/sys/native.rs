//! Turns at running native code, and signal handlers that are put back.
//!
//! WasmEdge catches faults of native code with signal handlers that it installs for the whole process when the first thread
//! goes in, and takes away when the last comes out. It counts without a lock, so threads that come and go at once leave a
//! fault without a handler, which ends the process; and it takes away everybody's handlers, not only its own. Here only one
//! thread at a time goes in, and what was installed before is put back.

use std::mem::MaybeUninit;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

/// The signals that WasmEdge handles while native code runs.
const FAULTS: &[libc::c_int] = &[libc::SIGFPE, libc::SIGBUS, libc::SIGSEGV];

/// The signals that LLVM handles from the first compilation on, so that it can remove temporary files.
const ENDS: &[libc::c_int] = &[
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGUSR1,
    libc::SIGSEGV,
    libc::SIGUSR2,
    libc::SIGPIPE,
    libc::SIGTERM,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGSYS,
];

/// Handlers to be put back when this is dropped.
#[derive(Debug)]
pub(super) struct Handlers(Vec<(libc::c_int, libc::sigaction)>);

impl Handlers {
    /// Notes the handlers that running native code takes away.
    fn of_faults() -> Self {
        Self(FAULTS.iter().map(|signal| (*signal, action(*signal))).collect())
    }

    /// Notes the handlers that compiling replaces.
    pub(super) fn of_ends() -> Self {
        Self(ENDS.iter().map(|signal| (*signal, action(*signal))).collect())
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        for (signal, action) in &self.0 {
            // SAFETY: this is what the process itself had installed for the signal. It cannot fail for these signals.
            unsafe { libc::sigaction(*signal, action, std::ptr::null_mut()) };
        }
    }
}

/// Who is in, and how often: a host function may run another guest.
static INSIDE: Mutex<Option<(ThreadId, usize)>> = Mutex::new(None);
static LEFT: Condvar = Condvar::new();

/// A turn at running or making native code. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// What to put back; None for a turn within a turn.
    before: Option<Handlers>,
}

impl Turn {
    /// Waits until no other thread is in native code.
    pub(super) fn take() -> Self {
        let me = std::thread::current().id();
        let mut inside = lock();
        loop {
            match &mut *inside {
                None => break,
                Some((thread, depth)) if *thread == me => {
                    *depth += 1;
                    return Self { before: None };
                }
                Some(_) => inside = LEFT.wait(inside).unwrap_or_else(PoisonError::into_inner),
            }
        }
        *inside = Some((me, 1));
        Self { before: Some(Handlers::of_faults()) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.before.take();
        let mut inside = lock();
        *inside = match inside.take() {
            Some((thread, depth)) if depth > 1 => Some((thread, depth - 1)),
            _ => None,
        };
        drop(inside);
        LEFT.notify_one();
    }
}

fn lock() -> MutexGuard<'static, Option<(ThreadId, usize)>> {
    INSIDE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is installed for a signal.
fn action(signal: libc::c_int) -> libc::sigaction {
    let mut found = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action this only writes the current one. It cannot fail for these signals.
    unsafe { libc::sigaction(signal, std::ptr::null(), found.as_mut_ptr()) };
    // SAFETY: all zeroes is a valid sigaction (the default), and the call wrote a valid one over it.
    unsafe { found.assume_init() }
}
