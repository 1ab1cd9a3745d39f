//! The engines of this build by name, loaded when they are first asked for.

use crate::cache::ArtifactCache;
#[cfg(any(feature = "wasmtime", feature = "wasmer"))]
use crate::worker::GUEST_STACK_BYTES;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::sync::{Arc, OnceLock};
use wasmrt_model::backend::WasmEngine;
use wasmrt_model::{Capabilities, EngineName, Error, ErrorKind, Result};

/// Loads an engine, or says why it cannot be had. What an earlier process told of it may stand in for loading it.
type Load = fn(Option<&str>) -> Result<Arc<dyn WasmEngine>>;

/// One engine of this build.
struct Slot {
    name: EngineName,
    load: Load,
    told: OnceLock<String>,
    loaded: OnceLock<Arc<dyn WasmEngine>>,
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

/// `name`, and `capabilities` or `error`.
impl Serialize for EngineStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut status = serializer.serialize_struct("EngineStatus", 2)?;
        status.serialize_field("name", &self.name)?;
        match &self.capabilities {
            Ok(capabilities) => status.serialize_field("capabilities", capabilities)?,
            Err(error) => status.serialize_field("error", error)?,
        }
        status.end()
    }
}

impl Registry {
    /// Every engine that this build has a backend for.
    pub(crate) fn of_this_build() -> Self {
        Self::of(&[
            #[cfg(feature = "wasmedge")]
            (EngineName::WasmEdge, |told| {
                use wasmrt_wasmedge::WasmEdgeEngine;
                Ok(Arc::new(match told.and_then(WasmEdgeEngine::recall) {
                    Some(engine) => engine,
                    None => WasmEdgeEngine::load()?,
                }))
            }),
            #[cfg(feature = "wasmtime")]
            (EngineName::Wasmtime, |_| {
                Ok(Arc::new(wasmrt_wasmtime::WasmtimeEngine::with_wasm_stack(GUEST_STACK_BYTES)?))
            }),
            #[cfg(feature = "wasmer")]
            (EngineName::Wasmer, |_| Ok(Arc::new(wasmrt_wasmer::WasmerEngine::with_stack(GUEST_STACK_BYTES)?))),
        ])
    }

    /// Those that run guests in the caller's process. Whoever embeds means to call often, so native code comes first.
    pub(crate) fn for_embedding() -> Self {
        Self::of(&[
            #[cfg(feature = "wasmtime")]
            (EngineName::Wasmtime, |_| Ok(Arc::new(wasmrt_wasmtime::WasmtimeEngine::in_process()?))),
            #[cfg(feature = "wasmedge")]
            (EngineName::WasmEdge, |_| Ok(Arc::new(wasmrt_wasmedge::WasmEdgeEngine::load()?))),
            #[cfg(feature = "wasmer")]
            (EngineName::Wasmer, |_| Ok(Arc::new(wasmrt_wasmer::WasmerEngine::in_process()?))),
        ])
    }

    fn of(loads: &[(EngineName, Load)]) -> Self {
        let slot = |(name, load): &(EngineName, Load)| Slot {
            name: *name,
            load: *load,
            told: OnceLock::new(),
            loaded: OnceLock::new(),
        };
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
        let engine = (slot.load)(slot.told.get().map(String::as_str))?;
        Ok(Arc::clone(slot.loaded.get_or_init(|| engine)))
    }

    /// Learns from the cache what earlier processes told of the engines that are not loaded yet.
    pub(crate) fn learn(&self, cache: &ArtifactCache) {
        for slot in self.slots.iter().filter(|slot| slot.loaded.get().is_none() && slot.told.get().is_none()) {
            if let Some(told) = cache.told(slot.name.as_str()) {
                let _ = slot.told.set(told);
            }
        }
    }

    /// Tells later processes of the engines that were loaded here.
    pub(crate) fn tell(&self, cache: &ArtifactCache) {
        for slot in &self.slots {
            if let Some(told) = slot.loaded.get().and_then(|engine| engine.told())
                && slot.told.get() != Some(&told)
            {
                cache.tell(slot.name.as_str(), &told);
            }
        }
    }

    /// What there is of every engine, backend or not.
    pub(crate) fn statuses(&self) -> Vec<EngineStatus> {
        let status =
            |name| EngineStatus { name, capabilities: self.get(name).map(|engine| engine.capabilities().clone()) };
        EngineName::ALL.iter().copied().map(status).collect()
    }
}
