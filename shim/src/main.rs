//! The containerd shim: runs WebAssembly containers, and the Linux containers of the same pod, under containerd's task API.
//!
//! One binary under many names; the name says which engine. containerd starts it as `start` and `delete` ([`service`]), which are over at once;
//! [`start`] leaves a copy of itself, the pod's shim. That one forks its zygote first of all, while it has one thread ([`errand`] is what happens in forks
//! of that), and then answers ([`serve`], [`task`]).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod artifact;
mod background;
mod bundle;
mod cgroup;
mod command_line;
mod complaints;
mod container;
mod errand;
mod events;
mod failure;
mod making;
mod oci;
mod oom;
mod options;
mod precheck;
mod process;
mod quirks;
mod serve;
mod service;
mod signal;
mod socket;
mod start;
mod stats;
mod stdio;
mod task;
mod terminal;
mod version;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match arguments.get(1).and_then(|first| first.to_str()) {
        // How a zygote that died is replaced.
        Some("--control") => wasmrt_runtime::zygote_main_with_errands(arguments.into_iter(), errand::carry_out),
        Some(background::ARGUMENT) => background::main(&arguments),
        Some("--version" | "-v" | "-version") => version::print(&arguments),
        _ => service::run(&arguments),
    }
}
