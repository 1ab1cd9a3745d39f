//! One guest in one worker: descriptors, fork, watch, and what its end means.

pub(crate) mod job;

use crate::compile::Attention;
use crate::network::GuestNetwork;
use crate::observer::Note;
use crate::process::{Death, SharedCounters, SignalsAsDescriptor};
use crate::ready::Ready;
use crate::streams::{self, GuestStreams, PipedStreams};
use crate::supervisor::{self, Cause, Watch, Watched};
use crate::worker::report::{Report, ReportedEnd};
use crate::worker::{self, WorkerGroup, WorkerSetup, above_standard_streams};
use job::GuestJob;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use wasmrt_model::{Captured, Error, ErrorKind, ExitStatus, LimitKind, Outcome, Result, Tier, Usage};

/// Interpreting for less than this is not worth a word.
const LONG_INTERPRETATION: Duration = Duration::from_secs(2);

/// Runs a module that is ready, to its end.
pub(crate) fn run(ready: Ready, piped: PipedStreams, attention: &mut Attention<'_>) -> Result<Outcome> {
    let compile_time = ready.compile_time;
    let job = GuestJob::new(ready)?;
    let plan = &job.plan;
    let (streams, captures) = streams::open(plan.stdio(), piped)?;
    let network = GuestNetwork::open(plan.network(), plan.limits().listen_backlog)?;
    for bound in network.published().iter().filter(|bound| bound.chosen) {
        let (local, guest_port, protocol) = (bound.local, bound.guest_port, bound.protocol);
        attention.observer.note(&Note::Published { local, guest_port, protocol });
    }
    let counters = SharedCounters::new().map_err(|source| Error::io("cannot share memory with the worker", source))?;
    let counters = Arc::new(counters);

    let signals = attention.forward_signals.then(SignalsAsDescriptor::new).transpose();
    let signals = signals.map_err(|source| Error::io("cannot take signals", source))?;
    let setup = WorkerSetup {
        group: match attention.group {
            Some(group) => WorkerGroup::Join(group),
            None if on_terminal() => WorkerGroup::Inherit,
            None => WorkerGroup::Own,
        },
        keep: job.kept_descriptors(&streams, &network),
        signals: signals.as_ref(),
        out_of_memory: Some(&counters),
        ..job.setup()
    };
    let os_sandbox = worker::confine::available();
    let started = Instant::now();
    let worker = worker::spawn(setup, || job.carry_out(duplicate(&streams), &network, &counters, os_sandbox))?;
    // Only the worker holds the guest's ends now, so that its end is the end of the streams.
    drop(streams);
    let watch = Watch {
        started,
        wall_time: plan.limits().wall_time.bound().map(|span| span.0),
        cpu_time: plan.limits().cpu_time.bound().map(|span| span.0),
        report: worker.report,
        stdout: captures.stdout,
        stderr: captures.stderr,
        signals: signals.as_ref(),
        cancel: attention.cancel,
        tick: None,
    };
    let watched =
        supervisor::watch(worker.process, watch).map_err(|source| Error::io("cannot watch the worker", source))?;
    let mut outcome = conclude(watched, &counters, plan.engine(), job.tier)?;
    outcome.usage.compile_time = compile_time;
    outcome.os_sandbox = Some(os_sandbox);
    if job.tier == Tier::Interpreter && outcome.usage.cpu_time >= LONG_INTERPRETATION {
        let note = Note::InterpretedForLong { engine: outcome.engine, cpu_time: outcome.usage.cpu_time };
        attention.observer.note(&note);
    }
    Ok(outcome)
}

/// A terminal sends its signals to the whole foreground group and stops readers outside of it, so there the worker stays in ours.
fn on_terminal() -> bool {
    std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal()
}

