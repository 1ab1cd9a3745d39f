//! Runs modules on an engine, with a host that notes how much fuel the guest has at each of its calls.

use super::reference;
use std::cell::Cell;
use wasmtime::{
    Config, Engine, Error, ExternType, Func, FuncType, Global, Instance, Module, Store, Trap, Val, ValType,
};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// With these results.
    Returned(Vec<String>),
    /// The host ended it.
    Exited,
    /// By an exception that nobody caught.
    Threw,
    /// By a trap.
    Trapped(Trap),
}

/// What was seen of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) end: End,
    /// The counter at each call of the host: fuel left, or spent.
    pub(super) at_calls: Vec<i64>,
    /// The counter at the end.
    pub(super) counter: i64,
    /// What the depth meter says at the end.
    pub(super) depth: i64,
    /// All of the guest's memory and globals, hashed.
    pub(super) state: u64,
}

/// What is run, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    #[allow(dead_code, reason = "kept beside the run, to be shown when it fails")]
    pub(super) module: &'a [u8],
    pub(super) export: &'a str,
    /// The exported counter and where it starts; the reference's own counter if None.
    pub(super) fuel: Option<(&'a str, i64)>,
    pub(super) depth: Option<(&'a str, i64)>,
    pub(super) start: Option<&'a str>,
    /// The host ends the guest at this call.
    pub(super) exit_at: usize,
}

#[derive(Debug)]
struct Host {
    counter: Option<Global>,
    at_calls: Vec<i64>,
    exit_at: usize,
}

#[derive(Debug)]
struct Exit;

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("exit")
    }
}

impl std::error::Error for Exit {}

thread_local! {
    static ENGINE: Engine = {
        let mut config = Config::new();
        config.wasm_tail_call(true).wasm_gc(true).wasm_function_references(true).wasm_exceptions(true);
        config.wasm_memory64(true).wasm_multi_memory(true).wasm_wide_arithmetic(true).wasm_custom_page_sizes(true);
        config.wasm_relaxed_simd(true).relaxed_simd_deterministic(true).cranelift_nan_canonicalization(true);
        config.cranelift_opt_level(wasmtime::OptLevel::None).memory_reservation(1 << 20).memory_guard_size(0);
        config.max_wasm_stack(512 << 10);
        // A second line behind the meters: no test runs away.
        config.epoch_interruption(true);
        Engine::new(&config).unwrap()
    };
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Ends what runs on this thread's engine for too long. Only there to make a failing test fail rather than hang.
fn watch(engine: &Engine) {
    if !WATCHED.replace(true) {
        let engine = engine.weak();
        std::thread::spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        });
    }
}

/// A module made ready for this thread's engine.
pub(super) fn compile(bytes: &[u8]) -> Module {
    ENGINE.with(|engine| Module::new(engine, bytes).unwrap())
}

/// Runs an export with arguments that are all 0 or null. None when the module cannot be instantiated.
pub(super) fn run(module: &Module, run: &Run<'_>) -> Option<Seen> {
    ENGINE.with(watch);
    let engine = module.engine();
    let mut store = Store::new(engine, Host { counter: None, at_calls: Vec::new(), exit_at: run.exit_at });
    store.set_epoch_deadline(200);
    let mut imports = Vec::new();
    for import in module.imports() {
        let ExternType::Func(signature) = import.ty() else { return None };
        imports.push(host_function(&mut store, signature).into());
    }
    let instance = Instance::new(&mut store, module, &imports).ok()?;
    let (name, start) = run.fuel.unwrap_or((reference::SPENT, 0));
    let counter = instance.get_global(&mut store, name).unwrap();
    counter.set(&mut store, Val::I64(start)).unwrap();
    store.data_mut().counter = Some(counter);
    let depth = instance.get_global(&mut store, run.depth.map_or(reference::DEPTH, |depth| depth.0));
    let mut end = End::Returned(Vec::new());
    for export in run.start.into_iter().chain([run.export]) {
        if let (Some(depth), Some((_, limit))) = (depth, run.depth) {
            depth.set(&mut store, Val::I64(limit)).unwrap();
        }
        end = call(&mut store, &instance, export)?;
        if !matches!(end, End::Returned(_)) {
            break;
        }
    }
    let seen = Seen {
        end,
        at_calls: std::mem::take(&mut store.data_mut().at_calls),
        counter: counter.get(&mut store).unwrap_i64(),
        depth: depth.map_or(0, |depth| depth.get(&mut store).unwrap_i64()),
        state: state(&mut store, &instance),
    };
    Some(seen)
}

fn call(store: &mut Store<Host>, instance: &Instance, export: &str) -> Option<End> {
    let function = instance.get_func(&mut *store, export)?;
    let signature = function.ty(&mut *store);
    let arguments: Vec<Val> = signature.params().map(|value| default(&value)).collect::<Option<_>>()?;
    let mut results: Vec<Val> = signature.results().map(|_| Val::I32(0)).collect();
    Some(match function.call(&mut *store, &arguments, &mut results) {
        Ok(()) => End::Returned(results.iter().map(show).collect()),
        Err(error) if error.is::<Exit>() => End::Exited,
        Err(error) => match error.downcast_ref::<Trap>() {
            Some(trap) => End::Trapped(*trap),
            None => {
                assert!(error.is::<wasmtime::ThrownException>(), "{error:?}");
                End::Threw
            }
        },
    })
}

fn host_function(store: &mut Store<Host>, signature: FuncType) -> Func {
    let results: Vec<ValType> = signature.results().collect();
    Func::new(store, signature, move |mut caller, _, values| {
        let counter = caller.data().counter;
        if let Some(counter) = counter {
            let now = counter.get(&mut caller).unwrap_i64();
            caller.data_mut().at_calls.push(now);
        }
        if caller.data().at_calls.len() > caller.data().exit_at {
            return Err(Error::new(Exit));
        }
        for (value, value_type) in values.iter_mut().zip(&results) {
            *value = default(value_type).ok_or_else(|| Error::new(Exit))?;
        }
        Ok(())
    })
}

fn default(value_type: &ValType) -> Option<Val> {
    Val::default_for_ty(value_type)
}

/// References are not the same from store to store.
fn show(value: &Val) -> String {
    match value {
        Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_) | Val::V128(_) => format!("{value:?}"),
        Val::FuncRef(reference) => format!("func {}", reference.is_some()),
        Val::ExternRef(reference) => format!("extern {}", reference.is_some()),
        Val::AnyRef(reference) => format!("any {}", reference.is_some()),
        _ => "other".to_owned(),
    }
}

/// The guest's exported memories and globals, as far as it exports them, without the meters.
fn state(store: &mut Store<Host>, instance: &Instance) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let names: Vec<String> = instance.exports(&mut *store).map(|export| export.name().to_owned()).collect();
    let mut hasher = DefaultHasher::new();
    for name in names.iter().filter(|name| !name.starts_with("wasmrt:") && !name.starts_with("reference:")) {
        if let Some(memory) = instance.get_memory(&mut *store, name) {
            memory.data(&*store).hash(&mut hasher);
        } else if let Some(global) = instance.get_global(&mut *store, name) {
            show(&global.get(&mut *store)).hash(&mut hasher);
        }
    }
    hasher.finish()
}
