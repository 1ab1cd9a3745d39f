//! Runtimes and how they are set up: an [`Embedder`] as C has it.

use crate::boundary::{self, ErrorOut, Text, attempt, delete, give, invalid, needed};
use crate::module::wasmrt_module_t;
use crate::spec::wasmrt_spec_t;
use std::ffi::c_char;
use std::ptr::null_mut;
use wasmrt_runtime::model::{Ceiling, Result};
use wasmrt_runtime::{CacheConfig, Embedder, EmbedderConfig};

/// How a runtime is to be set up.
#[derive(Debug)]
pub struct wasmrt_config_t {
    config: EmbedderConfig,
}

/// What runs guests: engines, the cache of native code, and the process that guests are forked from.
#[derive(Debug)]
pub struct wasmrt_runtime_t {
    embedder: Embedder,
}

impl wasmrt_runtime_t {
    pub(crate) fn embedder(&self) -> &Embedder {
        &self.embedder
    }
}

/// The defaults: the cache that the environment names (WASMRT_CACHE_DIR, else one below the user's cache directory), no ceiling,
/// wasmrt-worker where it is found, 64 runs at once, 512 that wait.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_config_new() -> Option<Box<wasmrt_config_t>> {
    boundary::value(None, || Some(Box::new(wasmrt_config_t { config: EmbedderConfig::default() })))
}

/// Where native code is kept. NULL: nowhere; it is then made for each run.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_config_set_cache_directory(
    config: Option<&mut wasmrt_config_t>,
    directory: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(config, error, |config| {
        let directory = directory.bytes().map(|_| directory.path("directory")).transpose()?;
        config.runtime.cache.directory = directory.map(Into::into);
        if config.runtime.cache.max_bytes == 0 {
            config.runtime.cache.max_bytes = CacheConfig::DEFAULT_MAX_BYTES;
        }
        Ok(())
    })
}

/// What native code may take on disk, in bytes. 2 GiB by default.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_config_set_cache_bytes(
    config: Option<&mut wasmrt_config_t>,
    bytes: u64,
    error: ErrorOut<'_>,
) -> bool {
    set(config, error, |config| {
        config.runtime.cache.max_bytes = bytes;
        Ok(())
    })
}

/// What no run may exceed, as a JSON object: `limits` as in a run spec, `engines` (a list of names), `preopens` and `network`
/// (false to forbid them). What is left out is not bounded.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_config_set_ceiling_json(
    config: Option<&mut wasmrt_config_t>,
    json: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(config, error, |config| {
        config.runtime.ceiling = Ceiling::from_json(json.read("json")?)?;
        Ok(())
    })
}

/// Where the executable wasmrt-worker is. NULL: where it is found, which is where the variable WASMRT_WORKER says, beside the
/// library, or in ../libexec/wasmrt from there.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_config_set_worker(
    config: Option<&mut wasmrt_config_t>,
    path: Text<'_>,
    error: ErrorOut<'_>,
) -> bool {
    set(config, error, |config| {
        config.worker = path.bytes().map(|_| path.path("path")).transpose()?.map(Into::into);
        Ok(())
    })
}

/// How many runs may be under way at once, 1 at least.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_config_set_max_runs(
    config: Option<&mut wasmrt_config_t>,
    runs: usize,
    error: ErrorOut<'_>,
) -> bool {
    set(config, error, |config| {
        if runs == 0 {
            return Err(invalid("there has to be room for one run"));
        }
        config.max_runs = runs;
        Ok(())
    })
}

/// How many runs may wait for others to end. Each takes a descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_config_set_queue(
    config: Option<&mut wasmrt_config_t>,
    runs: usize,
    error: ErrorOut<'_>,
) -> bool {
    set(config, error, |config| {
        config.queue = runs;
        Ok(())
    })
}

/// Takes a configuration back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_config_delete(config: Option<Box<wasmrt_config_t>>) {
    delete(config);
}

/// A runtime. The configuration is copied; NULL means the defaults. Nothing is started or loaded yet: wasmrt-worker is started by
/// the first run.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_runtime_new(
    config: Option<&wasmrt_config_t>,
    error: ErrorOut<'_>,
) -> Option<Box<wasmrt_runtime_t>> {
    attempt(error, None, || {
        let config = config.map(|handle| handle.config.clone()).unwrap_or_default();
        Ok(Some(Box::new(wasmrt_runtime_t { embedder: Embedder::new(config) })))
    })
}

