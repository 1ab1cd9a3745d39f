//! The keys of the file, as they are written.
//!
//! One list of keys makes the top level and the tables of engines, so that neither has a key that the other lacks.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use wasmrt_model::limits::Limits;
use wasmrt_model::network::NetworkRule;
use wasmrt_model::units::Bytes;
use wasmrt_model::{EngineName, Error, ErrorKind, IsolationLevel, LimitsSpec, Result};

/// When to make native code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AotMode {
    /// At the start when it is cheap, else not.
    #[default]
    Auto,
    /// At the start, whatever it costs; a container whose module does not compile does not start.
    Foreground,
    /// Beside the container, for the next one: a start never waits for it.
    Background,
    /// Never.
    Off,
}

impl AotMode {
    /// Every mode by its name.
    pub(crate) const ALL: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("foreground", Self::Foreground), ("background", Self::Background), ("off", Self::Off)];
}

/// A number of WebAssembly's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pages(u64);

impl Pages {
    const BYTES: u64 = 64 << 10;

    pub(crate) fn bytes(self) -> Bytes {
        Bytes(self.0.saturating_mul(Self::BYTES))
    }
}

impl<'de> Deserialize<'de> for Pages {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pages = u64::deserialize(deserializer)?;
        match pages.checked_mul(Self::BYTES) {
            Some(_) => Ok(Self(pages)),
            None => Err(serde::de::Error::custom(format!("no address space has {pages} pages of 64 KiB"))),
        }
    }
}

/// Upper bounds, as the model's `Ceiling` has them; what is left out is known as such, because tables lie over each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CeilingTable {
    pub(crate) limits: Option<LimitsSpec>,
    pub(crate) engines: Option<BTreeSet<EngineName>>,
    pub(crate) preopens: Option<bool>,
    pub(crate) network: Option<bool>,
}

/// What guests may reach, by the network namespace that they are in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkTable {
    pub(crate) own_namespace: Option<Vec<NetworkRule>>,
    pub(crate) host_namespace: Option<Vec<NetworkRule>>,
}

/// What a key of an engine's table is, given that of the top level.
trait Layer {
    fn over(self, below: Self) -> Self;
}

macro_rules! whole {
    ($($type:ty),*) => { $(impl Layer for $type { fn over(self, _: Self) -> Self { self } })* };
}

whole!(bool, Pages, AotMode, Bytes, Spanned<bool>, Spanned<u8>, Spanned<PathBuf>, Spanned<IsolationLevel>);

impl Layer for Spanned<LimitsSpec> {
    fn over(self, below: Self) -> Self {
        Spanned::new(self.span(), self.into_inner().or(below.into_inner()))
    }
}

impl Layer for Spanned<CeilingTable> {
    fn over(self, below: Self) -> Self {
        let span = self.span();
        let (its, below) = (self.into_inner(), below.into_inner());
        let limits = match (its.limits, below.limits) {
            (Some(its), Some(below)) => Some(its.or(below)),
            (its, below) => its.or(below),
        };
        let merged = CeilingTable {
            limits,
            engines: its.engines.or(below.engines),
            preopens: its.preopens.or(below.preopens),
            network: its.network.or(below.network),
        };
        Spanned::new(span, merged)
    }
}

impl Layer for NetworkTable {
    fn over(self, below: Self) -> Self {
        Self {
            own_namespace: self.own_namespace.or(below.own_namespace),
            host_namespace: self.host_namespace.or(below.host_namespace),
        }
    }
}

fn layered<T: Layer>(upper: Option<T>, lower: Option<T>) -> Option<T> {
    match (upper, lower) {
        (Some(upper), Some(lower)) => Some(upper.over(lower)),
        (upper, lower) => upper.or(lower),
    }
}

macro_rules! keys {
    ($($name:ident: $type:ty,)*) => {
        /// Keys with values.
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Table { $(pub(crate) $name: Option<$type>,)* }

        impl Table {
            /// This table where it says something, else the one below.
            pub(crate) fn over(self, below: Self) -> Self {
                Self { $($name: layered(self.$name, below.$name),)* }
            }
        }

        /// The whole file.
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Document {
            $($name: Option<$type>,)*
            wasmedge: Option<Table>,
            wasmtime: Option<Table>,
            wasmer: Option<Table>,
        }

        impl Document {
            /// The keys that stand outside of engines' tables.
            pub(crate) fn top(&self) -> Table {
                Table { $($name: self.$name.clone(),)* }
            }
        }
    };
}

