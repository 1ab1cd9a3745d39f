//! The engines and tiers that cases run on, what they can do here, and what the machine lacks.
//!
//! What an engine cannot do turns a case's expectation into `unsupported`, which is asserted. What the machine lacks (an engine's library,
//! a privilege, a guest that is not built) makes a trial ignored, unless [`REQUIRE_VARIABLE`] names it: then it fails.

use crate::network::silent;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use wasmrt_model::{Capabilities, EngineName, Feature, Tier};
use wasmrt_runtime::{Runtime, RuntimeConfig};

/// Names, separated by commas, of what must not be lacking: `wasmedge`, `wasmtime`, `wasmer`, `guests`, `forks`, `cli`, `root`.
pub const REQUIRE_VARIABLE: &str = "WASMRT_REQUIRE";

/// An engine and a way of running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Its name in trials.
    pub name: &'static str,
    /// The engine; None leaves the choice to wasmrt.
    pub engine: Option<EngineName>,
    /// The tier that the fields of [`apply`](Self::apply) come to.
    pub tier: Tier,
}

/// Every pair.
pub const PAIRS: &[Pair] = &[
    Pair { name: "wasmedge-interpreter", engine: Some(EngineName::WasmEdge), tier: Tier::Interpreter },
    Pair { name: "wasmedge-aot-o0", engine: Some(EngineName::WasmEdge), tier: Tier::Baseline },
    Pair { name: "wasmtime", engine: Some(EngineName::Wasmtime), tier: Tier::Optimized },
    #[cfg(feature = "wasmer")]
    Pair { name: "wasmer", engine: Some(EngineName::Wasmer), tier: Tier::Baseline },
];

/// A requirement of cases that are about the guest's own process: its stack, its privileges. They are not run in the caller's.
pub const OWN_PROCESS: &str = "own-process";

/// Whatever wasmrt chooses.
pub const AUTO: Pair = Pair { name: "auto", engine: None, tier: Tier::Optimized };

/// What wasmrt as a whole can do, beyond its engines. A requirement that stands here with `false` is expected to be refused as
/// unsupported on every engine; turn it to `true` with the change that brings the ability.
const ABILITIES: [(&str, bool); 4] = [("fuel", true), ("call-depth", true), ("network", true), (OWN_PROCESS, true)];

/// What some engines can do and others cannot, beyond proposals.
const LARGE_FRAMES: &str = "large-frames";

impl Pair {
    /// Asks for this pair in a spec.
    pub fn apply(self, spec: &mut Map<String, Value>) {
        let Some(engine) = self.engine else { return };
        spec.insert("engine".to_owned(), json!(engine.as_str()));
        match self.tier {
            Tier::Interpreter => {
                spec.insert("aot".to_owned(), json!("never"));
            }
            Tier::Baseline => {
                spec.insert("aot".to_owned(), json!("always"));
                spec.insert("optimize".to_owned(), json!(0));
            }
            _ => {}
        }
    }

    /// Why this machine does not have the engine, if so.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        let engine = self.engine?;
        match status(engine) {
            Some(Ok(_)) => None,
            Some(Err(why)) => Some(why.clone()),
            None => Some(format!("this build has no backend for {engine}")),
        }
    }

    /// What the engine tells of itself.
    #[must_use]
    pub fn capabilities(self) -> Option<&'static Capabilities> {
        status(self.engine?)?.as_ref().ok()
    }

    /// Whether the engine takes functions that keep more on the stack than their calls count for. On stacks that an engine makes itself
    /// they would not be safe.
    fn takes_large_frames(self) -> bool {
        !self.capabilities().is_some_and(|capabilities| capabilities.own_stack)
    }

    /// The first requirement that wasmrt does not meet on this pair.
    #[must_use]
    pub fn unmet(self, requires: &[String]) -> Option<&str> {
        requires.iter().map(String::as_str).find(|name| {
            if let Some((_, able)) = ABILITIES.iter().find(|(ability, _)| ability == name) {
                return !able;
            }
            if *name == LARGE_FRAMES {
                return !self.takes_large_frames();
            }
            match (feature(name), self.capabilities()) {
                (Some(Feature::ComponentModel), Some(capabilities)) => !capabilities.components,
                (Some(feature), Some(capabilities)) => {
                    !capabilities.features(self.tier).is_some_and(|features| features.contains(feature))
                }
                _ => false,
            }
        })
    }
}

fn feature(name: &str) -> Option<Feature> {
    Feature::ALL.iter().copied().find(|feature| feature.name() == name)
}

/// What the machine lacks of what a case requires.
///
/// # Errors
/// A word that means nothing.
pub fn machine_lacks(requires: &[String]) -> crate::Result<Option<&'static str>> {
    for name in requires {
        match name.as_str() {
            "root" if !rustix::process::geteuid().is_root() => return Ok(Some("root")),
            "unprivileged" if rustix::process::geteuid().is_root() => return Ok(Some("unprivileged")),
            "ipv6" if std::net::TcpListener::bind("[::1]:0").is_err() => return Ok(Some("ipv6")),
            "namespaces" if !silent::is_possible() => return Ok(Some("namespaces")),
            "root" | "unprivileged" | "ipv6" | "namespaces" => {}
            LARGE_FRAMES => {}
            other if feature(other).is_some() || ABILITIES.iter().any(|(ability, _)| *ability == other) => {}
            other => return Err(format!("'{other}' is no proposal, no ability and no property of a machine")),
        }
    }
    Ok(None)
}

/// Whether the environment says that this may not be lacking.
#[must_use]
pub fn is_required(name: &str) -> bool {
    std::env::var(REQUIRE_VARIABLE).is_ok_and(|names| names.split(',').any(|required| required.trim() == name))
}

type Status = Result<Capabilities, String>;

/// Engines are loaded when they are first asked for: a trial of another engine does not pay for that.
fn status(engine: EngineName) -> Option<&'static Status> {
    static STATUSES: OnceLock<Vec<(EngineName, Status)>> = OnceLock::new();
    let statuses = STATUSES.get_or_init(|| {
        let engines = Runtime::new(RuntimeConfig::default()).engines();
        engines
            .into_iter()
            .map(|status| (status.name, status.capabilities.map_err(|error| error.to_string())))
            .collect()
    });
    statuses.iter().find(|(name, _)| *name == engine).map(|(_, status)| status)
}
