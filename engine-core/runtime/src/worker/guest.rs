//! Running a guest inside a worker: load, link, instantiate, call, account.

use super::confine::{Guest, Wall};
use super::report::Report;
use crate::gauge::Gauge;
use std::os::fd::AsFd;
use wasmrt_guard::{Exhausted, Meters};
use wasmrt_host::{Host, Refusals, Resources};
use wasmrt_model::backend::{Code, Ending, ImportedFunction, WasmEngine, WasmInstance};
use wasmrt_model::{
    Entry, Error, ErrorKind, ExitStatus, LimitKind, ModuleInfo, OsSandbox, RunPlan, Trap, TrapKind, Value,
};

/// Everything that a worker needs to run a guest; made before the fork.
pub(crate) struct GuestWork<'a> {
    pub(crate) engine: &'a dyn WasmEngine,
    pub(crate) code: Code<'a>,
    pub(crate) info: &'a ModuleInfo,
    pub(crate) meters: Option<&'a Meters>,
    pub(crate) imports: &'a [ImportedFunction],
    pub(crate) plan: &'a RunPlan,
    /// What its calls may use of a stack, on engines that make one for it.
    pub(crate) stack_bytes: u64,
    pub(crate) resources: Resources,
    /// Whether it has sockets, or may come to have some.
    pub(crate) sockets: bool,
    pub(crate) os_sandbox: OsSandbox,
}

/// What is called, with its arguments.
pub(crate) struct Call {
    export: String,
    args: Vec<Value>,
    /// Whether the module is a reactor that sets itself up in `_initialize` first; a command does that in `_start`.
    initialize: bool,
}

/// Finds the entry in the module and reads its arguments.
///
/// # Errors
/// `MissingExport` when the module does not have it, `InvalidInput` when the arguments do not fit its signature.
pub(crate) fn entry_call(entry: &Entry, info: &ModuleInfo) -> Result<Call, Error> {
    let (name, texts): (&str, &[String]) = match entry {
        Entry::Start => ("_start", &[]),
        Entry::Invoke { name, args } => (name, args),
        _ => return Err(Error::new(ErrorKind::Unsupported, "this kind of entry is not known here")),
    };
    let Some(signature) = info.exported_function(name) else {
        let offered: Vec<&str> = info
            .exports
            .iter()
            .filter(|export| matches!(export.extern_type, wasmrt_model::module::ExternType::Function(_)))
            .map(|export| export.name.as_str())
            .take(20)
            .collect();
        let offered = if offered.is_empty() { "no functions".to_owned() } else { offered.join(", ") };
        return Err(Error::new(ErrorKind::MissingExport, format!("the module exports no function '{name}'"))
            .with_hint(format!("it exports {offered}; call one of them with `entry`")));
    };
    if matches!(entry, Entry::Start) && !(signature.params.is_empty() && signature.results.is_empty()) {
        return Err(Error::new(ErrorKind::MissingExport, format!("'_start' is {signature}, not ()"))
            .with_hint("call it with `entry`"));
    }
    if texts.len() != signature.params.len() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("'{name}' is {signature} and takes {} arguments, not {}", signature.params.len(), texts.len()),
        ));
    }
    let args = signature
        .params
        .iter()
        .zip(texts)
        .map(|(value_type, text)| Value::parse(*value_type, text))
        .collect::<Result<_, _>>()?;
    let initialize =
        !matches!(entry, Entry::Start) && name != "_initialize" && info.exported_function("_initialize").is_some();
    Ok(Call { export: name.to_owned(), args, initialize })
}

/// Runs the guest to its end.
pub(crate) fn run(work: GuestWork<'_>, call: &Call) -> Report {
    let limits = work.plan.limits();
    let gauge = Gauge::new(work.meters, limits.fuel, limits.call_depth);
    let (mut instance, refusals) = match instantiate(work) {
        Ok(started) => started,
        Err(ending) => return Report::of(ending),
    };
    let ended = enter(instance.as_mut(), &gauge, call);
    let exhausted = gauge.exhausted(instance.as_mut());
    let mut report = match (exhausted, ended) {
        // An error of ours is told as it is, whatever the gauges say.
        (_, Err(Ending::Failed(error))) => Report::failed(&error),
        (Some(Exhausted::Fuel), _) => Report::of(Ending::Limit(LimitKind::Fuel)),
        (Some(Exhausted::CallDepth), ended) => {
            // The injected check traps, so the engine knows where.
            let backtrace = if let Err(Ending::Trap(trap)) = ended { trap.backtrace } else { Vec::new() };
            Report::of(Ending::Trap(Trap::new(TrapKind::StackOverflow).with_backtrace(backtrace)))
        }
        (None, Err(ending)) => Report::of(ending),
        (None, Ok(results)) => {
            let mut report = Report::ended(ExitStatus::Exited { code: 0 });
            report.results = results;
            report
        }
    };
    report.memory_pages = Some(instance.memory_pages());
    report.fuel = gauge.fuel_used(instance.as_mut());
    report.refusals = refusals.lines();
    report
}

fn instantiate(work: GuestWork<'_>) -> Result<(Box<dyn WasmInstance>, Refusals), Ending> {
    let GuestWork { engine, code, info, imports, plan, stack_bytes, resources, sockets, os_sandbox, .. } = work;
    engine.warm()?;
    let host = Host::new(plan, resources, imports)?;
    let artifact = match &code {
        Code::Artifact(file) => Some(file.as_fd()),
        Code::Wasm(_) => None,
    };
    Wall { preopens: plan.preopens(), artifact, guest: Guest::Module { sockets } }.before_code(os_sandbox)?;
    let mut module = engine.load(code)?;
    if engine.capabilities().own_stack && !module.reserve_stack(stack_bytes) {
        let engine = engine.capabilities().engine;
        let what =
            format!("{engine} cannot make a stack of {} MiB, which the limit call_depth needs", stack_bytes >> 20);
        return Err(Error::new(ErrorKind::Unsupported, what).with_hint("set a lower call_depth").into());
    }
    // A collected heap is memory of the guest too. Engines that cannot bound it do not collect, or stay below the worker's cap.
    module.limit_gc_heap(plan.limits().memory_bytes.bound().map_or(u64::MAX, |bytes| bytes.0));
    Wall::before_guest(os_sandbox)?;
    let refusals = host.refusals();
    Ok((module.instantiate(info, imports, Box::new(host))?, refusals))
}

/// What was the start section, then `_initialize` of a reactor, then the call.
fn enter(instance: &mut dyn WasmInstance, gauge: &Gauge<'_>, call: &Call) -> Result<Vec<Value>, Ending> {
    gauge.fill(instance)?;
    if let Some(start) = gauge.start() {
        gauge.allow_depth(instance)?;
        instance.call(start, &[])?;
    }
    if call.initialize {
        gauge.allow_depth(instance)?;
        instance.call("_initialize", &[])?;
    }
    gauge.allow_depth(instance)?;
    instance.call(&call.export, &call.args)
}
