//! The operator's file, /etc/wasmrt/config.toml: what containers get, and what they may have at most.
//!
//! Keys stand at the top level for all engines, and in a table of an engine's name for that one, which wins key by key. What the file
//! says wrongly is an error with file, line and key: nothing in it is ever passed over.

mod table;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use table::{Document, Table};
use wasmrt_model::limits::Limit;
use wasmrt_model::network::NetworkRule;
use wasmrt_model::units::Bytes;
use wasmrt_model::{Ceiling, EngineChoice, EngineName, Error, ErrorKind, Limits, LimitsSpec, Result};

pub(crate) use table::AotMode;

/// Where the file is, unless containerd's runtime options name another one.
const DEFAULT_PATH: &str = "/etc/wasmrt/config.toml";

/// Where native code is kept.
const DEFAULT_CACHE: &str = "/var/lib/wasmrt/cache";

/// What of a cgroup's memory is for engine and host.
const DEFAULT_MEMORY_RESERVE: Bytes = Bytes::mebi(24);

/// More is no config.
const MOST_BYTES: u64 = 1 << 20;

/// Inside a network namespace of its own a guest has what any container has there, but for metadata services and multicast. Special addresses
/// need rules that name them.
const OWN_NAMESPACE: &[&str] = &[
    "connect=*",
    "connect=127.0.0.0/8",
    "connect=[::1]",
    "connect=0.0.0.0/8",
    "connect=[::]",
    "connect=169.254.0.0/16",
    "connect=[fe80::/10]",
    "listen=*",
    "resolve=*",
];

/// The file, read and checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    document: Document,
}

/// What holds for one engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Whether guests may import WASI. When not, a module that does is to be refused.
    pub(crate) enable_wasi: bool,
    /// What a container gets unless an annotation says otherwise.
    pub(crate) defaults: LimitsSpec,
    /// What it may have at most.
    pub(crate) ceiling: Ceiling,
    /// When to compile.
    pub(crate) aot: AotMode,
    /// How much to optimise.
    pub(crate) optimize: Option<u8>,
    /// Whether to run only where the kernel has Landlock and seccomp.
    pub(crate) require_os_sandbox: bool,
    /// Where native code is kept.
    pub(crate) cache: PathBuf,
    /// How much of it; None means the cache's own default.
    pub(crate) cache_max_bytes: Option<Bytes>,
    /// What a guest may reach in a network namespace of its own.
    pub(crate) own_namespace: Vec<NetworkRule>,
    /// What it may reach in the host's.
    pub(crate) host_namespace: Vec<NetworkRule>,
    /// What of a cgroup's memory limit is not the guest's.
    pub(crate) memory_reserve: Bytes,
}

impl Config {
    /// Reads the file that was named, or the one at the default place, which may be missing.
    ///
    /// # Errors
    /// `NotFound` and others of the system for a file that cannot be read; `InvalidInput` for wrong keys and values, `Unsupported` for those
    /// that ask for what there is not; all with file, line and key.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self> {
        match named {
            Some(path) => Self::read(path),
            None => Self::read_if_there(Path::new(DEFAULT_PATH)),
        }
    }

    fn read_if_there(path: &Path) -> Result<Self> {
        match Self::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            other => other,
        }
    }

    fn read(path: &Path) -> Result<Self> {
        let failed = |source| {
            Error::io(format!("cannot read the config '{}'", path.display()), source).with_operation("read config")
        };
        let mut text = String::new();
        File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text)).map_err(failed)?;
        if u64::try_from(text.len()).is_ok_and(|length| length > MOST_BYTES) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("{}: a config has at most {}", path.display(), Bytes(MOST_BYTES)),
            )
            .with_operation("read config"));
        }
        Self::parse(&text, path)
    }

    /// Reads a config from its text. `path` is for errors alone.
    ///
    /// # Errors
    /// As `load`.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self> {
        let document = Document::parse(text, path).map_err(|error| error.with_operation("read config"))?;
        Ok(Self { document })
    }

    /// What holds for this engine. Who leaves the choice to wasmrt gets what holds on each engine that may be chosen.
    pub(crate) fn settings(&self, engine: EngineChoice) -> Settings {
        match engine {
            EngineChoice::Named(engine) => self.of_engine(engine),
            _ => self.of_any_engine(),
        }
    }

    fn of_engine(&self, engine: EngineName) -> Settings {
        let table = match engine {
            EngineName::WasmEdge => self.document.wasmedge(),
            EngineName::Wasmtime => self.document.wasmtime(),
            EngineName::Wasmer => self.document.wasmer(),
            _ => None,
        };
        let top = self.document.top();
        Settings::from(table.map_or_else(|| top.clone(), |table| table.over(top.clone())))
    }

    fn of_any_engine(&self) -> Settings {
        let mut any = Settings::from(self.document.top());
        let mut engines = BTreeSet::new();
        for engine in EngineName::ALL.iter().copied() {
            let its = self.of_engine(engine);
            if its.ceiling.engines.as_ref().is_some_and(|allowed| !allowed.contains(&engine)) {
                continue;
            }
            engines.insert(engine);
            any.enable_wasi &= its.enable_wasi;
            any.ceiling.limits = any.ceiling.limits.min(its.ceiling.limits);
            any.ceiling.preopens &= its.ceiling.preopens;
            any.ceiling.network &= its.ceiling.network;
            any.require_os_sandbox |= its.require_os_sandbox;
            any.memory_reserve = any.memory_reserve.max(its.memory_reserve);
        }
        any.ceiling.engines = (engines.len() < EngineName::ALL.len()).then_some(engines);
        any
    }
}

impl From<Table> for Settings {
    fn from(table: Table) -> Self {
        let mut ceiling = Ceiling::default();
        let bounds = table.ceiling.map(toml::Spanned::into_inner).unwrap_or_default();
        ceiling.limits = bounds.limits.map_or(Limits::UNLIMITED, LimitsSpec::or_unlimited);
        if let Some(pages) = table.max_memory_pages {
            ceiling.limits.memory_bytes = ceiling.limits.memory_bytes.min(Limit::At(pages.bytes()));
        }
        ceiling.engines = bounds.engines;
        ceiling.preopens = bounds.preopens.unwrap_or(ceiling.preopens);
        ceiling.network = bounds.network.unwrap_or(ceiling.network);
        let network = table.network.unwrap_or_default();
        Self {
            enable_wasi: table.enable_wasi.unwrap_or(true),
            defaults: table.defaults.map(toml::Spanned::into_inner).unwrap_or_default(),
            ceiling,
            aot: table.aot.unwrap_or_default(),
            optimize: table.optimize.map(toml::Spanned::into_inner),
            require_os_sandbox: table.require_os_sandbox.unwrap_or(false),
            cache: table.cache.map_or_else(|| DEFAULT_CACHE.into(), toml::Spanned::into_inner),
            cache_max_bytes: table.cache_max_bytes,
            own_namespace: network
                .own_namespace
                .unwrap_or_else(|| OWN_NAMESPACE.iter().filter_map(|rule| rule.parse().ok()).collect()),
            host_namespace: network.host_namespace.unwrap_or_default(),
            memory_reserve: table.memory_reserve.unwrap_or(DEFAULT_MEMORY_RESERVE),
        }
    }
}

#[cfg(test)]
mod tests;
