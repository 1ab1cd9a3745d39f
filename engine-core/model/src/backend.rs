//! What an engine has to do: bytes in, execution out. Everything else (limits, WASI, processes, caches) is ours.
//!
//! A backend implements [`WasmEngine`], [`WasmModule`] and [`WasmInstance`]. It gets bytes that the guard has prepared, and
//! host functions that it calls by number; it holds no policy.

use crate::component::{ComponentOptions, Pool, WasmComponent};
use crate::{Capabilities, Error, ErrorKind, FunctionType, LimitKind, ModuleInfo, Result, RunPlan, Tier, Trap, Value};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// How native code is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CompileOptions {
    /// The tier: [`Tier::Baseline`] or [`Tier::Optimized`].
    pub tier: Tier,
    /// 0 to 3; None means the tier's usual level.
    pub optimize: Option<u8>,
}

/// The code of a module, as an engine is given it.
#[derive(Debug)]
pub enum Code<'a> {
    /// Prepared WebAssembly: to be interpreted, or, by an engine without an interpreter, compiled in place.
    Wasm(&'a [u8]),
    /// Native code that this engine made earlier with [`WasmEngine::compile`].
    ///
    /// Contract: the caller has checked, on this very descriptor, that the content is what the engine wrote. Engines execute it.
    Artifact(File),
}

/// An engine that is loaded and ready. Cheap to share; creating one may not start threads.
pub trait WasmEngine: Debug + Send + Sync {
    /// What it can do, in the version that was found.
    fn capabilities(&self) -> &Capabilities;

    /// Everything that changes the native code it would make: version, target CPU, every flag. Part of the cache key.
    fn fingerprint(&self, options: CompileOptions) -> String;

    /// What lets a later process know this engine without loading it. Only the same backend understands it, and believes it only
    /// while everything that it depends on is the same.
    fn told(&self) -> Option<String> {
        None
    }

    /// Loads what has not been loaded yet, so that nothing of the machine has to be looked for later.
    ///
    /// # Errors
    /// `EngineUnavailable` when it is not there any more.
    fn warm(&self) -> Result<()> {
        Ok(())
    }

    /// Makes native code from prepared bytes and writes it to `output`, which does not exist yet.
    ///
    /// Runs in a process of its own that may be killed at any time, where it may use threads; for guests in the caller's process also
    /// in that, by an engine that was made for them and leaves none behind.
    ///
    /// # Errors
    /// `Unsupported` when the engine does not have the tier or level, `CompileFailed` with the engine's reason otherwise.
    fn compile(&self, module: &[u8], options: CompileOptions, output: &Path) -> Result<()>;

    /// Reads code so that it can be instantiated.
    ///
    /// # Errors
    /// `InvalidModule` when the engine rejects what the guard let through (a defect on our side, worth a report), `Internal` otherwise.
    fn load(&self, code: Code<'_>) -> Result<Box<dyn WasmModule>>;

    /// Everything that changes the native code it would make of components. Part of the cache key.
    fn component_fingerprint(&self, options: ComponentOptions) -> String {
        format!("no components, {options:?}")
    }

    /// Refuses, by name, what the plan asks for and cannot hold for components. Asked before anything is compiled.
    ///
    /// # Errors
    /// `Unsupported` with the control and what would work.
    fn check_component(&self, plan: &RunPlan, info: &ModuleInfo) -> Result<()> {
        let _ = (plan, info);
        Err(no_components())
    }

    /// Makes native code from a prepared component, as [`compile`](Self::compile) does from a module.
    ///
    /// # Errors
    /// `Unsupported` when the engine runs no components or does not have the tier or level, `CompileFailed` otherwise.
    fn compile_component(&self, component: &[u8], options: ComponentOptions, output: &Path) -> Result<()> {
        let _ = (component, options, output);
        Err(no_components())
    }

    /// What a component's host needs of the system and could not have any more once it may open nothing.
    ///
    /// # Errors
    /// The system's.
    fn prepare_for_components(&self) -> Result<()> {
        Ok(())
    }

    /// Reads code so that it can be run. `options` are those that an artifact was made with; `pool` is for code that many instances are
    /// made of.
    ///
    /// # Errors
    /// As [`load`](Self::load); `Unsupported` when the engine runs no components.
    fn load_component(
        &self,
        code: Code<'_>,
        options: ComponentOptions,
        pool: Option<Pool>,
    ) -> Result<Box<dyn WasmComponent>> {
        let _ = (code, options, pool);
        Err(no_components())
    }
}

fn no_components() -> Error {
    Error::new(ErrorKind::Unsupported, "this engine runs no components").with_hint("the engine wasmtime does")
}

/// A module that can be instantiated many times.
pub trait WasmModule: Debug + Send + Sync {
    /// Makes an instance and runs its start section.
    ///
    /// `imports` are the module's function imports in its own order, one signature each; the host is called with their
    /// index. Nothing but functions is imported. `info` is what the guard knows of the prepared module.
    ///
    /// # Errors
    /// How the start section ended the guest, or an error of ours.
    fn instantiate(
        &self,
        info: &ModuleInfo,
        imports: &[ImportedFunction],
        host: Box<dyn HostFunctions>,
    ) -> Result<Box<dyn WasmInstance>, Ending>;

