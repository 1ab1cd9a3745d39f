//! The shim under a real containerd, Docker and CRI.
//!
//! Each trial has a world of its own: namespaces, cgroups and directories in which a private containerd runs, and of which nothing is
//! left when the trial ends, however it ends. What a container leaves behind is therefore exactly what is in the world and was not there
//! before.
//!
//! - [`world`]: the namespaces, and the processes that keep and clean them
//! - [`command`]: commands, bounded in time, and everything they print; [`terminal`]: a terminal for them
//! - [`containerd`]: a private containerd and its client; [`docker`]: a private dockerd upon it; [`cri`]: pods
//! - [`image`]: images made of guests; [`program`]: what containers do, for Linux and for WebAssembly
//! - [`leaks`]: what a container left behind
//! - [`machine`]: all of it together; [`trials`]: trials with names, and what a machine lacks

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod command;
pub mod containerd;
pub mod cri;
pub mod docker;
pub mod image;
pub mod leaks;
pub mod machine;
pub mod program;
pub mod terminal;
pub mod trials;
pub mod world;

/// What is wrong, as a sentence for whoever reads the test's output.
pub type Complaint = String;

/// The result of everything in the harness that can fail.
pub type Result<T, E = Complaint> = std::result::Result<T, E>;

/// Asks until the answer is there or the time is over; the last refusal says what was missing.
///
/// # Errors
/// The last refusal.
pub fn eventually<T>(patience: std::time::Duration, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = std::time::Instant::now() + patience;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(complaint) if std::time::Instant::now() >= deadline => {
                return Err(format!("not within {} s: {complaint}", patience.as_secs()));
            }
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    }
}

/// A failed system call or file operation, with what it was about.
pub(crate) fn failed<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> Complaint {
    move |error| format!("{what}: {error}")
}
