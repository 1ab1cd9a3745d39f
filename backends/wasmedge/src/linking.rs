//! WasmEdge as the specification's tests need it: modules that import from each other, values of every type, no host.
//!
//! Settings, features and the meaning of codes are those of [`WasmEdgeEngine`](crate::WasmEdgeEngine). Not for guests: there is no
//! sandbox here.

use crate::sys::{self, Library, Settings};
use crate::{config, trap};
use std::sync::Arc;
use wasmrt_model::backend::{Code, Ending};
use wasmrt_model::{Error, ErrorKind, Result};

pub use sys::linking::Value;

/// A module that was read and checked.
#[derive(Debug)]
pub struct Module(sys::Module);

/// Instances that can import from each other.
#[derive(Debug)]
pub struct World {
    library: &'static Library,
    world: sys::linking::World,
}

impl World {
    /// A world that interprets.
    ///
    /// # Errors
    /// `EngineUnavailable` when there is no library.
    pub fn interpreted() -> Result<Self> {
        Self::new(config::INTERPRETED, false)
    }

    /// A world that runs native code.
    ///
    /// # Errors
    /// `EngineUnavailable` when there is no library.
    pub fn native() -> Result<Self> {
        Self::new(config::COMPILED, true)
    }

    fn new(features: wasmrt_model::FeatureSet, native: bool) -> Result<Self> {
        let library = Library::load()?;
        let unavailable =
            || Error::new(ErrorKind::EngineUnavailable, "WasmEdge does not take the settings that it needs");
        let settings = Settings::new(library, &config::proposals(features), native).ok_or_else(unavailable)?;
        let world = sys::linking::World::new(Arc::new(settings)).map_err(|_| unavailable())?;
        Ok(Self { library, world })
    }

    /// Reads and checks a module. Native code must be what the engine compiled; it is executed.
    ///
    /// # Errors
    /// `InvalidModule` with WasmEdge's reason.
    pub fn load(&self, code: Code<'_>) -> Result<Module> {
        match code {
            Code::Wasm(bytes) => sys::Module::from_bytes(self.world.settings(), bytes),
            Code::Artifact(file) => sys::Module::from_artifact(self.world.settings(), file),
        }
        .map(Module)
        .map_err(|code| trap::error(self.library, code, ErrorKind::InvalidModule, "WasmEdge rejects the module"))
    }

    /// Instantiates a module that may import from these instances, by the names that they were instantiated with.
    ///
    /// # Errors
    /// A trap, or an error of kind `MissingImports` when the module cannot be linked.
    pub fn instantiate(&mut self, module: Module, name: Option<&str>, offers: &[usize]) -> Result<usize, Ending> {
        self.world.instantiate(module.0, name, offers).map_err(|code| trap::ending(self.library, code))
    }

    /// Calls an exported function. None when there is none of that name.
    pub fn call(&mut self, instance: usize, export: &str, args: &[Value]) -> Option<Result<Vec<Value>, Ending>> {
        let result = self.world.call(instance, export, args)?;
        Some(result.map_err(|code| trap::ending(self.library, code)))
    }

    /// The value of an exported global. None when there is none of that name.
    #[must_use]
    pub fn global(&self, instance: usize, export: &str) -> Option<Value> {
        self.world.global(instance, export)?.ok()
    }

    /// Sets an exported mutable global. False when there is none of that name and type.
    pub fn set_global(&mut self, instance: usize, export: &str, value: Value) -> bool {
        self.world.set_global(instance, export, value)
    }
}
