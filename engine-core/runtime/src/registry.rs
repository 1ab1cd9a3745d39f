//! The engines of this build by name, loaded when they are first asked for.

#[cfg(any(feature = "wasmtime", feature = "wasmer"))]
use crate::worker::GUEST_STACK_BYTES;
use std::cell::OnceCell;
use std::sync::Arc;
use wasmrt_model::backend::WasmEngine;
use wasmrt_model::{Capabilities, EngineName, Error, ErrorKind, Result};

/// Loads an engine, or says why it cannot be had.
type Load = fn() -> Result<Arc<dyn WasmEngine>>;

/// One engine of this build.
struct Slot {
    name: EngineName,
    load: Load,
    loaded: OnceCell<Arc<dyn WasmEngine>>,
}

/// The engines of this build, best first.
pub(crate) struct Registry {
    slots: Vec<Slot>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.slots.iter().map(|slot| slot.name)).finish()
    }
}

/// An engine as it was found on this machine.
#[derive(Debug)]
#[non_exhaustive]
pub struct EngineStatus {
    /// Its name.
    pub name: EngineName,
    /// What it can do, or why it cannot be had.
    pub capabilities: Result<Capabilities>,
}

impl Registry {
    /// Every engine that this build has a backend for.
    pub(crate) fn of_this_build() -> Self {
        let loads: &[(EngineName, Load)] = &[
            #[cfg(feature = "wasmedge")]
            (EngineName::WasmEdge, || Ok(Arc::new(wasmrt_wasmedge::WasmEdgeEngine::load()?))),
            #[cfg(feature = "wasmtime")]
            (EngineName::Wasmtime, || {
                Ok(Arc::new(wasmrt_wasmtime::WasmtimeEngine::with_wasm_stack(GUEST_STACK_BYTES)?))
            }),
            #[cfg(feature = "wasmer")]
            (EngineName::Wasmer, || Ok(Arc::new(wasmrt_wasmer::WasmerEngine::with_stack(GUEST_STACK_BYTES)?))),
        ];
        let slot = |(name, load): &(EngineName, Load)| Slot { name: *name, load: *load, loaded: OnceCell::new() };
        Self { slots: loads.iter().map(slot).collect() }
    }

    /// The engines that there are backends for, best first.
    pub(crate) fn names(&self) -> impl Iterator<Item = EngineName> {
        self.slots.iter().map(|slot| slot.name)
    }

    /// The engine, loaded.
    ///
    /// # Errors
    /// `EngineUnavailable` when this build has no backend for it, or the machine does not have it.
    pub(crate) fn get(&self, name: EngineName) -> Result<Arc<dyn WasmEngine>> {
        let slot = self.slots.iter().find(|slot| slot.name == name).ok_or_else(|| {
            Error::new(ErrorKind::EngineUnavailable, format!("this build has no backend for {name}"))
                .with_hint(format!("build it with the feature '{name}'"))
        })?;
        if let Some(engine) = slot.loaded.get() {
            return Ok(Arc::clone(engine));
        }
        let engine = (slot.load)()?;
        Ok(Arc::clone(slot.loaded.get_or_init(|| engine)))
    }

    /// What there is of every engine, backend or not.
    pub(crate) fn statuses(&self) -> Vec<EngineStatus> {
        let status =
            |name| EngineStatus { name, capabilities: self.get(name).map(|engine| engine.capabilities().clone()) };
        EngineName::ALL.iter().copied().map(status).collect()
    }
}
