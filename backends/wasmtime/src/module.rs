//! [`WasmtimeModule`]: code that is ready, and making instances of it.

use crate::config::Place;
use crate::imports;
use crate::instance::{State, WasmtimeInstance};
use crate::interrupt;
use crate::stack;
use crate::trap;
use crate::walls::Walls;
use wasmrt_backend::MEMORY;
use wasmrt_model::backend::{Ending, HostFunctions, ImportedFunction, WasmInstance, WasmModule};
use wasmrt_model::limits::memory_bytes;
use wasmrt_model::{Error, ErrorKind, Limit, ModuleInfo};
use wasmtime::{Instance, Module, Store};

/// A module that wasmtime has compiled or mapped.
#[derive(Debug)]
pub(crate) struct WasmtimeModule {
    module: Module,
    place: Place,
    /// The most that the heap of garbage-collected objects may take.
    gc_heap_bytes: u64,
}

impl WasmtimeModule {
    pub(crate) fn new(module: Module, place: Place) -> Self {
        let gc_heap_bytes = match memory_bytes::DEFAULT {
            Limit::At(bytes) => bytes.0,
            Limit::Unlimited => u64::MAX,
        };
        Self { module, place, gc_heap_bytes }
    }
}

impl WasmModule for WasmtimeModule {
    fn instantiate(
        &self,
        info: &ModuleInfo,
        imports: &[ImportedFunction],
        host: Box<dyn HostFunctions>,
    ) -> Result<Box<dyn WasmInstance>, Ending> {
        stack::ensure(self.place.stack)?;
        let state = State::new(host, Walls::new(info, self.gc_heap_bytes));
        let mut store = Store::try_new(self.module.engine(), state).map_err(|error| {
            Error::new(ErrorKind::Internal, "wasmtime has no memory for another store").with_source(error)
        })?;
        store.limiter(|state| &mut state.walls);
        if self.place.interruptible {
            interrupt::heed(&mut store);
        }
        let functions = imports::functions(&mut store, imports)?;
        match Instance::new(&mut store, &self.module, &functions) {
            Ok(instance) => {
                // An import that is exported again is called by no instance, so host functions could not look it up themselves.
                store.data_mut().memory = Some(instance.get_memory(&mut store, MEMORY));
                Ok(Box::new(WasmtimeInstance::new(store, instance, self.place)))
            }
            Err(error) => Err(trap::ending(error, &mut store)),
        }
    }

    fn limit_gc_heap(&mut self, bytes: u64) -> bool {
        self.gc_heap_bytes = bytes;
        true
    }
}
