//! The front-end `in-process`: the crate wasmrt-runtime making an instance in its caller's process, and calling the entry of it.
//!
//! What a caller of instances does for itself stands here: finding the entry, reading its arguments, and telling how it all ended.

use crate::case::Case;
use serde_json::{Map, Value as Json};
use wasmrt_model::{Captured, Entry, Error, ErrorKind, ExitStatus, FunctionType, Outcome, RunSpec, Usage, Value};
use wasmrt_runtime::{CallEnd, CallLimits, Imports, Instance, InstantiateOptions, Runtime, Spent};

/// Limits that are refused by name in the caller's process.
const REFUSED: [&str; 2] = ["cpu_time", "compile_time"];

/// Why a case cannot be had in the caller's process, if so: then it has to be refused as unsupported.
pub(super) fn unmet(case: &Case, native: bool) -> Option<&'static str> {
    if native {
        return Some("native code of this engine");
    }
    let network = case.header.spec.get("network").and_then(|network| network.as_object());
    let rules = network
        .is_some_and(|network| network.values().any(|rules| rules.as_array().is_some_and(|rules| !rules.is_empty())));
    if rules {
        return Some("network rules");
    }
    let limit = |name: &str| case.header.spec.get("limits").and_then(|limits| limits.get(name));
    let depth = limit("call_depth").is_some_and(|depth| depth.as_u64().is_none_or(|depth| depth > 32_768));
    let refused = REFUSED.into_iter().find(|name| limit(name).is_some_and(|value| value.as_str() != Some("unlimited")));
    refused.or(depth.then_some("call_depth"))
}

/// Makes the spec one of an instance.
pub(super) fn adapt(spec: &mut Map<String, Json>) {
    spec.insert("isolation".to_owned(), "in-process".into());
}

/// What a run of the module comes to, by way of an instance.
pub(super) fn run(runtime: &Runtime, module: &[u8], mut spec: RunSpec) -> Result<Outcome, Error> {
    let entry = std::mem::take(&mut spec.entry);
    let mut instance = runtime.instantiate(module, &spec, Imports::new(), InstantiateOptions::default())?;
    let mut usage = Usage::default();
    let (status, results) = match instance.spent() {
        Some(Spent::Ended(status)) => (status.clone(), Vec::new()),
        Some(Spent::Failed { message, .. }) => return Err(Error::new(ErrorKind::Internal, message.clone())),
        None => {
            let (export, args) = call_of(&entry, &instance)?;
            let called = instance.call(&export, &args, CallLimits::default())?;
            usage.wall_time = called.usage.wall_time;
            usage.fuel = called.usage.fuel;
            match called.end {
                CallEnd::Returned(values) => (ExitStatus::Exited { code: 0 }, values),
                CallEnd::Ended(status) => (status, Vec::new()),
            }
        }
    };
    let used = instance.usage();
    usage.memory_pages = Some(used.memory_pages);
    (usage.output_bytes, usage.written_bytes) = (used.output_bytes, used.written_bytes);
    let mut outcome = Outcome::new(status, usage, instance.engine(), instance.tier());
    outcome.results = results;
    outcome.refusals = instance.refusals();
    outcome.stdout = instance.take_stdout()?.map(|bytes| Captured { bytes });
    outcome.stderr = instance.take_stderr()?.map(|bytes| Captured { bytes });
    Ok(outcome)
}

fn call_of(entry: &Entry, instance: &Instance) -> Result<(String, Vec<Value>), Error> {
    let (name, texts): (&str, &[String]) = match entry {
        Entry::Invoke { name, args } => (name, args),
        _ => ("_start", &[]),
    };
    let exports = instance.exports().iter().filter(|export| export.name == name);
    let mut signatures = exports.filter_map(|export| match &export.extern_type {
        wasmrt_model::module::ExternType::Function(signature) => Some(signature.clone()),
        _ => None,
    });
    let missing = |what: &str| Error::new(ErrorKind::MissingExport, format!("'{name}' {what}"));
    let signature = signatures.next().ok_or_else(|| {
        let offered: Vec<&str> = instance.exports().iter().map(|export| export.name.as_str()).collect();
        missing("is not exported").with_hint(format!("there are {}", offered.join(", ")))
    })?;
    if *entry == Entry::Start && signature != FunctionType::default() {
        return Err(missing("takes or returns something"));
    }
    if texts.len() != signature.params.len() {
        return Err(Error::new(ErrorKind::InvalidInput, format!("'{name}' is {signature}")));
    }
    let args =
        signature.params.iter().zip(texts).map(|(value, text)| Value::parse(*value, text)).collect::<Result<_, _>>()?;
    Ok((name.to_owned(), args))
}
