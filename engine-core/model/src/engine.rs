//! Which engine, which isolation, and when to compile.

use crate::{Error, ErrorKind, FeatureSet, Result, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An engine by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EngineName {
    /// WasmEdge.
    WasmEdge,
    /// wasmtime.
    Wasmtime,
    /// wasmer.
    Wasmer,
}

impl EngineName {
    /// Every engine that there is a backend for, best first.
    pub const ALL: &'static [Self] = &[Self::WasmEdge, Self::Wasmtime, Self::Wasmer];

    /// The name as it is typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WasmEdge => "wasmedge",
            Self::Wasmtime => "wasmtime",
            Self::Wasmer => "wasmer",
        }
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The engine that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EngineChoice {
    /// WasmEdge if it is there and has what the module needs, else wasmtime, else wasmer.
    #[default]
    Auto,
    /// This one or none.
    #[serde(untagged)]
    Named(EngineName),
}

impl FromStr for EngineChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        EngineName::ALL.iter().copied().find(|name| name.as_str() == text).map(Self::Named).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("'{text}' is not an engine: auto, wasmedge, wasmtime or wasmer"),
            )
        })
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Named(name) => name.fmt(f),
        }
    }
}

/// What stands between the guest and its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IsolationLevel {
    /// A process of its own, which is killed at the deadline. An engine crash stays in it.
    #[default]
    Process,
    /// The caller's process: for many short calls. Only engines that cannot take the process down with them.
    InProcess,
}

impl IsolationLevel {
    /// The name as it is typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::InProcess => "in-process",
        }
    }
}

impl fmt::Display for IsolationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for IsolationLevel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "process" => Ok(Self::Process),
            "in-process" => Ok(Self::InProcess),
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("'{text}' is not an isolation level: process or in-process"),
            )),
        }
    }
}

/// When to make native code ahead of the run, on engines that can also interpret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AotPolicy {
    /// When it is cached, or cheap enough to be worth it.
    #[default]
    Auto,
    /// Compile first if it is not cached, and fail when that fails.
    Always,
    /// When it is cached. Interpret otherwise: nothing is compiled for this run.
    Cached,
    /// Interpret.
    Never,
}

impl FromStr for AotPolicy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "cached" => Ok(Self::Cached),
            "never" => Ok(Self::Never),
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("'{text}' is not an AOT policy: auto, always, cached or never"),
            )),
        }
    }
}

/// What an engine, in the version that was found, can do.
///
/// Naming rule: a field named after a thing says whether the engine has it at all; `<thing>_<where>` says where else it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// The engine.
    pub engine: EngineName,
    /// Its own version string.
    pub version: String,
    /// The file that it was loaded from; None when it is part of this program.
    pub path: Option<std::path::PathBuf>,
    /// What it runs, for each way of running.
    pub tiers: Vec<TierCapabilities>,
    /// Whether traps carry a backtrace of guest functions.
    pub backtrace: bool,
    /// Whether it runs components.
    pub components: bool,
    /// The tiers that may run inside the caller's process.
    pub in_process: Vec<Tier>,
    /// Whether guests run on a stack that the engine makes for them, instead of their thread's. It is private memory of the process,
    /// and running over its end is not always noticed: guests need a bound on their call depth, and a stack to match it.
    pub own_stack: bool,
    /// Whether a running call can be ended only by a global that the guest's own code looks at, and that the guard puts there.
    pub interrupted_by_global: bool,
}

impl Capabilities {
    /// Capabilities with nothing in them but the name.
    #[must_use]
    pub fn new(engine: EngineName, version: impl Into<String>) -> Self {
        Self {
            engine,
            version: version.into(),
            path: None,
            tiers: Vec::new(),
            backtrace: false,
            components: false,
            in_process: Vec::new(),
            own_stack: false,
            interrupted_by_global: false,
        }
    }

    /// The features of this tier; None when the engine does not have the tier.
    #[must_use]
    pub fn features(&self, tier: Tier) -> Option<FeatureSet> {
        self.tiers.iter().find(|capabilities| capabilities.tier == tier).map(|capabilities| capabilities.features)
    }

    /// What the engine runs in one tier or another.
    #[must_use]
    pub fn all_features(&self) -> FeatureSet {
        self.tiers.iter().fold(FeatureSet::EMPTY, |all, tier| all.union(tier.features))
    }
}

/// What an engine can do in one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierCapabilities {
    /// The tier.
    pub tier: Tier,
    /// The proposals that work in it.
    pub features: FeatureSet,
}
