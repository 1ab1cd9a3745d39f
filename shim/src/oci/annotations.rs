//! What a container asks for by annotations, `wasmrt.dev/*`.
//!
//! They choose, and they tighten; what is above the operator's ceiling is refused when they are put together with the config. A key that
//! is not known is an error: whoever has written `wasmrt.dev/feul` wanted a limit.

use super::config::AotMode;
use super::server::{self, Requests};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use wasmrt_model::limits::Limits;
use wasmrt_model::network::{NetworkRule, Protocol, Published, PublishedPort};
use wasmrt_model::{EngineChoice, Error, ErrorKind, LimitsSpec, Result};

pub(crate) const PREFIX: &str = "wasmrt.dev/";

/// Limits whose annotation is not their own name with dashes.
const SHORT: &[(&str, &str)] = &[("timeout", "wall_time"), ("memory", "memory_bytes")];

/// Annotations that are no limits.
const OTHERS: &[&str] =
    &["engine", "aot", "optimize", "network.allow", "network.deny", "network.listen", "isolation.require-os-sandbox"];

/// The annotations of a container, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Annotations {
    /// The engine, in place of the one that the shim is named after.
    pub(crate) engine: Option<EngineChoice>,
    /// When to compile.
    pub(crate) aot: Option<AotMode>,
    /// How much to optimise.
    pub(crate) optimize: Option<u8>,
    /// What the guest may reach, in place of the config's rules. Empty means nothing.
    pub(crate) network: Option<Vec<NetworkRule>>,
    /// Addresses at which a guest finds itself listening, from descriptor 3 on.
    pub(crate) listen: Vec<Published>,
    /// The bounds of requests, for a component that answers them.
    pub(crate) requests: Requests,
    /// Whether to run only where the kernel has Landlock and seccomp.
    pub(crate) require_os_sandbox: Option<bool>,
    /// Each limit by itself, with its annotation.
    pub(crate) limits: Vec<(String, LimitsSpec)>,
}

impl Annotations {
    /// Reads those of wasmrt and leaves others alone.
    ///
    /// # Errors
    /// `InvalidInput` for unknown names, wrong values and contradictions, with the annotation.
    pub(crate) fn read(annotations: Option<&HashMap<String, String>>) -> Result<Self> {
        let mut read = Self::default();
        let sorted: BTreeMap<&String, &String> = annotations.into_iter().flatten().collect();
        for (key, value) in &sorted {
            if let Some(name) = key.strip_prefix(PREFIX) {
                read.set(name, value).map_err(|error| named(key, value, error))?;
            }
        }
        let given = |name: &str| sorted.keys().any(|key| key.strip_prefix(PREFIX) == Some(name));
        if given("network.allow") && given("network.deny") {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("the annotations {PREFIX}network.allow and {PREFIX}network.deny contradict each other"),
            )
            .with_operation("read annotations")
            .with_hint("leave one of them out"));
        }
        Ok(read)
    }

    /// The annotation that says that a container is a WebAssembly one, as other runtimes read it.
    pub(crate) fn must_be_wasm(annotations: Option<&HashMap<String, String>>) -> Option<String> {
        let mut marks: Vec<_> =
            annotations.into_iter().flatten().filter(|(key, value)| must_be_wasm(key, value)).collect();
        marks.sort();
        marks.first().map(|(key, value)| format!("{key}={value}"))
    }

    /// All limits together.
    pub(crate) fn all_limits(&self) -> LimitsSpec {
        self.limits.iter().fold(LimitsSpec::default(), |all, (_, one)| all.or(*one))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "engine" => self.engine = Some(value.parse()?),
            "aot" => self.aot = Some(aot(value)?),
            "optimize" => self.optimize = Some(optimize(value)?),
            "network.allow" => self.network = Some(rules(value)?),
            "network.deny" if value == "all" => self.network = Some(Vec::new()),
            "network.deny" => return Err(wrong("the only value is all")),
            "network.listen" => self.listen = listeners(value)?,
            "isolation.require-os-sandbox" => self.require_os_sandbox = Some(boolean(value)?),
            name if self.requests.set(name, value)? => {}
            name => {
                let Some(field) = limit(name) else {
                    return Err(
                        wrong("there is no such annotation").with_hint(format!("known are {}", known().join(", ")))
                    );
                };
                self.limits.push((format!("{PREFIX}{name}"), single(&field, value)?));
            }
        }
        Ok(())
    }
}

/// Annotations by which containers are marked for other runtimes. Their values `compat-smart` and `wasm-smart` are for pods in which some
/// containers are WebAssembly and others are not, so they ask for nothing: the program itself tells.
fn must_be_wasm(key: &str, value: &str) -> bool {
    matches!((key, value), ("module.wasm.image/variant", "compat") | ("run.oci.handler", "wasm"))
}