/// In the worker: the streams as its own. (A failed copy reads as end of file, or as nowhere.)
pub(crate) fn duplicate(streams: &GuestStreams) -> GuestStreams {
    let copy =
        |stream: &Option<std::os::fd::OwnedFd>| stream.as_ref().and_then(|fd| above_standard_streams(fd.as_fd()).ok());
    GuestStreams { stdin: copy(&streams.stdin), stdout: copy(&streams.stdout), stderr: copy(&streams.stderr) }
}

/// What the worker's end means.
pub(crate) fn conclude(
    watched: Watched,
    counters: &SharedCounters,
    engine: wasmrt_model::EngineName,
    tier: Tier,
) -> Result<Outcome> {
    let seen = counters.get();
    let mut usage = Usage::default();
    usage.wall_time = watched.wall_time;
    usage.cpu_time = watched.ended.cpu_time;
    usage.peak_memory_bytes = watched.ended.peak_resident_bytes;
    usage.output_bytes = seen.output_bytes.load(Ordering::Relaxed);
    usage.written_bytes = seen.written_bytes.load(Ordering::Relaxed);
    usage.received_bytes = seen.received_bytes.load(Ordering::Relaxed);
    usage.sent_bytes = seen.sent_bytes.load(Ordering::Relaxed);
    let memory_bytes = seen.memory_bytes.load(Ordering::Relaxed);
    usage.memory_pages = (memory_bytes > 0).then_some(memory_bytes >> 16);

    let report = Report::receive(&watched.report);
    let mut results = Vec::new();
    let mut refusals = Vec::new();
    let status = match (watched.cause, report) {
        (Some(Cause::WallTime), _) => ExitStatus::LimitReached { limit: LimitKind::WallTime },
        (Some(Cause::CpuTime), _) => ExitStatus::LimitReached { limit: LimitKind::CpuTime },
        (Some(Cause::OutputBytes), _) => ExitStatus::LimitReached { limit: LimitKind::OutputBytes },
        (Some(Cause::Cancelled), _) => return Err(Error::new(ErrorKind::Cancelled, "the run was cancelled")),
        (None, Some(report)) => {
            let report = report.into_result()?;
            usage.memory_pages = report.memory_pages.or(usage.memory_pages);
            usage.fuel = report.fuel;
            results = report.results;
            refusals = report.refusals;
            match report.end {
                ReportedEnd::Ended(status) => status,
                ReportedEnd::Failed { kind, message, .. } => return Err(Error::new(kind, message)),
            }
        }
        (None, None) => status_of_death(watched.ended.death, counters)?,
    };
    let mut outcome = Outcome::new(status, usage, engine, tier);
    outcome.results = results;
    outcome.refusals = refusals;
    outcome.stdout = watched.stdout.map(|bytes| Captured { bytes });
    outcome.stderr = watched.stderr.map(|bytes| Captured { bytes });
    Ok(outcome)
}

/// A worker that said nothing: it was ended from outside, by the kernel or by the engine's own failure.
fn status_of_death(death: Death, counters: &SharedCounters) -> Result<ExitStatus> {
    Ok(match death {
        Death::Signaled(libc::SIGXCPU) => ExitStatus::LimitReached { limit: LimitKind::CpuTime },
        // The first process of a namespace is deaf to its own SIGABRT, and ends by what abort does next.
        Death::Signaled(libc::SIGABRT | libc::SIGSEGV) if counters.ran_out_of_memory() => {
            ExitStatus::LimitReached { limit: LimitKind::Memory }
        }
        Death::Signaled(
            signal @ (libc::SIGSEGV
            | libc::SIGBUS
            | libc::SIGILL
            | libc::SIGFPE
            | libc::SIGABRT
            | libc::SIGTRAP
            | libc::SIGSYS),
        ) => ExitStatus::EngineCrashed { signal },
        Death::Signaled(signal) => ExitStatus::Signaled { signal },
        Death::Exited(code) => {
            return Err(Error::new(ErrorKind::Internal, format!("the worker ended with code {code} and no report")));
        }
    })
}

#[cfg(test)]
mod tests;
