//! Ctrl-C while a guest computes in Python's own process.
//!
//! Python only notes a signal; its main thread acts on it when it runs Python again, which it does not while it runs a guest. So when a call of the
//! main thread has lasted for a while, another thread has Python's faulthandler tell it of SIGINT, beside the handler that Python has, and cancels the
//! call. What the signal means is then Python's to say. A call that is over sooner costs two words and a lock that nobody else wants.

use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wasmrt_runtime::CancelHandle;

/// A call that lasts this long is listened for.
const PATIENCE: Duration = Duration::from_millis(50);
/// After so many looks without a call the thread sleeps until there is one.
const IDLE_LOOKS: u32 = 40;

/// The calls of Python's main thread.
#[derive(Debug)]
struct Calls {
    /// Those that run, innermost last: a host function may call another instance.
    running: Vec<Option<CancelHandle>>,
    /// How many there have been.
    number: u64,
    /// Whether somebody looks.
    thread: Thread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thread {
    None,
    Looking,
    Asleep,
}

static CALLS: Mutex<Calls> = Mutex::new(Calls { running: Vec::new(), number: 0, thread: Thread::None });
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static WAKE: Condvar = Condvar::new();

fn calls() -> MutexGuard<'static, Calls> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a call was cancelled because of SIGINT since this was last asked.
pub(crate) fn take_interrupted() -> bool {
    INTERRUPTED.swap(false, Ordering::SeqCst)
}

/// Whether this is the thread that Python's signal handlers are called on.
pub(crate) fn is_main_thread() -> bool {
    thread_local!(static IS_MAIN: bool = rustix::process::getpid() == rustix::thread::gettid());
    IS_MAIN.with(|is_main| *is_main)
}

/// For as long as a call of the main thread lasts.
#[derive(Debug)]
pub(crate) struct Watch;

/// A call of the main thread begins.
pub(crate) fn watch(handle: Option<&CancelHandle>) -> Watch {
    let mut calls = calls();
    calls.running.push(handle.cloned());
    calls.number = calls.number.wrapping_add(1);
    match calls.thread {
        Thread::Looking => {}
        Thread::Asleep => {
            calls.thread = Thread::Looking;
            WAKE.notify_one();
        }
        // Without it the call is as good as any, but for Ctrl-C.
        Thread::None => {
            let started = std::thread::Builder::new().name("wasmrt-interrupt".to_owned()).spawn(look);
            calls.thread = if started.is_ok() { Thread::Looking } else { Thread::None };
        }
    }
    Watch
}

impl Drop for Watch {
    fn drop(&mut self) {
        calls().running.pop();
    }
}

/// The thread: looks every so often whether the same call still runs.
fn look() {
    let (mut seen, mut idle) = (0, 0);
    loop {
        std::thread::sleep(PATIENCE);
        let mut calls = calls();
        if calls.running.is_empty() {
            idle += 1;
            if idle >= IDLE_LOOKS {
                calls.thread = Thread::Asleep;
                while calls.thread == Thread::Asleep {
                    calls = WAKE.wait(calls).unwrap_or_else(PoisonError::into_inner);
                }
                idle = 0;
            }
            continue;
        }
        idle = 0;
        let number = calls.number;
        drop(calls);
        if number == seen {
            listen(number);
        }
        seen = number;
    }
}

/// Whether this call still runs.
fn still_runs(number: u64) -> bool {
    let calls = calls();
    calls.number == number && !calls.running.is_empty()
}

/// Waits for SIGINT or for the end of the call.
fn listen(number: u64) {
    let Ok((mut heard, told)) = std::io::pipe() else { return };
    if !tell_of_interrupts(Some(&told)) {
        return;
    }
    while still_runs(number) {
        if is_readable(&heard) {
            let mut text = [0; 4096];
            // What it says is a backtrace, which nobody reads.
            let _ = heard.read(&mut text);
            INTERRUPTED.store(true, Ordering::SeqCst);
            let handles = calls().running.clone();
            for handle in handles.iter().flatten() {
                handle.cancel();
            }
            break;
        }
    }
    // Faulthandler puts itself back when Python's handler has returned, which has to come first.
    std::thread::sleep(PATIENCE);
    tell_of_interrupts(None);
}

/// Switches on or off that SIGINT is told of. Whether that was done: where the signal is not Python's to handle, it is not.
fn tell_of_interrupts(to: Option<&PipeWriter>) -> bool {
    const SIGINT: i32 = 2;
    let switched = Python::try_attach(|py| -> PyResult<bool> {
        let faulthandler = py.import("faulthandler")?;
        match to {
            Some(pipe) => {
                let handler = py.import("signal")?.call_method1("getsignal", (SIGINT,))?;
                if !handler.is_callable() {
                    return Ok(false);
                }
                faulthandler.call_method1("register", (SIGINT, pipe.as_fd().as_raw_fd(), false, true))?
            }
            None => faulthandler.call_method1("unregister", (SIGINT,))?,
        };
        Ok(true)
    });
    matches!(switched, Some(Ok(true)))
}

fn is_readable(pipe: &PipeReader) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
    let wait = Timespec::try_from(PATIENCE).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
    matches!(poll(&mut polled, Some(&wait)), Ok(1..))
}
