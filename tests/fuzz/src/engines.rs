//! The engines that are compared: wasmtime's native code, WasmEdge's interpreter and, now and then, WasmEdge's native code.

use crate::report::Finding;
use std::fs::File;
use wasmrt_model::backend::{Code, CompileOptions, WasmEngine, WasmModule};
use wasmrt_model::{FeatureSet, Tier};
use wasmrt_wasmedge::WasmEdgeEngine;
use wasmrt_wasmtime::WasmtimeEngine;

/// The stack that guests may use: 8 KiB for each call that may be nested, twice.
pub(crate) const WASM_STACK_BYTES: usize = 64 << 20;

/// Loaded once for all checks.
#[derive(Debug)]
pub struct Engines {
    pub(crate) wasmtime: WasmtimeEngine,
    pub(crate) wasmedge: WasmEdgeEngine,
    /// Of how many guests one runs in WasmEdge's native code as well.
    pub(crate) native_every: Option<u64>,
}

impl Engines {
    /// Loads both. The environment variable `WASMRT_FUZZ_AOT` says of how many guests one is compiled by WasmEdge too.
    ///
    /// # Errors
    /// The machine does not have them.
    pub fn load() -> wasmrt_model::Result<Self> {
        let native_every = std::env::var("WASMRT_FUZZ_AOT").ok().and_then(|every| every.parse().ok());
        Ok(Self {
            wasmtime: WasmtimeEngine::with_wasm_stack(WASM_STACK_BYTES)?,
            wasmedge: WasmEdgeEngine::load()?,
            native_every: native_every.filter(|every| *every > 0),
        })
    }

    /// What every module may need: the first engine's features.
    pub(crate) fn features(&self) -> FeatureSet {
        self.wasmtime.capabilities().all_features()
    }

    pub(crate) fn interpreter_has(&self, features: FeatureSet) -> bool {
        has(&self.wasmedge, Tier::Interpreter, features)
    }

    pub(crate) fn native_has(&self, features: FeatureSet) -> bool {
        has(&self.wasmedge, Tier::Baseline, features)
    }

    /// WasmEdge's native code for a prepared module.
    pub(crate) fn native(&self, wasm: &[u8]) -> Result<Box<dyn WasmModule>, Finding> {
        let failed = |error: &dyn std::fmt::Display| Finding::new("wasmedge does not compile", error.to_string());
        let directory = tempfile::tempdir().map_err(|error| failed(&error))?;
        let output = directory.path().join("artifact");
        let options = CompileOptions { tier: Tier::Baseline, optimize: None };
        self.wasmedge.compile(wasm, options, &output).map_err(|error| failed(&error))?;
        let artifact = File::open(output).map_err(|error| failed(&error))?;
        self.wasmedge.load(Code::Artifact(artifact)).map_err(|error| failed(&error))
    }
}

fn has(engine: &dyn WasmEngine, tier: Tier, features: FeatureSet) -> bool {
    let there = engine.capabilities().features(tier).unwrap_or_default();
    features.difference(there).is_empty()
}
