//! [`Instance`]: a guest inside the caller's process, for callers who call its exports often. Owns its life from start-up to reset.
//!
//! The guard, the host and the plan are those of any run. What a process of its own would add is not there: an engine's defect is the caller's
//! too, processor time is not counted, and memory beside the guest's own is the caller's. So what cannot hold is refused by name, and native
//! code of engines that take the process down with a guest's stack is not run here at all.
//!
//! - A guest that returns can be called again. One that ended in any other way is *spent*: it stopped in the middle of something, so its memory can
//!   still be looked at, and [`Instance::reset`] makes a new guest of the same code.
//! - Guests run on the caller's thread and stack. A thread with too little of it is refused before the guest runs.
//! - Fuel, call depth and wall time are counted for each call; start-up (the start section, then `_initialize` of a reactor) counts as one.

mod call;
mod imports;
mod memory;
mod streams;
mod watch;

use crate::compile::Attention;
use crate::gauge::Gauge;
use crate::observer::{Observer, Silent};
use crate::ready::{Preparer, Ready, ReadyCode};
use crate::runtime::Runtime;
use crate::streams::PipedStreams;
use imports::Linked;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use streams::Streams;
use wasmrt_guard::{Exhausted, Meters};
use wasmrt_host::{Blocking, Cancel, Counters, Host, Refusals, Resources};
use wasmrt_model::backend::{Code, Ending, WasmInstance, WasmModule};
use wasmrt_model::module::{Export, ExternType};
use wasmrt_model::units::Count;
use wasmrt_model::{
    EngineName, Entry, Error, ErrorKind, ExitStatus, Feature, FunctionType, IsolationLevel, Limit, LimitKind,
    ModuleInfo, Result, RunPlan, RunSpec, Tier, Trap, TrapKind, Value, ValueType,
};
use watch::{Calls, EndedBy};

pub use call::{CallEnd, CallLimits, CallOutcome, CallUsage, Spent};
pub use imports::{Caller, Imports};
pub use memory::Memory;
pub use watch::CancelHandle;
pub(crate) use watch::Watch;

/// The memory that host functions and [`Instance::memory`] mean.
const MEMORY: &str = "memory";

/// How a caller takes part in making an instance.
#[derive(Default)]
#[non_exhaustive]
pub struct InstantiateOptions<'a> {
    /// Hears of compiling and of what is worth a line.
    pub observer: Option<&'a mut dyn Observer>,
    /// The descriptors of streams that the spec calls piped.
    pub piped: PipedStreams,
}

impl fmt::Debug for InstantiateOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstantiateOptions").field("piped", &self.piped).finish_non_exhaustive()
    }
}

/// A guest in the caller's process. Can be sent to other threads, and is used by one at a time.
pub struct Instance {
    /// None when it ended before it came to be.
    guest: Option<Box<dyn WasmInstance>>,
    module: Box<dyn WasmModule>,
    engine: EngineName,
    tier: Tier,
    plan: RunPlan,
    info: ModuleInfo,
    meters: Option<Meters>,
    functions: BTreeMap<String, FunctionType>,
    linked: Linked,
    streams: Streams,
    counters: Arc<Counters>,
    refusals: Refusals,
    calls: Arc<Calls>,
    watch: Arc<Watch>,
    /// Whether calls have to be interruptible: there was a deadline, or somebody holds a handle.
    interruptible: bool,
    watched: bool,
    spent: Option<Spent>,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("engine", &self.engine)
            .field("tier", &self.tier)
            .field("linked", &self.linked)
            .field("spent", &self.spent)
            .finish_non_exhaustive()
    }
}

/// What an instance has used since it was made or reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceUsage {
    /// 64 KiB pages over all of its memories.
    pub memory_pages: u64,
    /// Bytes written to stdout and stderr.
    pub output_bytes: u64,
    /// Bytes written to files.
    pub written_bytes: u64,
}

/// A host's share of the counters.
struct SharedCounters(Arc<Counters>);

