//! Runs: guests in processes of their own. Blocking, and started to be waited for.

use crate::boundary::{self, ErrorOut, attempt, delete, needed};
use crate::module::wasmrt_module_t;
use crate::outcome::wasmrt_outcome_t;
use crate::published::Ports;
use crate::runtime::wasmrt_runtime_t;
use crate::spec::wasmrt_spec_t;
use crate::streams::{refuse_loose_ends, wasmrt_streams_t};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;
use wasmrt_runtime::model::Result;
use wasmrt_runtime::{Run, StartOptions, WhenFull};

/// A run that was started.
#[derive(Debug)]
pub struct wasmrt_run_t {
    pub(crate) run: Run,
    pub(crate) ports: Ports,
}

/// What became of a wait.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wasmrt_progress_t {
    /// It failed, as the error says: the guest never started, was cancelled, or lost its process.
    WASMRT_RUN_FAILED = 0,
    /// The run has ended; its outcome was handed out.
    WASMRT_RUN_ENDED = 1,
    /// The run goes on.
    WASMRT_RUN_GOES_ON = 2,
}

use wasmrt_progress_t as Progress;

/// Runs a module in a process of its own and waits for its end. `spec` may be NULL for the defaults; `streams` has the descriptors of streams that
/// it calls piped, and may be NULL when there are none. The outcome is the caller's.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run(
    runtime: Option<&wasmrt_runtime_t>,
    module: Option<&wasmrt_module_t>,
    spec: Option<&wasmrt_spec_t>,
    streams: Option<&wasmrt_streams_t>,
    error: ErrorOut<'_>,
) -> Option<Box<wasmrt_outcome_t>> {
    attempt(error, None, || {
        let piped = wasmrt_streams_t::copies(streams)?;
        if let Some(spec) = spec {
            refuse_loose_ends(&spec.spec.stdio, &piped)?;
        }
        let run = start(runtime, module, spec, piped, WhenFull::Wait)?;
        Ok(Some(wasmrt_outcome_t::boxed(run.wait()?)))
    })
}

/// Starts a run and returns at once, or, when as many are under way and wait as may, as soon as there is room. For a stream that the spec calls piped
/// and that has no descriptor in `streams`, a pipe is made, whose other end wasmrt_run_take_stdin and the like hand out.
///
/// The run belongs to the caller. What keeps the guest from starting is told by a wait.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_start(
    runtime: Option<&wasmrt_runtime_t>,
    module: Option<&wasmrt_module_t>,
    spec: Option<&wasmrt_spec_t>,
    streams: Option<&wasmrt_streams_t>,
    error: ErrorOut<'_>,
) -> Option<Box<wasmrt_run_t>> {
    attempt(error, None, || {
        let piped = wasmrt_streams_t::copies(streams)?;
        Ok(Some(started(start(runtime, module, spec, piped, WhenFull::Wait)?)))
    })
}

/// As wasmrt_run_start, but waits for room no longer than so many milliseconds (0: not at all), and fails with WASMRT_ERROR_BUSY then.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_start_within(
    runtime: Option<&wasmrt_runtime_t>,
    module: Option<&wasmrt_module_t>,
    spec: Option<&wasmrt_spec_t>,
    streams: Option<&wasmrt_streams_t>,
    milliseconds: u64,
    error: ErrorOut<'_>,
) -> Option<Box<wasmrt_run_t>> {
    attempt(error, None, || {
        let piped = wasmrt_streams_t::copies(streams)?;
        let when_full = match milliseconds {
            0 => WhenFull::Refuse,
            some => WhenFull::WaitFor(Duration::from_millis(some)),
        };
        Ok(Some(started(start(runtime, module, spec, piped, when_full)?)))
    })
}

