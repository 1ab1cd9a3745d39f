//! Compiling in a worker: bounded in time and memory, cancellable, one compiler per key at a time.

use crate::cache::{self, ArtifactCache, Key};
use crate::observer::{Compiling, Observer};
use crate::process::{Death, SignalsAsDescriptor};
use crate::supervisor::{self, Cause, Watch};
use crate::worker::{self, WorkerGroup, WorkerSetup, report::Report};
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};
use wasmrt_model::backend::{CompileOptions, WasmEngine};
use wasmrt_model::component::ComponentOptions;
use wasmrt_model::{Error, ErrorKind, ExitStatus, Result};

/// What a compiling worker may map. A 1.4 MB module takes WasmEdge's compiler under 0.4 GiB.
const COMPILE_MEMORY_BYTES: u64 = 4 << 30;

/// How a caller takes part in what may take long.
pub(crate) struct Attention<'a> {
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) forward_signals: bool,
    pub(crate) cancel: Option<BorrowedFd<'a>>,
    /// The process group whose terminal the guest reads from, when that is not this process's.
    pub(crate) group: Option<rustix::process::Pid>,
}

/// What is to be compiled, and what is noted beside it.
pub(crate) struct CompileJob<'a> {
    pub(crate) engine: &'a dyn WasmEngine,
    pub(crate) options: CompileOptions,
    /// What a component's code depends on beside `options`; None for core modules.
    pub(crate) component: Option<ComponentOptions>,
    pub(crate) module: &'a [u8],
    pub(crate) note: &'a [u8],
    pub(crate) time_limit: Option<Duration>,
    pub(crate) place: CompilePlace,
}

/// Who compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompilePlace {
    /// A worker, bounded in time and memory and cancellable.
    Worker,
    /// The calling thread: a process that embeds guests has threads, and such a process cannot fork. Nothing bounds it but the module's size.
    Here,
}

/// Compiles, or takes what another process has compiled meanwhile. Returns the code and how long making it took.
pub(crate) fn compile(
    job: &CompileJob<'_>,
    key: &Key,
    cache: Option<&ArtifactCache>,
    attention: &mut Attention<'_>,
) -> Result<(File, Option<Duration>)> {
    let Some(cache) = cache else {
        let scratch = cache::private_scratch(None)?;
        let output = scratch.path().join("code");
        let elapsed = compile_to(job, &output, attention)?;
        // The file outlives its name and its directory.
        let code = File::open(&output).map_err(|source| Error::io("cannot open what was compiled", source))?;
        return Ok((code, Some(elapsed)));
    };
    let _lock = cache.lock(key, job.time_limit)?.ok_or_else(|| {
        Error::new(ErrorKind::CompileFailed, "another process compiles the same module and does not come to an end")
    })?;
    if let Some(hit) = cache.find(key) {
        return Ok((hit.code, None));
    }
    let scratch = cache.scratch()?;
    let output = scratch.path().join("code");
    let elapsed = compile_to(job, &output, attention)?;
    Ok((cache.insert(key, job.note, &output)?.code, Some(elapsed)))
}

/// Compiles into a file in a directory of ours.
fn compile_to(job: &CompileJob<'_>, output: &std::path::Path, attention: &mut Attention<'_>) -> Result<Duration> {
    if job.place == CompilePlace::Here {
        return compile_here(job, output, attention);
    }
    let signals = attention
        .forward_signals
        .then(SignalsAsDescriptor::new)
        .transpose()
        .map_err(|source| Error::io("cannot take signals", source))?;
    let setup = WorkerSetup {
        memory_bytes: Some(COMPILE_MEMORY_BYTES),
        group: WorkerGroup::Own,
        signals: signals.as_ref(),
        ..WorkerSetup::default()
    };
    attention.observer.compile_started(&job.announced());
    let started = Instant::now();
    let result = worker::spawn(setup, || match job.carry_out(output) {
        Ok(()) => Report::ended(ExitStatus::Exited { code: 0 }),
        Err(error) => Report::failed(&error),
    })
    .and_then(|worker| {
        let observer = &mut *attention.observer;
        let mut tick = |elapsed| observer.compile_running(elapsed);
        let watch = Watch {
            started,
            wall_time: job.time_limit,
            cpu_time: None,
            report: worker.report,
            stdout: None,
            stderr: None,
            signals: signals.as_ref(),
            cancel: attention.cancel,
            tick: Some(&mut tick),
        };
        let watched = supervisor::watch(worker.process, watch)
            .map_err(|source| Error::io("cannot watch the compiler", source))?;
        conclude(&watched, job)
    });
    let elapsed = started.elapsed();
    attention.observer.compile_ended(elapsed, result.is_ok());
    result.map(|()| elapsed)
}

fn compile_here(job: &CompileJob<'_>, output: &std::path::Path, attention: &mut Attention<'_>) -> Result<Duration> {
    attention.observer.compile_started(&job.announced());
    let started = Instant::now();
    let result = job.carry_out(output);
    let elapsed = started.elapsed();
    attention.observer.compile_ended(elapsed, result.is_ok());
    result.map(|()| elapsed)
}

impl CompileJob<'_> {
    fn carry_out(&self, output: &std::path::Path) -> Result<()> {
        match self.component {
            Some(options) => self.engine.compile_component(self.module, options, output),
            None => self.engine.compile(self.module, self.options, output),
        }
    }

    fn announced(&self) -> Compiling {
        Compiling {
            engine: self.engine.capabilities().engine,
            tier: self.options.tier,
            module_bytes: self.module.len(),
            time_limit: self.time_limit,
        }
    }
}

fn conclude(watched: &supervisor::Watched, job: &CompileJob<'_>) -> Result<()> {
    let failed = |message: String| {
        Error::new(ErrorKind::CompileFailed, message)
            .with_context("engine", job.engine.capabilities().engine)
            .with_context("tier", job.options.tier)
    };
    if let Some(report) = Report::receive(&watched.report) {
        return report.into_result().map(drop);
    }
    if let Some(signal) = watched.forwarded {
        return Err(
            Error::new(ErrorKind::Cancelled, "compiling was interrupted").with_context("signal", signal.as_raw())
        );
    }
    Err(match (watched.cause, watched.ended.death) {
        (Some(Cause::Cancelled), _) => Error::new(ErrorKind::Cancelled, "compiling was cancelled"),
        (Some(_), _) => failed(format!("compiling took longer than {:?}", job.time_limit.unwrap_or_default()))
            .with_hint("raise the limit compile_time, or compile with less optimisation"),
        (None, Death::Signaled(signal)) => failed(format!("the compiler died of signal {signal}")),
        (None, Death::Exited(code)) => failed(format!("the compiler ended with code {code} and no word")),
    })
}