impl AsRef<Counters> for SharedCounters {
    fn as_ref(&self) -> &Counters {
        &self.0
    }
}

pub(crate) fn instantiate(
    runtime: &Runtime,
    module: &[u8],
    spec: &RunSpec,
    imports: Imports,
    options: InstantiateOptions<'_>,
) -> Result<Instance> {
    if spec.isolation != IsolationLevel::InProcess {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("an instance cannot have isolation {}", spec.isolation),
        )
        .with_hint("an instance lives in the caller's process: say so with isolation in-process, or run the module"));
    }
    if spec.entry != Entry::Start {
        return Err(Error::new(ErrorKind::InvalidInput, "an instance has no entry: its exports are called")
            .with_hint("leave entry out of the spec"));
    }
    imports.check()?;
    let InstantiateOptions { observer, piped } = options;
    let mut silent = Silent;
    let observer = observer.unwrap_or(&mut silent);
    let cache = runtime.usable_cache(observer);
    let link = |info: &ModuleInfo| imports.check_link(info);
    let preparer = Preparer::for_instance(
        runtime.in_process(),
        &runtime.config().ceiling,
        cache.as_ref(),
        imports.memories(),
        &link,
    );
    let mut attention = Attention { observer, forward_signals: false, cancel: None, group: None };
    let ready = preparer.prepare(module, spec, &mut attention)?;
    Instance::new(ready, imports, piped, runtime.watch())
}

