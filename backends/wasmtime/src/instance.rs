//! [`WasmtimeInstance`]: a running guest, its exports and what it uses.

use crate::config::Place;
use crate::imports::{number, number_type, wasm_value};
use crate::interrupt::{self, EpochInterrupter, Interruption};
use crate::stack;
use crate::trap;
use crate::typed::{Typed, typed};
use crate::walls::Walls;
use std::sync::Arc;
use wasmrt_backend::{PAGE_BYTES, check_arguments, does_not_cross, no_function};
use wasmrt_model::backend::{Ending, HostFunctions, Interrupter, WasmInstance};
use wasmrt_model::{Error, ErrorKind, Value, ValueType};
use wasmtime::{Func, Global, Instance, Memory, Mutability, Store, Val, ValType};

/// What a guest's store carries.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) host: Box<dyn HostFunctions>,
    /// The exported memory, once it was looked up; Some(None) when there is none.
    pub(crate) memory: Option<Option<Memory>>,
    /// What a host function ended the guest with, while wasmtime unwinds.
    pub(crate) ending: Option<Ending>,
    pub(crate) walls: Walls,
    /// Whether somebody wants the guest ended.
    pub(crate) interruption: Arc<Interruption>,
}

impl State {
    pub(crate) fn new(host: Box<dyn HostFunctions>, walls: Walls) -> Self {
        Self { host, memory: None, ending: None, walls, interruption: Arc::default() }
    }
}

/// An instance in a store of its own.
#[derive(Debug)]
pub(crate) struct WasmtimeInstance {
    store: Store<State>,
    instance: Instance,
    place: Place,
    /// Globals that were asked for: the meters, again and again.
    globals: Vec<KnownGlobal>,
    /// The export that was called last: embedders call the same one over and over.
    last: Option<Callee>,
    /// Arguments and results of the last call, kept to be used again.
    params: Vec<Val>,
    results: Vec<Val>,
}

/// An exported global that was found.
#[derive(Debug)]
struct KnownGlobal {
    export: String,
    global: Global,
    /// Its type, when it is a number that can be set.
    settable: Option<ValueType>,
}

/// An exported function that can be called from outside.
#[derive(Debug)]
struct Callee {
    export: String,
    func: Func,
    params: Vec<ValueType>,
    results: usize,
    /// The quick way to call it, if there is one.
    typed: Option<Typed>,
}

impl WasmtimeInstance {
    pub(crate) fn new(store: Store<State>, instance: Instance, place: Place) -> Self {
        Self { store, instance, place, globals: Vec::new(), last: None, params: Vec::new(), results: Vec::new() }
    }

    /// Where an exported global stands in the list, found first if need be.
    fn known_global(&mut self, export: &str) -> Option<usize> {
        if let Some(known) = self.globals.iter().position(|known| known.export == export) {
            return Some(known);
        }
        let global = self.instance.get_global(&mut self.store, export)?;
        let global_type = global.ty(&self.store);
        let settable =
            (global_type.mutability() == Mutability::Var).then(|| number_type(global_type.content())).flatten();
        self.globals.push(KnownGlobal { export: export.to_owned(), global, settable });
        Some(self.globals.len() - 1)
    }

    /// Finds an exported function whose values can cross.
    fn callee(&mut self, export: &str) -> Result<Callee, Error> {
        let func = self.instance.get_func(&mut self.store, export).ok_or_else(|| no_function(export))?;
        let signature = func.ty(&self.store);
        let numbers = |types: &mut dyn Iterator<Item = ValType>| types.map(|value| number_type(&value)).collect();
        let params: Option<Vec<_>> = numbers(&mut signature.params());
        let results: Option<Vec<_>> = numbers(&mut signature.results());
        let (Some(params), Some(results)) = (params, results) else { return Err(does_not_cross(export)) };
        let typed = typed(&func, &self.store, &params, &results);
        Ok(Callee { export: export.to_owned(), func, params, results: results.len(), typed })
    }
}

impl WasmInstance for WasmtimeInstance {
    fn call(&mut self, export: &str, args: &[Value]) -> Result<Vec<Value>, Ending> {
        let callee = match self.last.take() {
            Some(last) if last.export == export => last,
            _ => self.callee(export)?,
        };
        let callee = self.last.insert(callee);
        check_arguments(export, &callee.params, args)?;
        stack::ensure(self.place.stack)?;
        if self.place.interruptible && !interrupt::arm(&mut self.store) {
            return Err(Ending::Interrupted);
        }
        if let Some(typed) = &callee.typed {
            return match typed.call(&mut self.store, args) {
                Ok(result) => Ok(result.into_iter().collect()),
                Err(error) => Err(trap::ending(error, &mut self.store)),
            };
        }
        self.results.clear();
        self.results.resize(callee.results, Val::I32(0));
        self.params.clear();
        self.params.extend(args.iter().map(|arg| wasm_value(*arg)));
        match callee.func.call(&mut self.store, &self.params, &mut self.results) {
            Ok(()) => Ok(self.results.iter().filter_map(number).collect()),
            Err(error) => Err(trap::ending(error, &mut self.store)),
        }
    }

    /// The walls count memories that are not exported too; the heap of objects, which they count as well, says its own size.
    fn memory_pages(&mut self) -> u64 {
        let heap = u64::try_from(self.store.gc_heap_capacity()).unwrap_or(u64::MAX);
        self.store.data().walls.used_bytes().saturating_sub(heap).div_ceil(PAGE_BYTES)
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        let known = self.known_global(export)?;
        number(&self.globals.get(known)?.global.get(&mut self.store))
    }

    fn set_global(&mut self, export: &str, value: Value) -> bool {
        let Some(known) = self.known_global(export).and_then(|known| self.globals.get(known)) else {
            return false;
        };
        known.settable == Some(value.value_type()) && known.global.set(&mut self.store, wasm_value(value)).is_ok()
    }

    fn memory(&mut self, export: &str) -> Result<Option<&mut [u8]>, Error> {
        let memory = self.instance.get_memory(&mut self.store, export);
        Ok(memory.map(|memory| memory.data_mut(&mut self.store)))
    }

    fn interrupter(&mut self, _: Option<&str>) -> Result<Arc<dyn Interrupter>, Error> {
        if !self.place.interruptible {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this guest's code was compiled without checks for interruptions",
            ));
        }
        let engine = self.store.engine().clone();
        Ok(Arc::new(EpochInterrupter::new(engine, Arc::clone(&self.store.data().interruption))))
    }
}
