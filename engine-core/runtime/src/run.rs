//! One guest in one worker: descriptors, fork, watch, and what its end means.

use crate::compile::Attention;
use crate::network::GuestNetwork;
use crate::observer::Note;
use crate::process::{Death, SharedCounters, SignalsAsDescriptor};
use crate::ready::{Ready, ReadyCode};
use crate::streams::{self, GuestStreams, PipedStreams};
use crate::supervisor::{self, Cause, Watch, Watched};
use crate::trust;
use crate::worker::component::{self, ComponentWork};
use crate::worker::confine::Guest;
use crate::worker::guest::{self, Call, GuestWork};
use crate::worker::report::{Report, ReportedEnd};
use crate::worker::{self, GUEST_STACK_BYTES, WorkerGroup, WorkerSetup, above_standard_streams};
use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use wasmrt_host::{Counters, Resources};
use wasmrt_model::backend::{Code, ImportedFunction};
use wasmrt_model::component::{ComponentOptions, ComponentResources, UsageCounter};
use wasmrt_model::limits::call_depth;
use wasmrt_model::{Captured, Error, ErrorKind, ExitStatus, LimitKind, Outcome, Result, RunPlan, Tier, Usage};

/// What a worker may map beside the guest's memory and tables: engine, stacks, host, file buffers.
const RESERVE_BYTES: u64 = 256 << 20;
/// What an interpreter may map for each byte of a module: it keeps it as objects.
const INTERPRETED_BYTES_PER_BYTE: u64 = 48;
/// What a compiled module may map for each byte of its code.
const COMPILED_BYTES_PER_BYTE: u64 = 2;
/// What an engine keeps for each table element.
const BYTES_PER_TABLE_ELEMENT: u64 = 16;
/// Interpreting for less than this is not worth a word.
const LONG_INTERPRETATION: Duration = Duration::from_secs(2);

/// Counters of one run, in memory that the worker shares.
pub(crate) struct RunCounters(pub(crate) Arc<SharedCounters>);

impl AsRef<Counters> for RunCounters {
    fn as_ref(&self) -> &Counters {
        self.0.get()
    }
}

impl UsageCounter for RunCounters {
    fn output_bytes(&self, total: u64) {
        self.0.get().output_bytes.store(total, Ordering::Relaxed);
    }

    fn written_bytes(&self, total: u64) {
        self.0.get().written_bytes.store(total, Ordering::Relaxed);
    }

    fn memory_bytes(&self, total: u64) {
        self.0.get().memory_bytes.fetch_max(total, Ordering::Relaxed);
    }

    fn received_bytes(&self, total: u64) {
        self.0.get().received_bytes.store(total, Ordering::Relaxed);
    }

    fn sent_bytes(&self, total: u64) {
        self.0.get().sent_bytes.store(total, Ordering::Relaxed);
    }
}

