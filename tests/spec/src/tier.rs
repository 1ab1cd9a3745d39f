//! The engines and tiers that the suite runs on, and whether this machine has them.

use crate::Result;
use crate::world::World;
use crate::world::wasmedge::WasmEdge;
use crate::world::wasmtime::Wasmtime;
use wasmrt_model::backend::WasmEngine;
use wasmrt_model::{FeatureSet, Tier};
use wasmrt_wasmedge::WasmEdgeEngine;
use wasmrt_wasmtime::WasmtimeEngine;

/// Names, separated by commas, of what must not be lacking on this machine.
const REQUIRE_VARIABLE: &str = "WASMRT_REQUIRE";

/// An engine and a way of running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineTier {
    /// wasmtime, compiled by Cranelift.
    Wasmtime,
    /// WasmEdge's interpreter.
    WasmEdgeInterpreter,
    /// Native code that WasmEdge made without optimisation.
    WasmEdgeAot,
}

impl EngineTier {
    /// Every tier that the suite runs on. wasmtime's unoptimised code is left out: it is the same compiler.
    pub const ALL: [Self; 3] = [Self::Wasmtime, Self::WasmEdgeInterpreter, Self::WasmEdgeAot];

    /// Its name in trials.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wasmtime => "wasmtime",
            Self::WasmEdgeInterpreter => "wasmedge-interpreter",
            Self::WasmEdgeAot => "wasmedge-aot-o0",
        }
    }

    /// The tier of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }

    /// A world without instances.
    ///
    /// # Errors
    /// When the engine is not to be had.
    pub fn world(self) -> Result<Box<dyn World>> {
        Ok(match self {
            Self::Wasmtime => Box::new(Wasmtime::new()?),
            Self::WasmEdgeInterpreter => Box::new(WasmEdge::interpreted()?),
            Self::WasmEdgeAot => Box::new(WasmEdge::native()?),
        })
    }

    /// What the backend claims for this tier.
    ///
    /// # Errors
    /// When the engine is not to be had.
    pub fn features(self) -> Result<FeatureSet> {
        let lacking = |error: wasmrt_model::Error| error.to_string();
        let engine: Box<dyn WasmEngine> = match self {
            Self::Wasmtime => Box::new(WasmtimeEngine::new().map_err(lacking)?),
            Self::WasmEdgeInterpreter | Self::WasmEdgeAot => Box::new(WasmEdgeEngine::load().map_err(lacking)?),
        };
        let tier = match self {
            Self::Wasmtime => Tier::Optimized,
            Self::WasmEdgeInterpreter => Tier::Interpreter,
            Self::WasmEdgeAot => Tier::Baseline,
        };
        engine
            .capabilities()
            .features(tier)
            .ok_or_else(|| format!("the backend does not claim the tier of {}", self.name()))
    }

    /// Why this machine does not have it, if so.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Wasmtime => None,
            Self::WasmEdgeInterpreter | Self::WasmEdgeAot => {
                WasmEdgeEngine::load().err().map(|error| error.to_string())
            }
        }
    }

    /// Whether the environment says that it may not be lacking.
    #[must_use]
    pub fn is_required(self) -> bool {
        let engine = if self == Self::Wasmtime { "wasmtime" } else { "wasmedge" };
        std::env::var(REQUIRE_VARIABLE).is_ok_and(|names| names.split(',').any(|name| name.trim() == engine))
    }
}
