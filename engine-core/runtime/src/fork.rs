//! Copies of an embedder's process, made while it has one thread: how a service leaves the program that started it.

use crate::process::{self, ChildProcess, Forked, thread_count};
use rustix::fs::{Mode, OFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wasmrt_model::{Error, ErrorKind, Result};

/// A copy of this process. It is ended when this is dropped, unless it was [left alone](Fork::leave).
#[derive(Debug)]
pub struct Fork {
    child: ChildProcess,
}

/// Has a copy of this process do something, and end with the code that it returns. Of all descriptors it has those that it is given; its standard
/// streams lead nowhere.
///
/// # Errors
/// `Unsupported` when this process has several threads: what those have locked would stay locked in the copy.
pub fn fork<const N: usize>(given: [OwnedFd; N], work: impl FnOnce([OwnedFd; N]) -> i32) -> Result<Fork> {
    let failed = |source| Error::io("cannot fork", source);
    let threads = thread_count().map_err(failed)?;
    if threads > 1 {
        return Err(Error::new(ErrorKind::Unsupported, "a process with several threads cannot fork")
            .with_context("threads", threads));
    }
    match process::fork().map_err(failed)? {
        Forked::Parent(child) => Ok(Fork { child }),
        Forked::Child => {
            // Unwinding must not reach the frames of the other process.
            let ended = catch_unwind(AssertUnwindSafe(|| match keep_alone(&given) {
                Ok(()) => work(given),
                Err(_) => 1,
            }));
            process::exit_now(ended.unwrap_or(1))
        }
    }
}

fn keep_alone(given: &[OwnedFd]) -> rustix::io::Result<()> {
    let nowhere = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let kept: Vec<BorrowedFd<'_>> = streams.into_iter().chain(given.iter().map(AsFd::as_fd)).collect();
    // It is closed with the rest.
    std::mem::forget(nowhere);
    process::close_all_but(&kept);
    Ok(())
}

impl Fork {
    pub(crate) fn into_child(self) -> ChildProcess {
        self.child
    }

    /// Lets it live when this process ends.
    pub fn leave(self) {
        self.child.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_not_copied() {
        let (told, heard) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || heard.recv());
        let error = fork([], |[]| 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        drop(told);
        other.join().unwrap().unwrap_err();
    }
}
