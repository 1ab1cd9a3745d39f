//! Run specs: from JSON, or field by field. Each field of a `RunSpec` has a function here; tests hold them to its schema.

pub mod grants;
pub mod limits;
pub mod stdio;

use crate::boundary::{self, ErrorOut, Text, attempt, delete, give, invalid, needed, slice};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::ffi::c_char;
use std::ptr::null_mut;
use wasmrt_runtime::model::{Entry, Result, RunSpec};

/// What a run or an instance is to be: everything but the module itself.
#[derive(Debug, Clone, Default)]
pub struct wasmrt_spec_t {
    pub(crate) spec: RunSpec,
}

/// The defaults: engine auto, a process of its own, the caller's standard streams, and nothing else of the caller's.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_new() -> Option<Box<wasmrt_spec_t>> {
    boundary::value(None, || Some(Box::default()))
}

/// A spec from JSON, as docs/run-spec.schema.json describes it. An unknown field is an error.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_from_json(json: Text<'_>, error: ErrorOut<'_>) -> Option<Box<wasmrt_spec_t>> {
    attempt(error, None, || Ok(Some(Box::new(wasmrt_spec_t { spec: RunSpec::from_json(json.read("json")?)? }))))
}

/// Another spec that says the same.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_clone(spec: Option<&wasmrt_spec_t>) -> Option<Box<wasmrt_spec_t>> {
    boundary::value(None, || spec.map(|handle| Box::new(handle.clone())))
}

/// The spec as JSON. wasmrt_string_delete takes it back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_to_json(spec: Option<&wasmrt_spec_t>, error: ErrorOut<'_>) -> *mut c_char {
    attempt(error, null_mut(), || {
        let json = serde_json::to_string(&needed(spec, "spec")?.spec)
            .map_err(|source| invalid("the spec cannot be written as JSON").with_source(source))?;
        Ok(give(&json))
    })
}

/// The engine: "auto", "wasmedge", "wasmtime" or "wasmer".
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_engine(
    spec: Option<&mut wasmrt_spec_t>,
    engine: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.engine = engine.read("engine")?.parse()?;
        Ok(())
    })
}

/// What stands between the guest and this program: "process" for runs, "in-process" for instances.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_isolation(
    spec: Option<&mut wasmrt_spec_t>,
    isolation: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.isolation = isolation.read("isolation")?.parse()?;
        Ok(())
    })
}

/// Whether to refuse to run where the kernel lacks a part of the second wall: Landlock or seccomp.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_require_os_sandbox(
    spec: Option<&mut wasmrt_spec_t>,
    require: bool,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.require_os_sandbox = require;
        Ok(())
    })
}

/// When to compile ahead of the run: "auto", "always", "cached" or "never".
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_aot(spec: Option<&mut wasmrt_spec_t>, policy: Text<'_>, error: ErrorOut<'_>) -> bool {
    set(spec, error, |spec| {
        spec.aot = policy.read("policy")?.parse()?;
        Ok(())
    })
}

/// How much to optimise when compiling: 0 to 3, or -1 for the engine's own default.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_optimize(spec: Option<&mut wasmrt_spec_t>, level: i32, error: ErrorOut<'_>) -> bool {
    set(spec, error, |spec| {
        spec.optimize = match level {
            -1 => None,
            level => Some(
                u8::try_from(level)
                    .ok()
                    .filter(|level| *level <= 3)
                    .ok_or_else(|| invalid(format!("{level} is no level: 0 to 3, or -1 for the engine's default")))?,
            ),
        };
        Ok(())
    })
}

/// Calls `_start`, as WASI commands have it. That is the default.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_entry_start(spec: Option<&mut wasmrt_spec_t>, error: ErrorOut<'_>) -> bool {
    set(spec, error, |spec| {
        spec.entry = Entry::Start;
        Ok(())
    })
}

/// Calls an export by name, with its arguments as text, one for each parameter. The results are in the outcome.
///
/// # Safety
/// `args` points to `count` texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_spec_set_entry_invoke(
    spec: Option<&mut wasmrt_spec_t>,
    name: Text<'_>,
    args: *const *const c_char,
    count: usize,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        // SAFETY: the caller's promise.
        let args = unsafe { slice(args, count, "args") }?;
        // Built from JSON, since only the model makes one.
        spec.entry =
            from_json(serde_json::json!({ "invoke": { "name": name.read("name")?, "args": texts(args, "args")? } }))?;
        Ok(())
    })
}

/// The guest's arguments; the first one is its name for itself. They take the place of earlier ones.
///
/// # Safety
/// `args` points to `count` texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_spec_set_args(
    spec: Option<&mut wasmrt_spec_t>,
    args: *const *const c_char,
    count: usize,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        // SAFETY: the caller's promise.
        let args = unsafe { slice(args, count, "args") }?;
        spec.args = texts(args, "args")?;
        Ok(())
    })
}

/// One argument more.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_add_arg(spec: Option<&mut wasmrt_spec_t>, arg: Text<'_>, error: ErrorOut<'_>) -> bool {
    set(spec, error, |spec| {
        spec.args.push(arg.read("arg")?.to_owned());
        Ok(())
    })
}

/// The time that the guest sees is the machine's. That is the default.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_clock_real(spec: Option<&mut wasmrt_spec_t>, error: ErrorOut<'_>) -> bool {
    set(spec, error, |spec| {
        spec.clock = from_json("real".into())?;
        Ok(())
    })
}

/// The guest's wall clock starts at so many seconds since 1970, its monotonic one at 0; each reading moves both on by a microsecond.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_clock_fixed(
    spec: Option<&mut wasmrt_spec_t>,
    unix_seconds: u64,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.clock = from_json(serde_json::json!({ "fixed": { "unix_seconds": unix_seconds } }))?;
        Ok(())
    })
}

/// The guest's randomness is the machine's, fit for keys. That is the default.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_random_real(spec: Option<&mut wasmrt_spec_t>, error: ErrorOut<'_>) -> bool {
    set(spec, error, |spec| {
        spec.random = from_json("real".into())?;
        Ok(())
    })
}

/// The guest's randomness is the same for the same seed, on every machine and engine. Not fit for keys.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_set_random_fixed(
    spec: Option<&mut wasmrt_spec_t>,
    seed: u64,
    error: ErrorOut<'_>,
) -> bool {
    set(spec, error, |spec| {
        spec.random = from_json(serde_json::json!({ "fixed": { "seed": seed } }))?;
        Ok(())
    })
}

/// Takes a spec back. Runs and instances that were made with it go on.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_spec_delete(spec: Option<Box<wasmrt_spec_t>>) {
    delete(spec);
}

/// Changes a spec, or leaves it as it was.
fn set(spec: Option<&mut wasmrt_spec_t>, error: ErrorOut<'_>, change: impl FnOnce(&mut RunSpec) -> Result<()>) -> bool {
    attempt(error, false, || {
        change(&mut needed(spec, "spec")?.spec)?;
        Ok(true)
    })
}

fn texts(texts: &[*const c_char], parameter: &str) -> Result<Vec<String>> {
    texts.iter().map(|text| Text::of(*text).read(parameter).map(str::to_owned)).collect()
}

fn from_json<T: DeserializeOwned>(json: Value) -> Result<T> {
    serde_json::from_value(json).map_err(|source| invalid(source.to_string()))
}
