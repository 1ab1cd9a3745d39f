//! Signals that have numbers only.
#![expect(unsafe_code, reason = "real-time signals have no safe wrapper")]

/// Sends it to a process that was not reaped. False when there is no such process, or no such signal.
pub(crate) fn send_unnamed(pid: i32, signal: i32) -> bool {
    // SAFETY: the call takes plain numbers; a wrong one is an error.
    pid > 1 && unsafe { libc::kill(pid, signal) } == 0
}
