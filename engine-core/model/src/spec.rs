//! What a person asked for: [`RunSpec`], the type that every front-end translates its flags, keywords or JSON into.

use crate::engine::{AotPolicy, EngineChoice, IsolationLevel};
use crate::limits::LimitsSpec;
use crate::network::NetworkPolicy;
use crate::preopen::Preopen;
use crate::stdio::Stdio;
use crate::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything about a run but the module itself. Every field has a default; an unknown field is an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RunSpec {
    /// The engine to run it on.
    pub engine: EngineChoice,
    /// What stands between the guest and the caller.
    pub isolation: IsolationLevel,
    /// Whether to refuse to run where the kernel does not have every part of the second wall: Landlock and seccomp.
    pub require_os_sandbox: bool,
    /// When to compile ahead of the run, and how hard.
    pub aot: AotPolicy,
    /// How much to optimise when compiling: 0, 1, 2 or 3. The engine's own default when left out.
    #[schemars(range(max = 3))]
    pub optimize: Option<u8>,
    /// What is called.
    pub entry: Entry,
    /// The guest's arguments; the first one is its name for itself.
    pub args: Vec<String>,
    /// The guest's environment. Nothing of the host's is in it unless it is named.
    pub env: Environment,
    /// The files and directories that it is given.
    pub preopens: Vec<Preopen>,
    /// Its standard streams.
    pub stdio: Stdio,
    /// What it may reach over the network.
    pub network: NetworkPolicy,
    /// The time that it sees.
    pub clock: Clock,
    /// The randomness that it sees.
    pub random: Random,
    /// What bounds it.
    pub limits: LimitsSpec,
}

impl RunSpec {
    /// Reads a spec from JSON.
    ///
    /// # Errors
    /// `InvalidInput` with the field, line and column.
    pub fn from_json(json: &str) -> Result<Self> {
        object_from_json(json, "run spec")
    }

    /// The JSON schema of a spec, as checked in under docs/.
    #[must_use]
    pub fn json_schema() -> String {
        let schema = schemars::schema_for!(Self);
        let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Reads what people write as an object. Its type alone would take a list of the fields' values as well.
pub(crate) fn object_from_json<T: DeserializeOwned>(json: &str, what: &str) -> Result<T> {
    let wrong = |why: &str| Error::new(ErrorKind::InvalidInput, format!("not a {what}{why}"));
    if !json.trim_start().starts_with('{') {
        return Err(wrong(": it is a JSON object, in braces"));
    }
    serde_json::from_str(json).map_err(|source| wrong("").with_source(source))
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Entry {
    /// The export `_start`, as WASI commands have it.
    #[default]
    Start,
    /// An export by name (after `_initialize`, when the module has one).
    Invoke {
        /// The export.
        name: String,
        /// Its arguments as text, one for each parameter.
        #[serde(default)]
        args: Vec<String>,
    },
}

/// The guest's environment variables.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Environment {
    /// Names and values.
    pub set: BTreeMap<String, String>,
    /// Names of host variables to pass on; one that the host does not have is left out.
    pub inherit: Vec<String>,
}

/// The time that the guest sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Clock {
    /// The machine's.
    #[default]
    Real,
    /// The wall clock starts here and the monotonic one at 0; each reading of either moves both on by a microsecond.
    Fixed {
        /// Seconds since 1970.
        unix_seconds: u64,
    },
}

/// The randomness that the guest sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Random {
    /// The machine's, fit for keys.
    #[default]
    Real,
    /// The same bytes for the same seed, on every machine and engine. Not fit for keys.
    Fixed {
        /// The seed.
        seed: u64,
    },
}
