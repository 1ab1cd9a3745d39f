//! Runs a guest on one engine and writes down all that can be seen from outside.

use crate::guest::Call;
use crate::host::{self, Host, Notes};
use std::hash::{DefaultHasher, Hasher};
use wasmrt_guard::{Exhausted, PreparedModule};
use wasmrt_model::backend::{Ending, ImportedFunction, WasmInstance, WasmModule};
use wasmrt_model::module::ExternType;
use wasmrt_model::{LimitKind, TrapKind, Value};

/// The fuel of each call: enough for most, and soon burnt by an interpreter.
pub(crate) const FUEL: i64 = 100_000;

/// The calls that may be nested.
pub(crate) const DEPTH: i64 = 2_000;

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Returned(Vec<Value>),
    Exited(u32),
    Trapped(TrapKind),
    Exhausted(Exhausted),
    Limit(LimitKind),
    Failed(String),
}

/// What could be seen after a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) end: End,
    /// What it used; None when that is not counted.
    pub(crate) fuel: Option<i64>,
    /// The calls of the host so far.
    pub(crate) host_calls: usize,
    /// Exported globals by name.
    pub(crate) globals: Vec<(String, u64)>,
    /// Exported memories by name: bytes and a hash of them.
    pub(crate) memories: Vec<(String, usize, u64)>,
    pub(crate) pages: u64,
}

/// All of a run. The first step is the start; it is the only one when that did not return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) steps: Vec<Step>,
    pub(crate) host: Vec<host::Call>,
}

/// A module that an engine has loaded.
#[derive(Debug)]
pub(crate) struct Loaded<'a> {
    pub(crate) module: Box<dyn WasmModule>,
    pub(crate) prepared: &'a PreparedModule,
    pub(crate) calls: &'a [Call],
    imports: Vec<ImportedFunction>,
}

/// Another limit for one step, after which the run ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) step: usize,
    pub(crate) fuel: i64,
    pub(crate) depth: i64,
}

impl<'a> Loaded<'a> {
    pub(crate) fn new(mut module: Box<dyn WasmModule>, prepared: &'a PreparedModule, calls: &'a [Call]) -> Self {
        module.limit_gc_heap(64 << 20);
        let imports = prepared.info().imports.iter().filter_map(|import| match &import.extern_type {
            ExternType::Function(signature) => Some(ImportedFunction {
                module: import.module.clone(),
                name: import.name.clone(),
                signature: signature.clone(),
            }),
            _ => None,
        });
        let imports = imports.collect();
        Self { module, prepared, calls, imports }
    }

    /// Starts the guest and makes its calls, with plenty but for one step.
    pub(crate) fn run(&self, budget: Option<Budget>) -> Trace {
        let notes = Notes::default();
        let mut steps = Vec::new();
        self.steps(budget, &notes, &mut steps);
        Trace { steps, host: notes.take() }
    }

    fn steps(&self, budget: Option<Budget>, notes: &Notes, steps: &mut Vec<Step>) {
        let host = Box::new(Host::new(&self.imports, notes.clone()));
        let mut instance = match self.module.instantiate(self.prepared.info(), &self.imports, host) {
            Ok(instance) => instance,
            Err(ending) => {
                steps.push(Step {
                    end: ended(ending),
                    fuel: None,
                    host_calls: notes.len(),
                    globals: Vec::new(),
                    memories: Vec::new(),
                    pages: 0,
                });
                return;
            }
        };
        let start = self.prepared.meters().and_then(wasmrt_guard::Meters::start);
        let none = Vec::new();
        let first = std::iter::once((start, &none));
        let calls = self.calls.iter().map(|call| (Some(call.export.as_str()), &call.args));
        for (index, (export, args)) in first.chain(calls).enumerate() {
            let here = budget.filter(|budget| budget.step == index);
            let step = self.step(instance.as_mut(), export, args, here, notes);
            let started = index > 0 || matches!(step.end, End::Returned(_));
            // Without meters there is no instance to look at when the start ends otherwise.
            let step =
                if started { step } else { Step { globals: Vec::new(), memories: Vec::new(), pages: 0, ..step } };
            let go_on = here.is_none() && started;
            steps.push(step);
            if !go_on {
                return;
            }
        }
    }

    /// One call, or only a look when there is nothing to call.
    fn step(
        &self,
        instance: &mut dyn WasmInstance,
        export: Option<&str>,
        args: &[Value],
        budget: Option<Budget>,
        notes: &Notes,
    ) -> Step {
        let (fuel, depth) = budget.map_or((FUEL, DEPTH), |budget| (budget.fuel, budget.depth));
        let meters = self.prepared.meters();
        let mut set =
            |meter: Option<&str>, value: i64| meter.is_none_or(|meter| instance.set_global(meter, Value::I64(value)));
        let is_set = meters.is_none_or(|meters| {
            set(meters.fuel(), fuel) && set(meters.depth(), depth) && set(meters.interruption(), 0)
        });
        let mut end = match export {
            _ if !is_set => End::Failed("a meter cannot be set".to_owned()),
            None => End::Returned(Vec::new()),
            Some(export) => match instance.call(export, args) {
                Ok(results) => End::Returned(results),
                Err(ending) => ended(ending),
            },
        };
        let mut used = None;
        if let Some(meters) = meters {
            let mut read = |meter: Option<&str>| match instance.global(meter?) {
                Some(Value::I64(left)) => Some(left),
                _ => None,
            };
            let (fuel_left, depth_left) = (read(meters.fuel()), read(meters.depth()));
            used = fuel_left.map(|left| fuel - left);
            if let Some(exhausted) = meters.exhausted(fuel_left, depth_left) {
                end = End::Exhausted(exhausted);
            }
        }
        let mut step = Step {
            end,
            fuel: used,
            host_calls: notes.len(),
            globals: Vec::new(),
            memories: Vec::new(),
            pages: instance.memory_pages(),
        };
        for export in &self.prepared.info().exports {
            match export.extern_type {
                ExternType::Global { .. } => {
                    if let Some(value) = instance.global(&export.name) {
                        step.globals.push((export.name.clone(), value.to_bits()));
                    }
                }
                ExternType::Memory(_) => match instance.memory(&export.name) {
                    Ok(Some(bytes)) => {
                        let mut hasher = DefaultHasher::new();
                        hasher.write(bytes);
                        step.memories.push((export.name.clone(), bytes.len(), hasher.finish()));
                    }
                    Ok(None) => step.end = End::Failed(format!("there is no memory '{}'", export.name)),
                    Err(error) => step.end = End::Failed(error.to_string()),
                },
                _ => {}
            }
        }
        step
    }
}

fn ended(ending: Ending) -> End {
    match ending {
        Ending::Exit(code) => End::Exited(code),
        Ending::Trap(trap) => End::Trapped(trap.kind),
        Ending::Limit(limit) => End::Limit(limit),
        Ending::Interrupted => End::Failed("interrupted".to_owned()),
        Ending::Failed(error) => End::Failed(format!("{error:?}")),
        other => End::Failed(format!("{other:?}")),
    }
}
