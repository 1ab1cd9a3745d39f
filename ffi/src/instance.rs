//! Instances: guests in the caller's process, whose exports are called.
//!
//! C cannot be held to using an instance from one thread at a time, nor from using it within a host function. So each is behind a lock that nobody
//! waits for: who comes second is refused.

pub mod calls;
pub mod memory;

use crate::boundary::{self, ErrorOut, attempt, c_text, delete, needed};
use crate::imports::wasmrt_imports_t;
use crate::module::wasmrt_module_t;
use crate::outcome::wasmrt_outcome_t;
use crate::runtime::wasmrt_runtime_t;
use crate::spec::wasmrt_spec_t;
use crate::streams::{refuse_loose_ends, wasmrt_streams_t};
use std::collections::HashMap;
use std::ffi::{CString, c_char};
use std::ptr::{null, null_mut};
use std::sync::{Mutex, MutexGuard, TryLockError};
use wasmrt_runtime::model::module::ExternType;
use wasmrt_runtime::model::{Error, ErrorKind, IsolationLevel, Outcome, Result, Usage};
use wasmrt_runtime::{CancelHandle, Imports, Instance, InstantiateOptions, Spent};

/// A guest in this process.
#[derive(Debug)]
pub struct wasmrt_instance_t {
    instance: Mutex<Instance>,
    /// How many values each exported function returns, to be known before it is called.
    results: HashMap<String, usize>,
    engine: CString,
    tier: CString,
}

impl wasmrt_instance_t {
    /// The instance, for one use.
    fn enter(&self) -> Result<MutexGuard<'_, Instance>> {
        match self.instance.try_lock() {
            Ok(instance) => Ok(instance),
            // A panic was caught while it was used. The runtime's own state says what has become of the guest.
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Error::new(ErrorKind::Busy, "the instance is being used")
                .with_hint("an instance is used by one thread at a time, and not by the host functions that it calls")),
        }
    }
}

/// Ends a call of an instance from another thread.
#[derive(Debug)]
pub struct wasmrt_cancel_t {
    handle: CancelHandle,
}

/// Bytes that were handed out.
#[derive(Debug)]
pub struct wasmrt_bytes_t {
    bytes: Vec<u8>,
}

/// Makes an instance of a module in this process and lets it start up. `spec` may be NULL for the defaults, which are then those of isolation "in-process"; one that is
/// given has to say so. `imports` may be NULL; `streams` has the descriptors of streams that the spec calls piped, or is NULL.
///
/// A start-up that ends the guest is no error: wasmrt_instance_ending then tells how.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_new(
    runtime: Option<&wasmrt_runtime_t>,
    module: Option<&wasmrt_module_t>,
    spec: Option<&wasmrt_spec_t>,
    imports: Option<&wasmrt_imports_t>,
    streams: Option<&wasmrt_streams_t>,
    error: ErrorOut<'_>,
) -> Option<Box<wasmrt_instance_t>> {
    attempt(error, None, || {
        let embedder = needed(runtime, "runtime")?.embedder();
        let module = needed(module, "module")?;
        let spec = match spec {
            Some(handle) => handle.spec.clone(),
            None => {
                let mut spec = wasmrt_runtime::model::RunSpec::default();
                spec.isolation = IsolationLevel::InProcess;
                spec
            }
        };
        let mut options = InstantiateOptions::default();
        options.piped = wasmrt_streams_t::copies(streams)?;
        refuse_loose_ends(&spec.stdio, &options.piped)?;
        let imports = imports.map_or_else(Imports::new, wasmrt_imports_t::to_model);
        let instance = embedder.instantiate(module.bytes(), &spec, imports, options)?;
        let results = instance.exports().iter().filter_map(|export| match &export.extern_type {
            ExternType::Function(signature) => Some((export.name.clone(), signature.results.len())),
            _ => None,
        });
        Ok(Some(Box::new(wasmrt_instance_t {
            results: results.collect(),
            engine: c_text(instance.engine().as_str()),
            tier: c_text(instance.tier().as_str()),
            instance: Mutex::new(instance),
        })))
    })
}

/// Makes a new guest of the same code: fresh memories and globals, files closed, usage at 0. Host functions, and handles that cancel, stay. Start-up runs again.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_reset(instance: Option<&wasmrt_instance_t>, error: ErrorOut<'_>) -> bool {
    attempt(error, false, || {
        needed(instance, "instance")?.enter()?.reset()?;
        Ok(true)
    })
}

/// Whether the guest can only be reset: it exited, trapped, ran into a limit, was cancelled, or a host function failed.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_is_spent(instance: Option<&wasmrt_instance_t>) -> bool {
    boundary::value(true, || {
        instance.is_none_or(|handle| handle.enter().map_or(true, |instance| instance.spent().is_some()))
    })
}

