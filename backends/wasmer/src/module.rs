//! [`WasmerModule`]: code that is ready, and making instances of it.

use crate::imports::{self, State};
use crate::instance::WasmerInstance;
use crate::sys::Room;
use crate::trap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wasmer::{Engine, FunctionEnv, Instance, Module};
use wasmrt_model::backend::{Ending, HostFunctions, ImportedFunction, WasmInstance, WasmModule};
use wasmrt_model::{ErrorKind, ModuleInfo};

/// What of a stack is not for guest functions: the entry, and what wasmer itself does on a guest's stack.
const STACK_RESERVE: usize = 1 << 20;

/// A module that wasmer has compiled or loaded.
#[derive(Debug)]
pub(crate) struct WasmerModule {
    engine: Engine,
    module: Module,
    stack_bytes: usize,
}

impl WasmerModule {
    pub(crate) fn new(engine: Engine, module: Module, stack_bytes: usize) -> Self {
        Self { engine, module, stack_bytes }
    }
}

impl WasmModule for WasmerModule {
    fn instantiate(
        &self,
        _: &ModuleInfo,
        imports: &[ImportedFunction],
        host: Box<dyn HostFunctions>,
    ) -> Result<Box<dyn WasmInstance>, Ending> {
        let mut room = Room::new(&self.engine, self.stack_bytes.saturating_add(STACK_RESERVE));
        let memories = room.memories();
        let state = State::new(host, memories, imports::host_memory(&self.module));
        let env = FunctionEnv::new(room.store(), state);
        let functions = imports::functions(room.store(), &env, imports)?;
        // wasmer panics where it cannot map a stack.
        let made = catch_unwind(AssertUnwindSafe(|| {
            Instance::new_by_index(room.store(), &self.module, &functions).map_err(Box::new)
        }));
        match made {
            Ok(Ok(instance)) => Ok(Box::new(WasmerInstance::new(room, instance, env))),
            Ok(Err(error)) => Err(trap::instantiation_ending(*error, env.as_mut(room.store()))),
            Err(panic) => Err(trap::panicked(ErrorKind::Internal, "instantiate", &*panic).into()),
        }
    }

    fn reserve_stack(&mut self, bytes: u64) -> bool {
        match usize::try_from(bytes) {
            Ok(bytes) if can_be_had(bytes.saturating_add(STACK_RESERVE)) => {
                self.stack_bytes = bytes;
                true
            }
            _ => false,
        }
    }
}

/// Whether the process can map this much private memory now. Nothing of it is touched.
fn can_be_had(bytes: usize) -> bool {
    let mut tried: Vec<u8> = Vec::new();
    // Looked at, so that the compiler does not take an allocation that nobody uses for one that succeeds.
    std::hint::black_box(&mut tried).try_reserve_exact(bytes).is_ok()
        && std::hint::black_box(&tried).capacity() >= bytes
}