/// Runs a module that is ready, to its end.
pub(crate) fn run(ready: Ready, piped: PipedStreams, attention: &mut Attention<'_>) -> Result<Outcome> {
    let Ready { engine, tier, plan, info, meters, code, compile_time, component, artifact: _ } = ready;
    let work = match component {
        Some(options) => Work::Component(options),
        None => Work::Module { imports: wasmrt_host::link(&info)?, call: guest::entry_call(plan.entry(), &info)? },
    };
    let (streams, captures) = streams::open(plan.stdio(), piped)?;
    let network = GuestNetwork::open(plan.network(), plan.limits().listen_backlog)?;
    for bound in network.published().iter().filter(|bound| bound.chosen) {
        let (local, guest_port, protocol) = (bound.local, bound.guest_port, bound.protocol);
        attention.observer.note(&Note::Published { local, guest_port, protocol });
    }
    let counters = SharedCounters::new().map_err(|source| Error::io("cannot share memory with the worker", source))?;
    let counters = Arc::new(counters);
    let (code, code_bytes) = owned_code(code)?;

    let signals = attention.forward_signals.then(SignalsAsDescriptor::new).transpose();
    let signals = signals.map_err(|source| Error::io("cannot take signals", source))?;
    let cpu_time = plan.limits().cpu_time.bound().map(|span| span.0);
    let stack_bytes = stack_bytes(&plan);
    // A stack that the engine makes is private memory like any other; the worker's own is not counted as such.
    // Components run on stacks of wasmtime's, which are of a size that the reserve covers.
    let (thread_stack, own_stack) = if component.is_some() {
        (0, 0)
    } else if engine.capabilities().own_stack {
        (0, stack_bytes)
    } else {
        (stack_bytes, 0)
    };
    let setup = WorkerSetup {
        memory_bytes: memory_cap(&plan, tier, code_bytes).map(|cap| cap.saturating_add(own_stack)),
        opens_files: !plan.preopens().is_empty(),
        binds_ports: false,
        open_files: descriptors_for(&plan),
        guest_stack_bytes: Some(thread_stack),
        cpu_time,
        group: match attention.group {
            Some(group) => WorkerGroup::Join(group),
            None if on_terminal() => WorkerGroup::Inherit,
            None => WorkerGroup::Own,
        },
        keep: kept_descriptors(&streams, &code, &network),
        signals: signals.as_ref(),
        out_of_memory: Some(&counters),
    };
    let os_sandbox = worker::confine::available();
    let started = Instant::now();
    let worker = worker::spawn(setup, || {
        let streams = duplicate(&streams);
        let code = match &code {
            OwnedCode::Wasm(bytes) => Code::Wasm(bytes),
            OwnedCode::Artifact(file) => match file.try_clone() {
                Ok(file) => Code::Artifact(file),
                Err(source) => return Report::failed(&Error::io("cannot hold on to the artifact", source)),
            },
        };
        let counters = RunCounters(Arc::clone(&counters));
        match &work {
            Work::Module { imports, call } => {
                let mut resources = Resources::new();
                resources.stdin = streams.stdin;
                resources.stdout = streams.stdout;
                resources.stderr = streams.stderr;
                (resources.listeners, resources.network) = match network.in_worker() {
                    Ok(given) => given,
                    Err(error) => return Report::failed(&error),
                };
                resources.counters = Box::new(counters);
                let work = GuestWork {
                    engine: engine.as_ref(),
                    code,
                    info: &info,
                    meters: meters.as_ref(),
                    imports,
                    plan: &plan,
                    stack_bytes,
                    resources,
                    sockets: network.is_open(),
                    os_sandbox,
                };
                guest::run(work, call)
            }
            Work::Component(options) => {
                let mut resources = ComponentResources::new(Arc::new(counters));
                resources.stdin = streams.stdin;
                resources.stdout = streams.stdout;
                resources.stderr = streams.stderr;
                let given =
                    network.listeners_in_worker().and_then(|listeners| Ok((listeners, network.broker_in_worker()?)));
                (resources.listeners, resources.broker) = match given {
                    Ok(given) => given,
                    Err(error) => return Report::failed(&error),
                };
                resources.trust = trust::of_machine(plan.network(), &info);
                let work = ComponentWork {
                    guest: Guest::Component { sockets: network.is_open() },
                    engine: engine.as_ref(),
                    code,
                    options: *options,
                    pool: None,
                    plan: &plan,
                    os_sandbox,
                };
                component::run(work, resources)
            }
        }
    })?;
    // Only the worker holds the guest's ends now, so that its end is the end of the streams.
    drop(streams);
    let watch = Watch {
        started,
        wall_time: plan.limits().wall_time.bound().map(|span| span.0),
        cpu_time,
        report: worker.report,
        stdout: captures.stdout,
        stderr: captures.stderr,
        signals: signals.as_ref(),
        cancel: attention.cancel,
        tick: None,
    };
    let watched =
        supervisor::watch(worker.process, watch).map_err(|source| Error::io("cannot watch the worker", source))?;
    let mut outcome = conclude(watched, &counters, engine.capabilities().engine, tier)?;
    outcome.usage.compile_time = compile_time;
    outcome.os_sandbox = Some(os_sandbox);
    if tier == Tier::Interpreter && outcome.usage.cpu_time >= LONG_INTERPRETATION {
        let note = Note::InterpretedForLong { engine: outcome.engine, cpu_time: outcome.usage.cpu_time };
        attention.observer.note(&note);
    }
    Ok(outcome)
}