/// The name of the limit that an annotation means.
fn limit(name: &str) -> Option<String> {
    if let Some((_, field)) = SHORT.iter().find(|(short, _)| *short == name) {
        return Some((*field).to_owned());
    }
    let field = name.replace('-', "_");
    let short = SHORT.iter().any(|(_, long)| *long == field);
    (!short && !name.contains('_') && Limits::NAMES.contains(&field.as_str())).then_some(field)
}

fn known() -> Vec<String> {
    let limits = Limits::NAMES.iter().map(|field| {
        let short = SHORT.iter().find(|(_, long)| long == field);
        short.map_or_else(|| field.replace('_', "-"), |(short, _)| (*short).to_owned())
    });
    OTHERS
        .iter()
        .chain(&server::NAMES)
        .map(|name| (*name).to_owned())
        .chain(limits)
        .map(|name| format!("{PREFIX}{name}"))
        .collect()
}

/// One limit, in its range.
fn single(field: &str, value: &str) -> Result<LimitsSpec> {
    let object = serde_json::json!({ field: value });
    let limits: LimitsSpec = serde_json::from_value(object).map_err(|error| wrong(&error.to_string()))?;
    Limits::resolve(&limits, &Limits::UNLIMITED)?;
    Ok(limits)
}

fn aot(value: &str) -> Result<AotMode> {
    let known = AotMode::ALL.iter().find(|(name, _)| *name == value).map(|(_, mode)| *mode);
    known.ok_or_else(|| wrong("it is auto, foreground, background or off"))
}

fn optimize(value: &str) -> Result<u8> {
    value.parse().ok().filter(|level| *level <= 3).ok_or_else(|| wrong("it is 0, 1, 2 or 3"))
}

fn boolean(value: &str) -> Result<bool> {
    value.parse().map_err(|_| wrong("it is true or false"))
}

fn rules(value: &str) -> Result<Vec<NetworkRule>> {
    if value.trim().is_empty() {
        return Err(
            wrong("there is no rule in it").with_hint(format!("for no network at all, set {PREFIX}network.deny=all"))
        );
    }
    value.split(',').map(|rule| rule.trim().parse()).collect()
}

fn listeners(value: &str) -> Result<Vec<Published>> {
    let listener = |address: &str| {
        let host: SocketAddr =
            address.trim().parse().map_err(|_| wrong("it is ADDRESS:PORT, or several, with commas"))?;
        if host.port() == 0 {
            return Err(wrong("a port of a container has a number: nobody would know another one"));
        }
        Ok(Published::Port(PublishedPort { host, guest: host.port(), protocol: Protocol::Tcp }))
    };
    value.split(',').map(listener).collect()
}

fn wrong(why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, why)
}

