//! What a worker does for one guest, whoever makes the process that it becomes: a supervisor's fork, or a container's first process.

use crate::network::GuestNetwork;
use crate::process::SharedCounters;
use crate::ready::{Ready, ReadyCode};
use crate::streams::GuestStreams;
use crate::trust;
use crate::worker::component::{self, ComponentWork};
use crate::worker::confine;
use crate::worker::guest::{self, Call, GuestWork};
use crate::worker::report::Report;
use crate::worker::{GUEST_STACK_BYTES, WorkerSetup, above_standard_streams};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wasmrt_guard::Meters;
use wasmrt_host::{Counters, HostRoot, KernelFiles, Resources};
use wasmrt_model::backend::{Code, ImportedFunction, WasmEngine};
use wasmrt_model::component::{ComponentOptions, ComponentResources, UsageCounter};
use wasmrt_model::limits::call_depth;
use wasmrt_model::{Error, ModuleInfo, OsSandbox, Result, RunPlan, Tier};

/// What a worker may map beside the guest's memory and tables: engine, stacks, host, file buffers.
const RESERVE_BYTES: u64 = 256 << 20;
/// What an interpreter may map for each byte of a module: it keeps it as objects.
const INTERPRETED_BYTES_PER_BYTE: u64 = 48;
/// What a compiled module may map for each byte of its code.
const COMPILED_BYTES_PER_BYTE: u64 = 2;
/// What an engine keeps for each table element.
const BYTES_PER_TABLE_ELEMENT: u64 = 16;

/// A guest that is ready, as the process that runs it needs it.
pub(crate) struct GuestJob {
    pub(crate) engine: Arc<dyn WasmEngine>,
    pub(crate) tier: Tier,
    pub(crate) plan: RunPlan,
    pub(crate) info: ModuleInfo,
    meters: Option<Meters>,
    code: OwnedCode,
    code_bytes: u64,
    work: Work,
    /// Whether the root of the file system that it finds may be its own: a container's may.
    pub(crate) host_root: HostRoot,
}

/// What kind of guest it is, with what its kind needs.
enum Work {
    Module { imports: Vec<ImportedFunction>, call: Call },
    Component(ComponentOptions),
}

impl GuestJob {
    /// # Errors
    /// `MissingExport` and the like when the module cannot be called as planned.
    pub(crate) fn new(ready: Ready) -> Result<Self> {
        let Ready { engine, tier, plan, info, meters, code, component, compile_time: _, artifact: _ } = ready;
        let work = match component {
            Some(options) => Work::Component(options),
            None => Work::Module { imports: wasmrt_host::link(&info)?, call: guest::entry_call(plan.entry(), &info)? },
        };
        let (code, code_bytes) = owned_code(code)?;
        Ok(Self { engine, tier, plan, info, meters, code, code_bytes, work, host_root: HostRoot::Refuse })
    }

    /// What bounds its process, but for what depends on who makes it.
    pub(crate) fn setup(&self) -> WorkerSetup<'_> {
        let stack_bytes = stack_bytes(&self.plan);
        // A stack that the engine makes is private memory like any other; the worker's own is not counted as such.
        // Components run on stacks of wasmtime's, which are of a size that the reserve covers.
        let (thread_stack, own_stack) = match self.work {
            Work::Component(_) => (0, 0),
            Work::Module { .. } if self.engine.capabilities().own_stack => (0, stack_bytes),
            Work::Module { .. } => (stack_bytes, 0),
        };
        let memory_cap = memory_cap(&self.plan, self.tier, self.code_bytes);
        WorkerSetup {
            memory_bytes: memory_cap.map(|cap| cap.saturating_add(own_stack)),
            opens_files: !self.plan.preopens().is_empty(),
            open_files: descriptors_for(&self.plan),
            guest_stack_bytes: Some(thread_stack),
            cpu_time: self.plan.limits().cpu_time.bound().map(|span| span.0),
            ..WorkerSetup::default()
        }
    }

    /// What its process has to keep open.
    pub(crate) fn kept_descriptors<'a>(
        &'a self,
        streams: &'a GuestStreams,
        network: &'a GuestNetwork,
    ) -> Vec<BorrowedFd<'a>> {
        let mut keep: Vec<_> =
            [&streams.stdin, &streams.stdout, &streams.stderr].into_iter().flatten().map(AsFd::as_fd).collect();
        if let OwnedCode::Artifact(file) = &self.code {
            keep.push(file.as_fd());
        }
        keep.extend(network.descriptors());
        keep
    }

    /// In the worker: runs the guest to its end.
    pub(crate) fn carry_out(
        &self,
        streams: GuestStreams,
        network: &GuestNetwork,
        counters: &Arc<SharedCounters>,
        os_sandbox: OsSandbox,
    ) -> Report {
        let code = match &self.code {
            OwnedCode::Wasm(bytes) => Code::Wasm(bytes),
            OwnedCode::Artifact(file) => match file.try_clone() {
                Ok(file) => Code::Artifact(file),
                Err(source) => return Report::failed(&Error::io("cannot hold on to the artifact", source)),
            },
        };
        let counters = RunCounters(Arc::clone(counters));
        match &self.work {
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
                resources.host_root = self.host_root;
                let work = GuestWork {
                    engine: self.engine.as_ref(),
                    code,
                    info: &self.info,
                    meters: self.meters.as_ref(),
                    imports,
                    plan: &self.plan,
                    stack_bytes: stack_bytes(&self.plan),
                    resources,
                    sockets: network.is_open(),
                    os_sandbox,
                };
                guest::run(work, call)
            }
            Work::Component(options) => {
                let mut resources = ComponentResources::new(Arc::new(counters));
                resources.kernel_devices = match kernel_devices(&self.plan, self.host_root) {
                    Ok(devices) => devices,
                    Err(error) => return Report::failed(&error),
                };
                resources.stdin = streams.stdin;
                resources.stdout = streams.stdout;
                resources.stderr = streams.stderr;
                let given =
                    network.listeners_in_worker().and_then(|listeners| Ok((listeners, network.broker_in_worker()?)));
                (resources.listeners, resources.broker) = match given {
                    Ok(given) => given,
                    Err(error) => return Report::failed(&error),
                };
                resources.trust = trust::of_machine(self.plan.network(), &self.info);
                let work = ComponentWork {
                    guest: confine::Guest::Component { sockets: network.is_open() },
                    engine: self.engine.as_ref(),
                    code,
                    options: *options,
                    pool: None,
                    plan: &self.plan,
                    os_sandbox,
                };
                component::run(work, resources)
            }
        }
    }
}

/// What no directory of a component's grants, once it is clear that all of them can be given to it. Has to be asked before the wall is up.
///
/// # Errors
/// As [`wasmrt_host::check_directories`].
pub(crate) fn kernel_devices(plan: &RunPlan, host_root: HostRoot) -> Result<Vec<u64>> {
    if plan.preopens().is_empty() {
        return Ok(Vec::new());
    }
    let kernel_files = KernelFiles::find()?;
    wasmrt_host::check_directories(plan.preopens(), host_root, &kernel_files)?;
    Ok(kernel_files.devices().to_vec())
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

/// How many descriptors the guest may come to hold: its files, and each of its sockets, of which the host may have a second one.
fn descriptors_for(plan: &RunPlan) -> Option<u64> {
    let limits = plan.limits();
    let published = u64::try_from(plan.network().publish.len()).unwrap_or(u64::MAX);
    limits.open_files.bound().map(|files| files.0.saturating_add(published.saturating_mul(2)))
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
