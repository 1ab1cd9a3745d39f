//! A runtime with a cache of its own, and short ways to say what tests say often.

use std::time::Duration;
use wasmrt_runtime::model::{Error, ExitStatus, LimitKind, RunSpec, TrapKind, Value};
use wasmrt_runtime::{
    CacheConfig, CallEnd, CallLimits, CallOutcome, Imports, Instance, InstantiateOptions, Runtime, RuntimeConfig,
};

/// Longer than anything here takes, and short enough to wait for when it fails.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Room {
    pub(crate) runtime: Runtime,
    _cache: tempfile::TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mut config = RuntimeConfig::default();
        let mut place = CacheConfig::from_environment();
        place.directory = Some(cache.path().join("cache"));
        config.cache = place;
        Self { runtime: Runtime::new(config), _cache: cache }
    }

    pub(crate) fn try_make(&self, engine: &str, spec: &str, text: &str, imports: Imports) -> Result<Instance, Error> {
        let module = wat::parse_str(text).unwrap();
        self.runtime.instantiate(&module, &spec_of(engine, spec), imports, InstantiateOptions::default())
    }

    pub(crate) fn make(&self, engine: &str, spec: &str, text: &str) -> Instance {
        self.try_make(engine, spec, text, Imports::new()).unwrap()
    }
}

/// `spec` holds the fields of a spec beside engine and isolation, in JSON without the outer braces.
pub(crate) fn spec_of(engine: &str, spec: &str) -> RunSpec {
    let comma = if spec.is_empty() { "" } else { "," };
    let json = format!(r#"{{"engine": "{engine}", "isolation": "in-process"{comma} {spec}}}"#);
    RunSpec::from_json(&json).unwrap()
}

/// The engines of this machine.
pub(crate) fn engines() -> Vec<&'static str> {
    let required = std::env::var("WASMRT_REQUIRE").unwrap_or_default();
    let statuses = Runtime::new(RuntimeConfig::default()).engines();
    ["wasmtime", "wasmedge", "wasmer"]
        .into_iter()
        .filter(|name| {
            let here = statuses.iter().any(|status| status.name.as_str() == *name && status.capabilities.is_ok());
            let must = *name == "wasmtime" || required.split([',', ' ']).any(|word| word == *name);
            assert!(here || !must, "{name} is required here");
            here
        })
        .collect()
}

/// Calls without limits of the call's own.
pub(crate) fn call(instance: &mut Instance, export: &str, args: &[Value]) -> Result<CallOutcome, Error> {
    instance.call(export, args, CallLimits::default())
}

/// What a call returns that has to return.
pub(crate) fn values(instance: &mut Instance, export: &str, args: &[Value]) -> Vec<Value> {
    call(instance, export, args).unwrap().into_values().unwrap()
}

/// The one i32 that a call returns that has to return one.
pub(crate) fn number(instance: &mut Instance, export: &str, args: &[Value]) -> i32 {
    match values(instance, export, args)[..] {
        [Value::I32(number)] => number,
        ref other => panic!("{other:?}"),
    }
}

pub(crate) fn trap_of(outcome: &CallOutcome) -> Option<TrapKind> {
    match &outcome.end {
        CallEnd::Ended(ExitStatus::Trapped { trap }) => Some(trap.kind),
        _ => None,
    }
}

pub(crate) fn limit_of(outcome: &CallOutcome) -> Option<LimitKind> {
    match outcome.end {
        CallEnd::Ended(ExitStatus::LimitReached { limit }) => Some(limit),
        _ => None,
    }
}