fn named(key: &str, value: &str, error: Error) -> Error {
    let mut text = format!("annotation {key}={}: {}", value.escape_debug(), error.message());
    for (key, value) in error.context() {
        text.push_str(&format!(" ({key} {value})"));
    }
    let named = Error::new(error.kind(), text).with_operation("read annotations");
    match error.hint() {
        Some(hint) => named.with_hint(hint),
        None => named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmrt_model::EngineName;
    use wasmrt_model::limits::Limit;
    use wasmrt_model::units::{Bytes, Count, Span};

    fn read(given: &[(&str, &str)]) -> Result<Annotations> {
        let map = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Annotations::read(Some(&map))
    }

    #[test]
    fn each_annotation_says_what_it_says() {
        let read = read(&[
            ("wasmrt.dev/engine", "wasmtime"),
            ("wasmrt.dev/fuel", "1_000_000"),
            ("wasmrt.dev/timeout", "1h30m"),
            ("wasmrt.dev/cpu-time", "500ms"),
            ("wasmrt.dev/memory", "64Mi"),
            ("wasmrt.dev/call-depth", "unlimited"),
            ("wasmrt.dev/aot", "background"),
            ("wasmrt.dev/optimize", "2"),
            ("wasmrt.dev/network.allow", "connect=10.0.0.0/8:443, resolve=*,connect=[fe80::/10]"),
            ("wasmrt.dev/isolation.require-os-sandbox", "true"),
            ("io.kubernetes.cri.container-type", "container"),
        ])
        .unwrap();
        assert_eq!(read.engine, Some(EngineChoice::Named(EngineName::Wasmtime)));
        assert_eq!(read.aot, Some(AotMode::Background));
        assert_eq!(read.optimize, Some(2));
        assert_eq!(read.require_os_sandbox, Some(true));
        let rules: Vec<String> = read.network.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(rules, ["connect=10.0.0.0/8:443", "resolve=*", "connect=[fe80::/10]"]);
        let limits = read.all_limits();
        assert_eq!(limits.fuel, Some(Limit::At(Count(1_000_000))));
        assert_eq!(limits.wall_time, Some(Limit::At(Span(std::time::Duration::from_secs(5400)))));
        assert_eq!(limits.cpu_time, Some(Limit::At(Span(std::time::Duration::from_millis(500)))));
        assert_eq!(limits.memory_bytes, Some(Limit::At(Bytes::mebi(64))));
        assert_eq!(limits.call_depth, Some(Limit::Unlimited));
        assert_eq!(limits.open_files, None);
    }

    #[test]
    fn every_limit_has_exactly_one_annotation() {
        for name in known()
            .iter()
            .filter_map(|key| key.strip_prefix(PREFIX))
            .filter(|name| !OTHERS.contains(name) && !server::NAMES.contains(name))
        {
            let read = read(&[(&format!("wasmrt.dev/{name}"), "unlimited")]).unwrap();
            let json = serde_json::to_value(read.all_limits()).unwrap();
            assert_eq!(json.as_object().unwrap().len(), 1, "{name}: {json}");
        }
        assert_eq!(known().len(), Limits::NAMES.len() + OTHERS.len() + server::NAMES.len());
    }

    #[test]
    fn the_documentation_names_every_annotation() {
        let page = include_str!("../../../docs/containerd-config.md");
        for name in known() {
            let name = name.trim_start_matches(PREFIX);
            assert!(page.contains(&format!("`{name}`")) || page.contains(&format!("`{PREFIX}{name}`")), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused_with_the_annotation() {
        for (key, value) in [
            ("wasmrt.dev/feul", "1"),
            ("wasmrt.dev/", "1"),
            ("wasmrt.dev/memory-bytes", "1m"),
            ("wasmrt.dev/wall-time", "1s"),
            ("wasmrt.dev/cpu_time", "1s"),
            ("wasmrt.dev/Engine", "auto"),
            ("wasmrt.dev/engine", "v8"),
            ("wasmrt.dev/fuel", "-1"),
            ("wasmrt.dev/fuel", ""),
            ("wasmrt.dev/fuel", "0"),
            ("wasmrt.dev/memory", "64x"),
            ("wasmrt.dev/timeout", "soon"),
            ("wasmrt.dev/open-files", "2"),
            ("wasmrt.dev/aot", "always"),
            ("wasmrt.dev/optimize", "4"),
            ("wasmrt.dev/optimize", "s"),
            ("wasmrt.dev/network.allow", ""),
            ("wasmrt.dev/network.allow", "connect=*,,"),
            ("wasmrt.dev/network.allow", "connect"),
            ("wasmrt.dev/network.deny", "connect=*"),
            ("wasmrt.dev/isolation.require-os-sandbox", "yes"),
            ("wasmrt.dev/isolation.level", "process"),
        ] {
            let error = read(&[(key, value)]).map(|read| panic!("{key}={value}: {read:?}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains(&format!("annotation {key}={value}: ")), "{error}");
        }
        let error = read(&[("wasmrt.dev/feul", "1")]).unwrap_err();
        assert!(error.hint().unwrap().contains("wasmrt.dev/fuel"), "{error}");
    }

    #[test]
    fn the_network_is_allowed_or_denied_and_not_both() {
        assert_eq!(read(&[("wasmrt.dev/network.deny", "all")]).unwrap().network, Some(Vec::new()));
        assert_eq!(read(&[("wasmrt.dev/network.listen", "0.0.0.0:80, [::]:81")]).unwrap().listen.len(), 2);
        for wrong in ["", "80", "0.0.0.0:0", "0.0.0.0:80,"] {
            assert!(read(&[("wasmrt.dev/network.listen", wrong)]).is_err(), "{wrong}");
        }
        let both = read(&[("wasmrt.dev/network.deny", "all"), ("wasmrt.dev/network.allow", "connect=*")]);
        assert!(both.unwrap_err().message().contains("contradict"));
        assert_eq!(read(&[]).unwrap(), Annotations::default());
        assert_eq!(Annotations::read(None).unwrap(), Annotations::default());
    }

    #[test]
    fn other_runtimes_marks_are_understood() {
        for (key, value, must) in [
            ("module.wasm.image/variant", "compat", true),
            ("module.wasm.image/variant", "compat-smart", false),
            ("run.oci.handler", "wasm", true),
            ("run.oci.handler", "wasm-smart", false),
            ("run.oci.handler", "krun", false),
        ] {
            let annotations = HashMap::from([(key.to_owned(), value.to_owned())]);
            assert_eq!(Annotations::must_be_wasm(Some(&annotations)), must.then(|| format!("{key}={value}")));
            assert_eq!(read(&[(key, value)]).unwrap(), Annotations::default());
        }
    }
}