    /// Gives instances made from now on stacks for guest functions of this many bytes. False when guests run on their thread's stack,
    /// as they do on engines without [`own_stack`](Capabilities::own_stack).
    fn reserve_stack(&mut self, bytes: u64) -> bool {
        let _ = bytes;
        false
    }

    /// Bounds the heap that garbage-collected objects of instances made from now on live in, in bytes. A guest that outgrows it
    /// ends with [`LimitKind::Memory`].
    ///
    /// False when the engine has such a heap and cannot bound it: then only the worker's hard cap does.
    fn limit_gc_heap(&mut self, bytes: u64) -> bool {
        let _ = bytes;
        false
    }
}

/// A function that a module imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedFunction {
    /// The module part of its name.
    pub module: String,
    /// The field part of its name.
    pub name: String,
    /// Its signature; no vectors and no references.
    pub signature: FunctionType,
}

/// A running guest. Used from one thread at a time, not always the same one.
pub trait WasmInstance: Debug + Send {
    /// Calls an exported function.
    ///
    /// # Errors
    /// How the call ended the guest; `InvalidInput` inside [`Ending::Failed`] when the export or the arguments do not fit.
    fn call(&mut self, export: &str, args: &[Value]) -> Result<Vec<Value>, Ending>;

    /// 64 KiB pages over all of the instance's own memories.
    fn memory_pages(&mut self) -> u64;

    /// The value of an exported global of a number type.
    fn global(&mut self, export: &str) -> Option<Value>;

    /// Sets an exported mutable global of a number type. False when there is none of that name and type.
    fn set_global(&mut self, export: &str, value: Value) -> bool;

    /// The bytes of an exported memory as it is now. None when there is none of that name.
    ///
    /// # Errors
    /// `Unsupported` when the engine does not show memories to callers.
    fn memory(&mut self, export: &str) -> Result<Option<&mut [u8]>> {
        let _ = export;
        Err(Error::new(ErrorKind::Unsupported, "this engine does not show a guest's memory to its caller"))
    }

    /// What ends calls of this instance from other threads. Asked for once at most, and before the call that it is to end.
    ///
    /// `global` is the exported global of type i64 that the guest's code looks at, for engines that need it
    /// ([`interrupted_by_global`](Capabilities::interrupted_by_global)): it ends by a trap where that is not 0.
    ///
    /// # Errors
    /// `Unsupported` when the engine cannot be interrupted, `Internal` when the machine does not give what that takes.
    fn interrupter(&mut self, global: Option<&str>) -> Result<Arc<dyn Interrupter>> {
        let _ = global;
        Err(Error::new(ErrorKind::Unsupported, "this engine cannot end a running call"))
    }
}

/// Ends a guest that is computing, from any thread. May outlive its instance, and then does nothing.
pub trait Interrupter: Debug + Send + Sync {
    /// The call that is under way ends with [`Ending::Interrupted`] soon: at the guest's next loop iteration or call. Without one, the
    /// next call may end so. A guest that waits in a host function is the host's to wake.
    fn interrupt(&self);
}

/// The host's side of a running guest.
pub trait HostFunctions: Debug + Send {
    /// Carries out the call of an imported function.
    ///
    /// `memory` is the guest's exported memory named `memory`, or empty. `args` and `results` are bit patterns, 32-bit values
    /// zero-extended, in the number and order of the signature. A backend must not let a panic cross the engine's frames.
    ///
    /// # Errors
    /// How the call ended the guest.
    fn call(&mut self, import: usize, memory: &mut [u8], args: &[u64], results: &mut [u64]) -> Result<(), Ending>;
}

/// Why a guest does not go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ending {
    /// proc_exit, with all 32 bits.
    Exit(u32),
    /// It did what WebAssembly, or a host function, forbids.
    Trap(Trap),
    /// It ran into a limit that ends guests.
    Limit(LimitKind),
    /// An [`Interrupter`] was used.
    Interrupted,
    /// We failed, not the guest.
    Failed(Error),
}

impl From<Error> for Ending {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Trap> for Ending {
    fn from(trap: Trap) -> Self {
        Self::Trap(trap)
    }
}
