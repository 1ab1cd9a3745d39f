//! Ports of the machine that the system chose for a run.

use crate::boundary::{self, ErrorOut, attempt, c_text, needed};
use crate::run::wasmrt_run_t;
use std::ffi::{CString, c_char};
use std::ptr::null;
use std::sync::OnceLock;
use wasmrt_runtime::{PublishedAt, Run};

/// What is known of the ports of a run, once it was asked for.
#[derive(Debug, Default)]
pub(crate) struct Ports(OnceLock<Vec<Port>>);

#[derive(Debug)]
struct Port {
    at: PublishedAt,
    address: CString,
    protocol: CString,
}

impl Ports {
    fn ask(&self, run: &Run) -> wasmrt_runtime::model::Result<usize> {
        if self.0.get().is_none() {
            let told = run.published()?;
            let port = |at: PublishedAt| Port {
                at,
                address: c_text(&at.local.ip().to_string()),
                protocol: c_text(at.protocol.as_str()),
            };
            // Another thread has come to the same.
            let _ = self.0.set(told.into_iter().map(port).collect());
        }
        Ok(self.0.get().map_or(0, Vec::len))
    }
}

/// How many ports of this machine the system chose for a run: those that its spec publishes as port 0. Waits until they are bound, so that the functions
/// below can tell of them; there are fewer when the run ended before that.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_published_count(run: Option<&wasmrt_run_t>, error: ErrorOut<'_>) -> usize {
    attempt(error, 0, || {
        let handle = needed(run, "run")?;
        handle.ports.ask(&handle.run)
    })
}

/// The address on which the machine listens for the guest at the port of this number, from 0 on. NULL when there is none, or nobody has counted them.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_published_address(run: Option<&wasmrt_run_t>, index: usize) -> *const c_char {
    boundary::value(null(), || port(run, index).map_or(null(), |port| port.address.as_ptr()))
}

/// The port on which the machine listens, as wasmrt_run_published_address. 0 when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_published_port(run: Option<&wasmrt_run_t>, index: usize) -> u16 {
    boundary::value(0, || port(run, index).map_or(0, |port| port.at.local.port()))
}

/// What port that is to the guest. 0 when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_published_guest_port(run: Option<&wasmrt_run_t>, index: usize) -> u16 {
    boundary::value(0, || port(run, index).map_or(0, |port| port.at.guest_port))
}

/// "tcp" or "udp". NULL when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_published_protocol(run: Option<&wasmrt_run_t>, index: usize) -> *const c_char {
    boundary::value(null(), || port(run, index).map_or(null(), |port| port.protocol.as_ptr()))
}

fn port(run: Option<&wasmrt_run_t>, index: usize) -> Option<&Port> {
    run?.ports.0.get()?.get(index)
}