/// The engines as a JSON array: `name`, and `capabilities` (version, tiers, features) or `error` (why it cannot be had). They are loaded in
/// wasmrt-worker, not in this process. wasmrt_string_delete takes it back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_runtime_engines_json(runtime: Option<&wasmrt_runtime_t>, error: ErrorOut<'_>) -> *mut c_char {
    attempt(error, null_mut(), || write(&needed(runtime, "runtime")?.embedder.engines()?))
}

/// What a module is, as JSON: imports, exports, memories, features, and what each engine says to it. wasmrt_string_delete takes it back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_runtime_inspect_json(
    runtime: Option<&wasmrt_runtime_t>,
    module: Option<&wasmrt_module_t>,
    error: ErrorOut<'_>,
) -> *mut c_char {
    attempt(error, null_mut(), || {
        let embedder = needed(runtime, "runtime")?.embedder();
        let inspection = embedder.inspect(needed(module, "module")?.for_runs(embedder)?)?;
        write(&inspection)
    })
}

/// Makes native code for runs with this spec (NULL: the defaults) and puts it into the cache. Returns JSON: engine, tier, code_bytes, and elapsed, which
/// is null when it was there already. wasmrt_string_delete takes it back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_runtime_compile_json(
    runtime: Option<&wasmrt_runtime_t>,
    module: Option<&wasmrt_module_t>,
    spec: Option<&wasmrt_spec_t>,
    error: ErrorOut<'_>,
) -> *mut c_char {
    attempt(error, null_mut(), || {
        let embedder = needed(runtime, "runtime")?.embedder();
        let spec = spec.map(|handle| handle.spec.clone()).unwrap_or_default();
        write(&embedder.compile(needed(module, "module")?.for_runs(embedder)?, &spec)?)
    })
}

/// Makes everything ready that a run of this module with this spec (NULL: the defaults) needs, so that the first run is as quick as
/// later ones.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_runtime_preload(
    runtime: Option<&wasmrt_runtime_t>,
    module: Option<&wasmrt_module_t>,
    spec: Option<&wasmrt_spec_t>,
    error: ErrorOut<'_>,
) -> bool {
    attempt(error, false, || {
        let embedder = needed(runtime, "runtime")?.embedder();
        let spec = spec.map(|handle| handle.spec.clone()).unwrap_or_default();
        embedder.preload(needed(module, "module")?.for_runs(embedder)?, &spec)?;
        Ok(true)
    })
}

/// How many runs there are, as JSON: running, queued, max_runs, queue, worker (its process id, or null) and restarts. wasmrt_string_delete
/// takes it back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_runtime_status_json(runtime: Option<&wasmrt_runtime_t>, error: ErrorOut<'_>) -> *mut c_char {
    attempt(error, null_mut(), || write(&needed(runtime, "runtime")?.embedder.status()))
}

/// Ends all runs, as cancelled, and wasmrt-worker; returns when it is gone. Runs that are started later fail with WASMRT_ERROR_CANCELLED. Instances go on.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_runtime_close(runtime: Option<&wasmrt_runtime_t>) {
    boundary::value((), || {
        if let Some(runtime) = runtime {
            runtime.embedder.close();
        }
    });
}

/// Takes a runtime back. Its runs and instances go on: wasmrt-worker ends with the last run.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_runtime_delete(runtime: Option<Box<wasmrt_runtime_t>>) {
    delete(runtime);
}

fn set(
    config: Option<&mut wasmrt_config_t>,
    error: ErrorOut<'_>,
    change: impl FnOnce(&mut EmbedderConfig) -> Result<()>,
) -> bool {
    attempt(error, false, || {
        change(&mut needed(config, "config")?.config)?;
        Ok(true)
    })
}

fn write(value: &impl serde::Serialize) -> Result<*mut c_char> {
    let json =
        serde_json::to_string(value).map_err(|source| invalid("this cannot be written as JSON").with_source(source))?;
    Ok(give(&json))
}