impl Instance {
    fn new(ready: Ready, imports: Imports, piped: PipedStreams, watch: Arc<Watch>) -> Result<Self> {
        let Ready { engine, tier, plan, info, meters, code, .. } = ready;
        let linked = imports.link(&info)?;
        let streams = Streams::open(plan.stdio(), piped)?;
        let mut module = engine.load(match &code {
            ReadyCode::Wasm(bytes) => Code::Wasm(bytes),
            ReadyCode::Artifact(file) => {
                Code::Artifact(file.try_clone().map_err(|source| Error::io("cannot hold on to the artifact", source))?)
            }
        })?;
        let engine = engine.capabilities().engine;
        let heap_bytes = plan.limits().memory_bytes.bound().map_or(u64::MAX, |bytes| bytes.0);
        if !module.limit_gc_heap(heap_bytes) && info.features.contains(Feature::Gc) {
            let message =
                format!("limit memory_bytes cannot be enforced: {engine} does not bound garbage-collected objects");
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint("take isolation process"));
        }
        let functions = info.exports.iter().filter_map(|export| match &export.extern_type {
            ExternType::Function(signature) => Some((export.name.clone(), signature.clone())),
            _ => None,
        });
        let mut instance = Self {
            guest: None,
            module,
            engine,
            tier,
            functions: functions.collect(),
            interruptible: plan.limits().wall_time.bound().is_some(),
            plan,
            info,
            meters,
            linked,
            streams,
            counters: Arc::default(),
            refusals: Refusals::default(),
            calls: Calls::new(),
            watch,
            watched: false,
            spent: None,
        };
        instance.start_up()?;
        Ok(instance)
    }

    /// Makes a new guest of the same code: fresh memories, tables and globals, files closed, preopens and input opened again, usage at 0.
    /// Start-up runs again; if it ends the guest, the instance is [spent](Self::spent).
    ///
    /// Host functions stay as they are, with what they have captured, and outputs go on where they were. Handles that cancel stay good.
    ///
    /// # Errors
    /// What kept the new guest from being made. The instance is spent then.
    pub fn reset(&mut self) -> Result<()> {
        self.start_up().inspect_err(|error| self.spend_for(error))
    }

    /// Calls an exported function.
    ///
    /// A guest that exits, traps or reaches a limit is an outcome. Every call but one that returned leaves the instance spent, except where it was
    /// refused before the guest ran: `MissingExport`, `InvalidInput` for arguments that do not fit, `Denied` for limits above the instance's own, and
    /// `Unsupported`.
    ///
    /// # Errors
    /// As above; `InvalidInput` when the instance is spent; `Cancelled` when a [`CancelHandle`] was used; a host function's own error; `Internal`
    /// when one panicked.
    pub fn call(&mut self, export: &str, args: &[Value], limits: CallLimits) -> Result<CallOutcome> {
        if let Some(spent) = &self.spent {
            return Err(Error::new(ErrorKind::InvalidInput, format!("the instance is spent: {spent}"))
                .with_operation("call export")
                .with_hint("reset it"));
        }
        self.check_call(export, args)?;
        let (fuel, wall_time) = limits.resolve(&self.plan)?;
        if wall_time.is_some() {
            self.make_interruptible()?;
            self.be_watched()?;
        }
        self.run(fuel, wall_time, |guest, gauge| {
            gauge.allow_depth(guest)?;
            guest.call(export, args)
        })
    }

    /// What ends a call from another thread. Good for as long as the instance, resets included.
    ///
    /// # Errors
    /// `Unsupported` when the engine cannot be interrupted.
    pub fn cancel_handle(&mut self) -> Result<CancelHandle> {
        self.make_interruptible()?;
        Ok(CancelHandle::of(&self.calls))
    }

    /// The memory that the guest exports as `memory`, or the one that it imports and owns.
    ///
    /// # Errors
    /// `MissingExport` when there is none.
    pub fn memory(&mut self) -> Result<Memory<'_>> {
        self.memory_named(MEMORY)
    }

    /// A memory that the guest exports by this name.
    ///
    /// # Errors
    /// `MissingExport` when there is none.
    pub fn memory_named(&mut self, export: &str) -> Result<Memory<'_>> {
        let bytes = match &mut self.guest {
            Some(guest) => guest.memory(export)?,
            None => None,
        };
        let missing = || Error::new(ErrorKind::MissingExport, format!("the guest has no memory '{export}'"));
        bytes.map(Memory::new).ok_or_else(missing)
    }

    /// What the module offers.
    #[must_use]
    pub fn exports(&self) -> &[Export] {
        &self.info.exports
    }

    /// Why it can only be reset. None when it can be called.
    #[must_use]
    pub fn spent(&self) -> Option<&Spent> {
        self.spent.as_ref()
    }

    /// The engine that runs it.
    #[must_use]
    pub fn engine(&self) -> EngineName {
        self.engine
    }

    /// How the engine runs it.
    #[must_use]
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The plan that it was made by.
    #[must_use]
    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// What it has used since it was made or reset.
    pub fn usage(&mut self) -> InstanceUsage {
        InstanceUsage {
            memory_pages: self.guest.as_mut().map_or(0, |guest| guest.memory_pages()),
            output_bytes: self.counters.output_bytes.load(Ordering::Relaxed),
            written_bytes: self.counters.written_bytes.load(Ordering::Relaxed),
        }
    }

    /// What the host refused the guest since it was made or reset: one line each, bounded.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.refusals.lines()
    }

    /// What the guest wrote to a captured standard output since this was last asked. None when it is not captured.
    ///
    /// # Errors
    /// The operating system's.
    pub fn take_stdout(&mut self) -> Result<Option<Vec<u8>>> {
        self.streams.take_stdout()
    }

    /// What the guest wrote to a captured standard error since this was last asked. None when it is not captured.
    ///
    /// # Errors
    /// The operating system's.
    pub fn take_stderr(&mut self) -> Result<Option<Vec<u8>>> {
        self.streams.take_stderr()
    }

    fn check_call(&self, export: &str, args: &[Value]) -> Result<()> {
        let wrong = |kind, message: String| Error::new(kind, message).with_operation("call export");
        let signature = self
            .functions
            .get(export)
            .ok_or_else(|| wrong(ErrorKind::MissingExport, format!("the module exports no function '{export}'")))?;
        let types = signature.params.iter().chain(&signature.results);
        if let Some(other) = types.into_iter().find(|value| matches!(value, ValueType::V128 | ValueType::Ref)) {
            let message = format!("'{export}' is {signature}, and a {other} does not cross to the host");
            return Err(wrong(ErrorKind::Unsupported, message));
        }
        if !args.iter().map(|arg| arg.value_type()).eq(signature.params.iter().copied()) {
            let given: Vec<ValueType> = args.iter().map(|arg| arg.value_type()).collect();
            let given = FunctionType::new(&given, &[]);
            return Err(wrong(ErrorKind::InvalidInput, format!("'{export}' is {signature} and was given {given}")));
        }
        Ok(())
    }

    /// Makes a guest and lets it set itself up.
    fn start_up(&mut self) -> Result<()> {
        // The old guest goes first: what it holds may be what the new one is to have.
        self.guest = None;
        self.spent = None;
        self.linked.take_failed();
        self.calls.change_means(|means| *means = watch::Means::default());
        let host = self.make_host()?;
        let made = self.module.instantiate(&self.info, &self.linked.functions, Box::new(self.linked.host(host)));
        match made {
            Ok(guest) => self.guest = Some(guest),
            Err(ending) => {
                let end = ended(ending)?;
                self.spent = Some(Spent::Ended(end));
                return Ok(());
            }
        }
        if self.interruptible {
            self.arm()?;
        }
        let limits = *self.plan.limits();
        let wall_time = limits.wall_time.bound().map(|span| span.0);
        if wall_time.is_some() {
            self.be_watched()?;
        }
        let reactor = self.functions.get("_initialize").is_some_and(|signature| *signature == FunctionType::default());
        let initialize = reactor && !self.functions.contains_key("_start");
        if !initialize && self.meters.as_ref().and_then(Meters::start).is_none() {
            return Ok(());
        }
        let outcome = self.run(limits.fuel, wall_time, |guest, gauge| {
            if let Some(start) = gauge.start() {
                gauge.allow_depth(guest)?;
                guest.call(start, &[])?;
            }
            if initialize {
                gauge.allow_depth(guest)?;
                guest.call("_initialize", &[])?;
            }
            Ok(Vec::new())
        });
        // How start-up ended a guest is kept in `spent`.
        outcome.map(drop)
    }

    /// The WASI host of a new guest, if it imports any of it. What it is given is opened in any case, so that a wrong path is an error at once.
    fn make_host(&mut self) -> Result<Option<Host>> {
        let cancel = if self.linked.wasi.is_empty() { None } else { Some(Cancel::new()?) };
        self.counters = Arc::default();
        let [stdin, stdout, stderr] = self.streams.for_guest()?;
        let mut resources = Resources::new();
        resources.stdin = stdin;
        resources.stdout = stdout;
        resources.stderr = stderr;
        resources.counters = Box::new(SharedCounters(Arc::clone(&self.counters)));
        resources.blocking = Blocking::Offload;
        resources.cancel = cancel.clone();
        let host = Host::new(&self.plan, resources, &self.linked.wasi)?;
        self.refusals = host.refusals();
        self.calls.change_means(|means| means.waiting = cancel);
        Ok((!self.linked.wasi.is_empty()).then_some(host))
    }

    /// From here on, calls can be interrupted: those of later guests too.
    fn make_interruptible(&mut self) -> Result<()> {
        if !self.interruptible {
            self.arm()?;
            self.interruptible = true;
        }
        Ok(())
    }

    /// Gets hold of what interrupts the guest that is there.
    fn arm(&mut self) -> Result<()> {
        if let Some(guest) = &mut self.guest {
            let global = self.meters.as_ref().and_then(Meters::interruption);
            let interrupter = guest.interrupter(global).map_err(|error| error.with_context("engine", self.engine))?;
            self.calls.change_means(|means| means.interrupter = Some(interrupter));
        }
        Ok(())
    }

    fn be_watched(&mut self) -> Result<()> {
        if !self.watched {
            self.watch.add(&self.calls)?;
            self.watched = true;
        }
        Ok(())
    }

    /// Runs the guest under these limits, and tells how that ended.
    fn run(
        &mut self,
        fuel: Limit<Count>,
        wall_time: Option<Duration>,
        work: impl FnOnce(&mut dyn WasmInstance, &Gauge<'_>) -> Result<Vec<Value>, Ending>,
    ) -> Result<CallOutcome> {
        let Some(guest) = self.guest.as_deref_mut() else {
            return Err(Error::new(ErrorKind::Internal, "there is no guest to run"));
        };
        let gauge = Gauge::new(self.meters.as_ref(), fuel, self.plan.limits().call_depth);
        gauge.fill(guest)?;
        let started = Instant::now();
        self.watch.begin(&self.calls, started, wall_time);
        let worked = work(guest, &gauge);
        let ended_by = self.calls.finish();
        let wall_time = started.elapsed();
        let left = gauge.fuel_left(guest);
        let usage = CallUsage { wall_time, fuel: left.and_then(|left| gauge.used(left)) };
        let exhausted = match &worked {
            // Only fuel may run out under a call that returns.
            Ok(_) => left.filter(|left| *left < 0).map(|_| Exhausted::Fuel),
            Err(_) => gauge.exhausted(guest),
        };
        let end = self.conclude(worked, ended_by, exhausted)?;
        if let CallEnd::Ended(status) = &end {
            self.spent = Some(Spent::Ended(status.clone()));
        }
        Ok(CallOutcome { end, usage })
    }

    /// What the end of a call means, from most to least telling.
    fn conclude(
        &mut self,
        worked: Result<Vec<Value>, Ending>,
        ended_by: Option<EndedBy>,
        exhausted: Option<Exhausted>,
    ) -> Result<CallEnd> {
        let of_host = self.linked.take_failed();
        let worked = match worked {
            // Refused before the guest ran.
            Err(Ending::Failed(error)) if !of_host && error.kind() == ErrorKind::Unsupported => return Err(error),
            Err(Ending::Failed(error)) if of_host || !(ended_by.is_some() && error.kind() == ErrorKind::Cancelled) => {
                self.spend_for(&error);
                return Err(error);
            }
            other => other,
        };
        let status = match (exhausted, worked, ended_by) {
            (Some(Exhausted::Fuel), ..) => ExitStatus::LimitReached { limit: LimitKind::Fuel },
            (Some(Exhausted::CallDepth), ended, _) => {
                // The injected check traps, so the engine knows where.
                let backtrace = if let Err(Ending::Trap(trap)) = ended { trap.backtrace } else { Vec::new() };
                ExitStatus::Trapped { trap: Trap::new(TrapKind::StackOverflow).with_backtrace(backtrace) }
            }
            (None, Ok(results), None) => return Ok(CallEnd::Returned(results)),
            (None, Err(ending @ (Ending::Exit(_) | Ending::Trap(_) | Ending::Limit(_))), _) => ended(ending)?,
            // It was interrupted, or came to its end while it was being interrupted: which of both nobody can tell.
            (None, _, Some(EndedBy::Deadline)) => ExitStatus::LimitReached { limit: LimitKind::WallTime },
            (None, _, Some(EndedBy::Cancel)) => {
                let error = Error::new(ErrorKind::Cancelled, "the call was cancelled").with_operation("call export");
                self.spend_for(&error);
                return Err(error);
            }
            (None, Err(ending), None) => match ended(ending) {
                Ok(status) => status,
                Err(error) => {
                    self.spend_for(&error);
                    return Err(error);
                }
            },
        };
        Ok(CallEnd::Ended(status))
    }

    fn spend_for(&mut self, error: &Error) {
        self.spent = Some(Spent::Failed { kind: error.kind(), message: error.to_string() });
    }
}

/// How an ending ends a guest, or the error that it is.
fn ended(ending: Ending) -> Result<ExitStatus> {
    match ending {
        Ending::Exit(code) => Ok(ExitStatus::Exited { code }),
        Ending::Trap(trap) => Ok(ExitStatus::Trapped { trap }),
        Ending::Limit(limit) => Ok(ExitStatus::LimitReached { limit }),
        Ending::Failed(error) => Err(error),
        _ => Err(Error::new(ErrorKind::Internal, "the guest ended in an unknown way")),
    }
}