/// What the worker does.
enum Work {
    Module { imports: Vec<ImportedFunction>, call: Call },
    Component(ComponentOptions),
}

/// Code that a worker can be given.
pub(crate) enum OwnedCode {
    Wasm(Vec<u8>),
    Artifact(File),
}

pub(crate) fn owned_code(code: ReadyCode) -> Result<(OwnedCode, u64)> {
    Ok(match code {
        ReadyCode::Wasm(bytes) => {
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            (OwnedCode::Wasm(bytes), length)
        }
        ReadyCode::Artifact(file) => {
            let failed = |source| Error::io("cannot hold on to the artifact", source);
            let file = File::from(above_standard_streams(file.as_fd()).map_err(failed)?);
            let length = file.metadata().map_err(failed)?.len();
            (OwnedCode::Artifact(file), length)
        }
    })
}

/// A terminal sends its signals to the whole foreground group and stops readers outside of it, so there the worker stays in ours.
fn on_terminal() -> bool {
    std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal()
}

/// How many descriptors the guest may come to hold: its files, and each of its sockets, of which the host may have a second one.
fn descriptors_for(plan: &RunPlan) -> Option<u64> {
    let limits = plan.limits();
    let published = u64::try_from(plan.network().publish.len()).unwrap_or(u64::MAX);
    limits.open_files.bound().map(|files| files.0.saturating_add(published.saturating_mul(2)))
}

fn kept_descriptors<'a>(
    streams: &'a GuestStreams,
    code: &'a OwnedCode,
    network: &'a GuestNetwork,
) -> Vec<std::os::fd::BorrowedFd<'a>> {
    let mut keep: Vec<_> =
        [&streams.stdin, &streams.stdout, &streams.stderr].into_iter().flatten().map(AsFd::as_fd).collect();
    if let OwnedCode::Artifact(file) = code {
        keep.push(file.as_fd());
    }
    keep.extend(network.descriptors());
    keep
}

/// In the worker: the streams as its own. (A failed copy reads as end of file, or as nowhere.)
pub(crate) fn duplicate(streams: &GuestStreams) -> GuestStreams {
    let copy =
        |stream: &Option<std::os::fd::OwnedFd>| stream.as_ref().and_then(|fd| above_standard_streams(fd.as_fd()).ok());
    GuestStreams { stdin: copy(&streams.stdin), stdout: copy(&streams.stdout), stderr: copy(&streams.stderr) }
}

/// What a guest may need that nests its calls as deeply as it may. At least what the engine was told that it has.
fn stack_bytes(plan: &RunPlan) -> u64 {
    let engine = u64::try_from(GUEST_STACK_BYTES).unwrap_or(u64::MAX);
    let calls = plan.limits().call_depth.bound().map_or(0, |calls| calls.0);
    calls.saturating_mul(call_depth::STACK_PER_CALL.0).max(engine)
}

/// What a worker may map for one guest of this plan.
pub(crate) fn memory_cap(plan: &RunPlan, tier: Tier, code_bytes: u64) -> Option<u64> {
    let guest = plan.limits().memory_bytes.bound()?.0;
    let tables = plan.limits().table_elements.bound()?.0.saturating_mul(BYTES_PER_TABLE_ELEMENT);
    let factor = if tier == Tier::Interpreter { INTERPRETED_BYTES_PER_BYTE } else { COMPILED_BYTES_PER_BYTE };
    let code = code_bytes.saturating_mul(factor);
    Some(guest.saturating_add(tables).saturating_add(code).saturating_add(RESERVE_BYTES))
}

/// What the worker's end means.
fn conclude(
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
        Death::Signaled(libc::SIGABRT) if counters.ran_out_of_memory() => {
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
