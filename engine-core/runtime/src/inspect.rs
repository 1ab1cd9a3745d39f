//! What a module is and which engines would run it, without running it.

use crate::registry::Registry;
use serde::{Deserialize, Serialize};
use wasmrt_guard::StructureCaps;
use wasmrt_model::{EngineName, Error, Feature, ModuleInfo, Result, Tier};

/// A module, looked at from outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Inspection {
    /// Its size in bytes.
    pub bytes: usize,
    /// What it says of itself.
    pub info: ModuleInfo,
    /// What each engine says to it.
    pub engines: Vec<Verdict>,
    /// The engine that `auto` would take.
    pub auto: Option<EngineName>,
    /// Imports that the host does not offer, as one sentence; None when there are none.
    pub unresolved: Option<String>,
}

/// What one engine says to a module.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// The engine.
    pub engine: EngineName,
    /// The tiers that would run it.
    pub tiers: Vec<Tier>,
    /// Why the others would not, or why the engine is not there.
    pub reason: Option<String>,
}

pub(crate) fn describe(module: &[u8]) -> Result<ModuleInfo> {
    Ok(wasmrt_guard::inspect(module, &StructureCaps::default())?)
}

pub(crate) fn inspect(registry: &Registry, module: &[u8]) -> Result<Inspection> {
    let info = describe(module)?;
    let engines: Vec<Verdict> =
        registry.statuses().into_iter().map(|status| verdict(status.name, status.capabilities, &info)).collect();
    // What components import is looked at when they are linked: their interfaces have versions that stand for others.
    let unresolved = match info.component {
        Some(_) => None,
        None => wasmrt_host::link(&info).err().map(|error| error.to_string()),
    };
    let auto = engines.iter().find(|verdict| !verdict.tiers.is_empty()).map(|verdict| verdict.engine);
    Ok(Inspection { bytes: module.len(), info, engines, auto, unresolved })
}

fn verdict(engine: EngineName, capabilities: Result<wasmrt_model::Capabilities, Error>, info: &ModuleInfo) -> Verdict {
    let capabilities = match capabilities {
        Ok(capabilities) => capabilities,
        Err(error) => return Verdict { engine, tiers: Vec::new(), reason: Some(error.to_string()) },
    };
    let mut tiers = Vec::new();
    let mut reasons = Vec::new();
    for offered in &capabilities.tiers {
        let mut features = offered.features;
        if capabilities.components {
            features = features.with(Feature::ComponentModel);
        }
        let missing = info.features.difference(features);
        if missing.is_empty() {
            tiers.push(offered.tier);
        } else {
            reasons.push(format!("{} lacks {missing}", offered.tier));
        }
    }
    Verdict { engine, tiers, reason: (!reasons.is_empty()).then(|| reasons.join("; ")) }
}
