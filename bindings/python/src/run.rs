//! Runs at process level: waiting with an ear for signals, ending them, their ends of pipes.

use crate::errors::{raised, unreadable};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};
use wasmrt_runtime::PublishedAt;
use wasmrt_runtime::model::{Outcome, Result};

/// Python's handlers of signals are called this often while something is waited for.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// An outcome as JSON, and what was captured of standard output and standard error.
type Told = (String, Option<Py<PyBytes>>, Option<Py<PyBytes>>);

/// An address, its port, the guest's port, and the protocol.
type Port = (String, u16, u16, String);

/// A run that was started.
#[pyclass(frozen, module = "wasmrt._wasmrt")]
#[derive(Debug)]
pub(crate) struct Run {
    run: wasmrt_runtime::Run,
}

impl Run {
    pub(crate) fn new(run: wasmrt_runtime::Run) -> Self {
        Self { run }
    }
}

#[pymethods]
impl Run {
    /// Waits for the end, `seconds` long or for ever. None when it has not come.
    #[pyo3(signature = (seconds=None))]
    fn wait(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<Told>> {
        let until = seconds.and_then(|seconds| deadline(seconds.max(0.0)));
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            if let Some(result) = py.detach(|| self.run.wait_timeout(slice)) {
                return told(py, result).map(Some);
            }
            py.check_signals()?;
            if left.is_some_and(|left| left <= slice) {
                return Ok(None);
            }
        }
    }

    /// The ports that the system chose, when all of them are known: where the machine listens, the guest's port, the protocol. Waits `seconds` long
    /// or for ever; None when they are not known by then.
    #[pyo3(signature = (seconds=None))]
    fn published(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<Vec<Port>>> {
        let until = seconds.and_then(|seconds| deadline(seconds.max(0.0)));
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            let published = py.detach(|| self.run.published_timeout(slice)).map_err(|error| raised(py, &error))?;
            if let Some(ports) = published {
                return Ok(Some(ports.iter().map(port).collect()));
            }
            py.check_signals()?;
            if left.is_some_and(|left| left <= slice) {
                return Ok(None);
            }
        }
    }

    /// A descriptor that is readable when there is more to be told of ports. None when no port is left to the system's choice.
    fn published_fileno(&self) -> Option<i32> {
        self.run.published_descriptor().map(|descriptor| descriptor.as_raw_fd())
    }

    /// Ends the run, as cancelled.
    fn cancel(&self) {
        self.run.cancel();
    }

    /// A descriptor that is readable when the run has ended.
    fn fileno(&self) -> i32 {
        self.run.as_fd().as_raw_fd()
    }

    /// The caller's end of a piped standard input, as a descriptor that the caller owns.
    fn take_stdin(&self) -> Option<i32> {
        self.run.take_stdin().map(|pipe| OwnedFd::from(pipe).into_raw_fd())
    }

    /// The caller's end of a piped standard output.
    fn take_stdout(&self) -> Option<i32> {
        self.run.take_stdout().map(|pipe| OwnedFd::from(pipe).into_raw_fd())
    }

    /// The caller's end of a piped standard error.
    fn take_stderr(&self) -> Option<i32> {
        self.run.take_stderr().map(|pipe| OwnedFd::from(pipe).into_raw_fd())
    }
}

fn port(published: &PublishedAt) -> Port {
    let local = published.local;
    (local.ip().to_string(), local.port(), published.guest_port, published.protocol.to_string())
}

/// When so many seconds are over. None: never.
pub(crate) fn deadline(seconds: f64) -> Option<Instant> {
    Duration::try_from_secs_f64(seconds).ok().and_then(|time| Instant::now().checked_add(time))
}

fn told(py: Python<'_>, result: Result<Outcome>) -> PyResult<Told> {
    let mut outcome = result.map_err(|error| raised(py, &error))?;
    let bytes = |captured: Option<wasmrt_runtime::model::Captured>| {
        captured.map(|captured| PyBytes::new(py, &captured.bytes).unbind())
    };
    let (stdout, stderr) = (bytes(outcome.stdout.take()), bytes(outcome.stderr.take()));
    let text = with_ending(&outcome).map_err(|source| unreadable(&source))?;
    Ok((text, stdout, stderr))
}

/// An outcome as JSON, with the words and the exit code for that, which stand in one place.
fn with_ending(outcome: &Outcome) -> serde_json::Result<String> {
    let status = &outcome.status;
    let mut told = serde_json::to_value(outcome)?;
    if let Some(fields) = told.as_object_mut() {
        fields.insert("exit_code".to_owned(), status.exit_code().into());
        fields.insert("reason".to_owned(), status.to_string().into());
    }
    serde_json::to_string(&told)
}
