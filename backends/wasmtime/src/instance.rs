//! [`WasmtimeInstance`]: a running guest, its exports and what it uses.

use crate::imports::{number, number_type, wasm_value};
use crate::stack;
use crate::trap;
use crate::walls::{PAGE_BYTES, Walls};
use wasmrt_model::backend::{Ending, HostFunctions, WasmInstance};
use wasmrt_model::{Error, ErrorKind, FunctionType, Value, ValueType};
use wasmtime::{Func, Instance, Memory, Mutability, Store, Val, ValType};

/// What a guest's store carries.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) host: Box<dyn HostFunctions>,
    /// The exported memory, once a host function has looked it up; Some(None) when there is none.
    pub(crate) memory: Option<Option<Memory>>,
    /// What a host function ended the guest with, while wasmtime unwinds.
    pub(crate) ending: Option<Ending>,
    pub(crate) walls: Walls,
}

impl State {
    pub(crate) fn new(host: Box<dyn HostFunctions>, walls: Walls) -> Self {
        Self { host, memory: None, ending: None, walls }
    }
}

/// An instance in a store of its own.
#[derive(Debug)]
pub(crate) struct WasmtimeInstance {
    store: Store<State>,
    instance: Instance,
    /// The export that was called last: embedders call the same one over and over.
    last: Option<Callee>,
    /// Results of the last call, kept to be used again.
    results: Vec<Val>,
}

/// An exported function that can be called from outside.
#[derive(Debug)]
struct Callee {
    export: String,
    func: Func,
    params: Vec<ValueType>,
    results: usize,
}

impl WasmtimeInstance {
    pub(crate) fn new(store: Store<State>, instance: Instance) -> Self {
        Self { store, instance, last: None, results: Vec::new() }
    }

    /// Finds an exported function whose values can cross.
    fn callee(&mut self, export: &str) -> Result<Callee, Error> {
        let invalid = |text: String| Error::new(ErrorKind::InvalidInput, text).with_operation("call export");
        let func = self
            .instance
            .get_func(&mut self.store, export)
            .ok_or_else(|| invalid(format!("the module exports no function '{export}'")))?;
        let signature = func.ty(&self.store);
        let numbers = |types: &mut dyn Iterator<Item = ValType>| types.map(|value| number_type(&value)).collect();
        let params: Option<Vec<_>> = numbers(&mut signature.params());
        let results: Option<Vec<_>> = numbers(&mut signature.results());
        match (params, results) {
            (Some(params), Some(results)) => {
                Ok(Callee { export: export.to_owned(), func, params, results: results.len() })
            }
            _ => Err(invalid(format!(
                "'{export}' takes or returns vectors or references, which do not cross to the host"
            ))),
        }
    }
}

fn check_arguments(callee: &Callee, args: &[Value]) -> Result<(), Error> {
    if callee.params.iter().copied().eq(args.iter().map(|arg| arg.value_type())) {
        return Ok(());
    }
    let given: Vec<_> = args.iter().map(|arg| arg.value_type()).collect();
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!(
            "'{}' takes {} and was given {}",
            callee.export,
            FunctionType::new(&callee.params, &[]),
            FunctionType::new(&given, &[])
        ),
    )
    .with_operation("call export"))
}

impl WasmInstance for WasmtimeInstance {
    fn call(&mut self, export: &str, args: &[Value]) -> Result<Vec<Value>, Ending> {
        let callee = match self.last.take() {
            Some(last) if last.export == export => last,
            _ => self.callee(export)?,
        };
        let callee = self.last.insert(callee);
        check_arguments(callee, args)?;
        stack::ensure(self.store.engine().get_max_wasm_stack())?;
        self.results.clear();
        self.results.resize(callee.results, Val::I32(0));
        let params: Vec<Val> = args.iter().map(|arg| wasm_value(*arg)).collect();
        match callee.func.call(&mut self.store, &params, &mut self.results) {
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
        let global = self.instance.get_global(&mut self.store, export)?;
        number(&global.get(&mut self.store))
    }

    fn set_global(&mut self, export: &str, value: Value) -> bool {
        let Some(global) = self.instance.get_global(&mut self.store, export) else {
            return false;
        };
        let global_type = global.ty(&self.store);
        global_type.mutability() == Mutability::Var
            && number_type(global_type.content()) == Some(value.value_type())
            && global.set(&mut self.store, wasm_value(value)).is_ok()
    }
}