/// Waits for the end of a run. The outcome is the caller's, and is handed out once; whoever asks again gets WASMRT_ERROR_INVALID_INPUT.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_wait(run: Option<&wasmrt_run_t>, error: ErrorOut<'_>) -> Option<Box<wasmrt_outcome_t>> {
    attempt(error, None, || Ok(Some(wasmrt_outcome_t::boxed(needed(run, "run")?.run.wait()?))))
}

/// Waits for the end of a run, but no longer than so many milliseconds; 0 only looks. On WASMRT_RUN_ENDED the outcome is in `outcome`, which must
/// not be NULL, and is the caller's; in other cases NULL is there.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_wait_timeout(
    run: Option<&wasmrt_run_t>,
    milliseconds: u64,
    outcome: Option<&mut MaybeUninit<Option<Box<wasmrt_outcome_t>>>>,
    error: ErrorOut<'_>,
) -> wasmrt_progress_t {
    attempt(error, Progress::WASMRT_RUN_FAILED, || {
        let place = needed(outcome, "outcome")?;
        place.write(None);
        match needed(run, "run")?.run.wait_timeout(Duration::from_millis(milliseconds)) {
            None => Ok(Progress::WASMRT_RUN_GOES_ON),
            Some(ended) => {
                place.write(Some(wasmrt_outcome_t::boxed(ended?)));
                Ok(Progress::WASMRT_RUN_ENDED)
            }
        }
    })
}

/// Ends a run soon, from whatever thread: waits then fail with WASMRT_ERROR_CANCELLED, unless its end came first.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_cancel(run: Option<&wasmrt_run_t>) {
    boundary::value((), || {
        if let Some(handle) = run {
            handle.run.cancel();
        }
    });
}

/// A descriptor that becomes readable when the run ends, for poll and the like. It is the run's: only to be polled. -1 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_descriptor(run: Option<&wasmrt_run_t>) -> RawFd {
    boundary::value(-1, || run.map_or(-1, |handle| handle.run.as_fd().as_raw_fd()))
}

/// The end of a pipe that the guest's standard input comes from: closing it is the end of input. It is the caller's from then on, and is handed out once.
/// -1 when there is none. (Writing to it when the guest has ended raises SIGPIPE, which programs with pipes ignore.)
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_take_stdin(run: Option<&wasmrt_run_t>) -> RawFd {
    take(run, |run| run.take_stdin().map(OwnedFd::from))
}

/// The end of a pipe that the guest's standard output goes to, as wasmrt_run_take_stdin.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_take_stdout(run: Option<&wasmrt_run_t>) -> RawFd {
    take(run, |run| run.take_stdout().map(OwnedFd::from))
}

/// The end of a pipe that the guest's standard error goes to, as wasmrt_run_take_stdin.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_take_stderr(run: Option<&wasmrt_run_t>) -> RawFd {
    take(run, |run| run.take_stderr().map(OwnedFd::from))
}

/// Takes a run back. One that has not ended is ended.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_run_delete(run: Option<Box<wasmrt_run_t>>) {
    delete(run);
}

fn start(
    runtime: Option<&wasmrt_runtime_t>,
    module: Option<&wasmrt_module_t>,
    spec: Option<&wasmrt_spec_t>,
    piped: wasmrt_runtime::PipedStreams,
    when_full: WhenFull,
) -> Result<Run> {
    let embedder = needed(runtime, "runtime")?.embedder();
    let module = needed(module, "module")?.for_runs(embedder)?;
    let spec = spec.map(|handle| handle.spec.clone()).unwrap_or_default();
    let mut options = StartOptions::default();
    options.piped = piped;
    options.when_full = when_full;
    embedder.start(module, &spec, options)
}

fn started(run: Run) -> Box<wasmrt_run_t> {
    Box::new(wasmrt_run_t { run, ports: Ports::default() })
}

fn take(run: Option<&wasmrt_run_t>, take: impl FnOnce(&Run) -> Option<OwnedFd>) -> RawFd {
    boundary::value(-1, || run.and_then(|handle| take(&handle.run)).map_or(-1, IntoRawFd::into_raw_fd))
}