/// How the guest ended, and what it has used until then: an outcome, which is the caller's. NULL without an error when it has not ended; what it was
/// cancelled by, or failed with, was the error of that call, and is an error here, too.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_ending(
    instance: Option<&wasmrt_instance_t>,
    error: ErrorOut<'_>,
) -> Option<Box<wasmrt_outcome_t>> {
    attempt(error, None, || {
        let mut instance = needed(instance, "instance")?.enter()?;
        let status = match instance.spent() {
            None => return Ok(None),
            Some(Spent::Failed { kind, message }) => return Err(Error::new(*kind, message.clone())),
            Some(Spent::Ended(status)) => status.clone(),
        };
        let used = instance.usage();
        let mut usage = Usage::default();
        usage.memory_pages = Some(used.memory_pages);
        usage.output_bytes = used.output_bytes;
        usage.written_bytes = used.written_bytes;
        let mut outcome = Outcome::new(status, usage, instance.engine(), instance.tier());
        outcome.refusals = instance.refusals();
        Ok(Some(wasmrt_outcome_t::boxed(outcome)))
    })
}

/// What the module offers, as a JSON array of names and types. wasmrt_string_delete takes it back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_exports_json(
    instance: Option<&wasmrt_instance_t>,
    error: ErrorOut<'_>,
) -> *mut c_char {
    attempt(error, null_mut(), || {
        let instance = needed(instance, "instance")?.enter()?;
        let json = serde_json::to_string(instance.exports())
            .map_err(|source| boundary::invalid("exports cannot be written as JSON").with_source(source))?;
        Ok(boundary::give(&json))
    })
}

/// The engine that runs it, such as "wasmtime". NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_engine(instance: Option<&wasmrt_instance_t>) -> *const c_char {
    boundary::value(null(), || instance.map_or(null(), |handle| handle.engine.as_ptr()))
}

/// How the engine runs it: "interpreter", "baseline" or "optimized". NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_tier(instance: Option<&wasmrt_instance_t>) -> *const c_char {
    boundary::value(null(), || instance.map_or(null(), |handle| handle.tier.as_ptr()))
}

/// Takes what the guest wrote to a captured standard output since this was last asked. The bytes are the caller's. NULL without an error when it is not
/// captured.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_take_stdout(
    instance: Option<&wasmrt_instance_t>,
    error: ErrorOut<'_>,
) -> Option<Box<wasmrt_bytes_t>> {
    attempt(error, None, || {
        let taken = needed(instance, "instance")?.enter()?.take_stdout()?;
        Ok(taken.map(|bytes| Box::new(wasmrt_bytes_t { bytes })))
    })
}

/// As wasmrt_instance_take_stdout, for standard error.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_take_stderr(
    instance: Option<&wasmrt_instance_t>,
    error: ErrorOut<'_>,
) -> Option<Box<wasmrt_bytes_t>> {
    attempt(error, None, || {
        let taken = needed(instance, "instance")?.enter()?.take_stderr()?;
        Ok(taken.map(|bytes| Box::new(wasmrt_bytes_t { bytes })))
    })
}

/// What ends a call of the instance from another thread. It is the caller's, and good for as long as the instance, resets included; later it does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_cancel_handle(
    instance: Option<&wasmrt_instance_t>,
    error: ErrorOut<'_>,
) -> Option<Box<wasmrt_cancel_t>> {
    attempt(error, None, || {
        let handle = needed(instance, "instance")?.enter()?.cancel_handle()?;
        Ok(Some(Box::new(wasmrt_cancel_t { handle })))
    })
}

/// Ends the call that is under way, which then fails with WASMRT_ERROR_CANCELLED. False when there was none to end.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_cancel(cancel: Option<&wasmrt_cancel_t>) -> bool {
    boundary::value(false, || cancel.is_some_and(|cancel| cancel.handle.cancel()))
}

/// Takes a handle that cancels back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_cancel_delete(cancel: Option<Box<wasmrt_cancel_t>>) {
    delete(cancel);
}

/// The bytes. Not NULL, unless for NULL; how many there are wasmrt_bytes_size tells.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_bytes_data(bytes: Option<&wasmrt_bytes_t>) -> *const u8 {
    boundary::value(null(), || match bytes.map(|handle| handle.bytes.as_slice()) {
        None => null(),
        Some([]) => c"".as_ptr().cast(),
        Some(bytes) => bytes.as_ptr(),
    })
}

/// How many bytes there are.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_bytes_size(bytes: Option<&wasmrt_bytes_t>) -> usize {
    boundary::value(0, || bytes.map_or(0, |handle| handle.bytes.len()))
}

/// Takes bytes back.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_bytes_delete(bytes: Option<Box<wasmrt_bytes_t>>) {
    delete(bytes);
}

/// Takes an instance back. Not while it is being used.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_instance_delete(instance: Option<Box<wasmrt_instance_t>>) {
    delete(instance);
}
