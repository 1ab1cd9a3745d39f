//! [`WasmerInstance`]: a running guest, its exports and what it uses.

use crate::imports::{State, exported_memory, number, number_type, wasm_value};
use crate::interrupt;
use crate::sys::{Flag, Room};
use crate::trap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wasmer::{Function, FunctionEnv, Global, Instance, Mutability, Type};
use wasmrt_backend::{PAGE_BYTES, check_arguments, does_not_cross, no_function};
use wasmrt_model::backend::{Ending, Interrupter, WasmInstance};
use wasmrt_model::{Error, ErrorKind, Value, ValueType};

/// An instance in a store of its own.
#[derive(Debug)]
pub(crate) struct WasmerInstance {
    room: Room,
    instance: Instance,
    env: FunctionEnv<State>,
    /// How it can be interrupted, once somebody has asked.
    flag: Option<Arc<Flag>>,
    /// The export that was called last: embedders call the same one over and over.
    last: Option<Callee>,
}

/// An exported function that can be called from outside.
#[derive(Debug)]
struct Callee {
    export: String,
    function: Function,
    params: Vec<ValueType>,
}

impl WasmerInstance {
    pub(crate) fn new(room: Room, instance: Instance, env: FunctionEnv<State>) -> Self {
        Self { room, instance, env, flag: None, last: None }
    }

    /// Finds an exported function whose values can cross.
    fn callee(&mut self, export: &str) -> Result<Callee, Error> {
        let function = self.instance.exports.get_function(export).map_err(|_| no_function(export))?.clone();
        let signature = function.ty(self.room.store());
        let numbers = |types: &[Type]| types.iter().map(number_type).collect::<Option<Vec<_>>>();
        let (Some(params), Some(_)) = (numbers(signature.params()), numbers(signature.results())) else {
            return Err(does_not_cross(export));
        };
        Ok(Callee { export: export.to_owned(), function, params })
    }

    fn exported_global(&self, export: &str) -> Option<Global> {
        self.instance.exports.get_global(export).ok().cloned()
    }
}

impl WasmInstance for WasmerInstance {
    fn call(&mut self, export: &str, args: &[Value]) -> Result<Vec<Value>, Ending> {
        let callee = match self.last.take() {
            Some(last) if last.export == export => last,
            _ => self.callee(export)?,
        };
        let callee = self.last.insert(callee);
        check_arguments(export, &callee.params, args)?;
        let params: Vec<wasmer::Value> = args.iter().map(|arg| wasm_value(*arg)).collect();
        let store = self.room.store();
        // wasmer panics where it cannot map a stack.
        match catch_unwind(AssertUnwindSafe(|| callee.function.call(store, &params))) {
            Ok(Ok(results)) => Ok(results.iter().filter_map(number).collect()),
            Ok(Err(error)) => {
                let ending = trap::ending(error, self.env.as_mut(self.room.store()));
                Err(interrupt::seen_with(self.flag.as_deref(), ending))
            }
            Err(panic) => Err(trap::panicked(ErrorKind::Internal, "call export", &*panic).into()),
        }
    }

    fn memory_pages(&mut self) -> u64 {
        self.room.memory_bytes() / PAGE_BYTES
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        number(&self.exported_global(export)?.get(self.room.store()))
    }

    fn set_global(&mut self, export: &str, value: Value) -> bool {
        let Some(global) = self.exported_global(export) else {
            return false;
        };
        let store = self.room.store();
        let global_type = global.ty(store);
        global_type.mutability == Mutability::Var
            && number_type(&global_type.ty) == Some(value.value_type())
            && global.set(store, wasm_value(value)).is_ok()
    }

    fn memory(&mut self, export: &str) -> Result<Option<&mut [u8]>, Error> {
        let index = exported_memory(self.instance.module(), export);
        Ok(index.and_then(|index| self.room.memory(index)))
    }

    fn interrupter(&mut self, global: Option<&str>) -> Result<Arc<dyn Interrupter>, Error> {
        let global = global.and_then(|export| self.exported_global(export));
        self.flag = global.and_then(|global| self.room.flag(&global));
        match &self.flag {
            Some(flag) => Ok(Arc::clone(flag) as Arc<dyn Interrupter>),
            None => Err(Error::new(
                ErrorKind::Unsupported,
                "this guest's code was prepared without checks for interruptions",
            )),
        }
    }
}