keys! {
    enable_wasi: bool,
    enable_nn: Spanned<bool>,
    enable_crypto: Spanned<bool>,
    max_memory_pages: Pages,
    defaults: Spanned<LimitsSpec>,
    ceiling: Spanned<CeilingTable>,
    aot: AotMode,
    optimize: Spanned<u8>,
    require_os_sandbox: bool,
    isolation: Spanned<IsolationLevel>,
    cache: Spanned<PathBuf>,
    cache_max_bytes: Bytes,
    network: NetworkTable,
    memory_reserve: Bytes,
}

impl Document {
    /// Reads the file and checks what types alone do not.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self> {
        let place = Place { text, path };
        let document: Self = toml::from_str(text).map_err(|error| place.of_toml(error))?;
        place.check(&document.top(), "")?;
        for (name, table) in
            [("wasmedge.", document.wasmedge()), ("wasmtime.", document.wasmtime()), ("wasmer.", document.wasmer())]
        {
            if let Some(table) = table {
                place.check(&table, name)?;
            }
        }
        Ok(document)
    }

    pub(crate) fn wasmedge(&self) -> Option<Table> {
        self.wasmedge.clone()
    }

    pub(crate) fn wasmtime(&self) -> Option<Table> {
        self.wasmtime.clone()
    }

    pub(crate) fn wasmer(&self) -> Option<Table> {
        self.wasmer.clone()
    }
}

/// Where in the file something is wrong.
struct Place<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Place<'_> {
    fn check(&self, table: &Table, prefix: &str) -> Result<()> {
        for (key, value) in [("enable_nn", &table.enable_nn), ("enable_crypto", &table.enable_crypto)] {
            if let Some(value) = value.as_ref().filter(|value| *value.get_ref()) {
                let why = format!("{prefix}{key} = true: there is no plug-in for it");
                return Err(self.error(ErrorKind::Unsupported, Some(value.span()), &why).with_hint("leave it out"));
            }
        }
        if let Some(level) = table.isolation.as_ref().filter(|level| *level.get_ref() != IsolationLevel::Process) {
            let why = format!("{prefix}isolation = \"{}\": a container is a process of its own", level.get_ref());
            let error = self.error(ErrorKind::Unsupported, Some(level.span()), &why);
            return Err(error.with_hint("leave it out, or set it to \"process\""));
        }
        if let Some(level) = table.optimize.as_ref().filter(|level| *level.get_ref() > 3) {
            let why = format!("{prefix}optimize = {}: it is 0, 1, 2 or 3", level.get_ref());
            return Err(self.error(ErrorKind::InvalidInput, Some(level.span()), &why));
        }
        if let Some(cache) = table.cache.as_ref().filter(|cache| !cache.get_ref().is_absolute()) {
            let why = format!("{prefix}cache = \"{}\": it has to be an absolute path", cache.get_ref().display());
            return Err(self.error(ErrorKind::InvalidInput, Some(cache.span()), &why));
        }
        if let Some(defaults) = &table.defaults {
            self.check_limits(defaults.get_ref(), defaults.span(), &format!("{prefix}defaults"))?;
        }
        if let Some(ceiling) = &table.ceiling
            && let Some(limits) = &ceiling.get_ref().limits
        {
            self.check_limits(limits, ceiling.span(), &format!("{prefix}ceiling.limits"))?;
        }
        Ok(())
    }

    fn check_limits(&self, limits: &LimitsSpec, span: Range<usize>, key: &str) -> Result<()> {
        Limits::resolve(limits, &Limits::UNLIMITED)
            .map(|_| ())
            .map_err(|error| self.error(error.kind(), Some(span), &format!("{key}: {}", error.message())))
    }

    fn of_toml(&self, mut error: toml::de::Error) -> Error {
        let span = error.span();
        // Without the text the error says in one line what is wrong, and in a second one under which keys.
        error.set_input(None);
        let text = error.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        self.error(ErrorKind::InvalidInput, span, &lines.join(" "))
    }

    fn error(&self, kind: ErrorKind, span: Option<Range<usize>>, why: &str) -> Error {
        let path = self.path.display();
        let Some(before) = span.and_then(|span| self.text.get(..span.start)) else {
            return Error::new(kind, format!("{path}: {why}"));
        };
        let line = before.matches('\n').count() + 1;
        Error::new(kind, format!("{path}, line {line}: {why}"))
    }
}
