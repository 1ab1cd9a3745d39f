//! Host functions: C callbacks that guests call, and the guest as such a callback sees it.

use crate::boundary::{self, ErrorOut, Text, attempt, delete, invalid, needed, slice, slice_mut};
use crate::error::wasmrt_error_t;
use crate::value::{type_of, wasmrt_value_t};
use std::ffi::c_void;
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::Arc;
use wasmrt_runtime::model::{FunctionType, Result, Value, ValueType};
use wasmrt_runtime::{Caller, Imports};

/// What a program offers to guests besides WASI: functions and memories. For any number of instances.
#[derive(Debug, Default)]
pub struct wasmrt_imports_t {
    functions: Vec<Offered>,
    memories: Vec<(String, String, u64)>,
}

/// The guest that calls a host function. It is there during the call only.
#[derive(Debug)]
pub struct wasmrt_caller_t {
    memory: *mut u8,
    size: usize,
}

/// A host function. `data` is what was given with it. `args` has the values that the guest passes, `results` room for those that it gets, already of the right
/// types and zero. Returns NULL when all is well, else an error (of wasmrt_error_new, or one that it got), which it gives away: the guest is ended, and the error
/// reaches the caller of the call as it is.
///
/// It runs on the thread of the call, must return in the ordinary way (neither longjmp nor a C++ exception), and cannot use the instance that calls it.
pub type wasmrt_host_function_t = Option<
    unsafe extern "C" fn(
        data: *mut c_void,
        caller: *mut wasmrt_caller_t,
        args: *const wasmrt_value_t,
        args_count: usize,
        results: *mut wasmrt_value_t,
        results_count: usize,
    ) -> Option<Box<wasmrt_error_t>>,
>;

/// Called once with the data of a host function, when nothing uses it any more.
pub type wasmrt_finalizer_t = Option<unsafe extern "C" fn(data: *mut c_void)>;

#[derive(Debug, Clone)]
struct Offered {
    module: String,
    name: String,
    signature: FunctionType,
    function: Arc<Callback>,
}

/// A callback of C's and what goes with it.
struct Callback {
    function: unsafe extern "C" fn(
        *mut c_void,
        *mut wasmrt_caller_t,
        *const wasmrt_value_t,
        usize,
        *mut wasmrt_value_t,
        usize,
    ) -> Option<Box<wasmrt_error_t>>,
    data: *mut c_void,
    finalizer: wasmrt_finalizer_t,
}

// SAFETY: whoever offers a function promises that it and its data can be used from the threads on which instances are used.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("data", &self.data).finish_non_exhaustive()
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(finalizer) = self.finalizer {
            // SAFETY: called once, with what it was given for; the caller of wasmrt_imports_add_function promises the rest.
            unsafe { finalizer(self.data) }
        }
    }
}

/// More values than this are rare, and cost an allocation.
const ON_STACK: usize = 8;

impl Callback {
    fn call(&self, signature: &FunctionType, caller: &mut Caller<'_>, args: &[Value]) -> Result<Vec<Value>> {
        let mut memory = caller.memory();
        let bytes = memory.bytes_mut();
        let mut seen = wasmrt_caller_t { size: bytes.len(), memory: bytes.as_mut_ptr() };
        let zero = wasmrt_value_t::zero(ValueType::I64);
        let (mut few_args, mut few_results) = ([zero; ON_STACK], [zero; ON_STACK]);
        let (mut many_args, mut many_results) = (Vec::new(), Vec::new());
        let args_for_c = room(&mut few_args, &mut many_args, args.len());
        for (place, arg) in args_for_c.iter_mut().zip(args) {
            *place = wasmrt_value_t::from_model(*arg);
        }
        let results = room(&mut few_results, &mut many_results, signature.results.len());
        for (place, result) in results.iter_mut().zip(&signature.results) {
            *place = wasmrt_value_t::zero(*result);
        }
        // SAFETY: as the header says: so many values, room for so many, and a guest whose memory nobody else uses during the call.
        let error = unsafe {
            (self.function)(
                self.data,
                &raw mut seen,
                args_for_c.as_ptr(),
                args_for_c.len(),
                results.as_mut_ptr(),
                results.len(),
            )
        };
        match error {
            Some(error) => Err(error.into_error()),
            None => results.iter().map(|result| result.to_model()).collect(),
        }
    }
}

fn room<'a>(
    few: &'a mut [wasmrt_value_t; ON_STACK],
    many: &'a mut Vec<wasmrt_value_t>,
    count: usize,
) -> &'a mut [wasmrt_value_t] {
    if count > ON_STACK {
        many.resize(count, wasmrt_value_t::zero(ValueType::I64));
        return many;
    }
    few.get_mut(..count).unwrap_or_default()
}

impl wasmrt_imports_t {
    /// For one instance.
    pub(crate) fn to_model(&self) -> Imports {
        let mut imports = Imports::new();
        for Offered { module, name, signature, function } in self.functions.iter().cloned() {
            let own = signature.clone();
            imports = imports.function(module, name, own, move |caller, args| function.call(&signature, caller, args));
        }
        for (module, name, pages) in &self.memories {
            imports = imports.memory(module, name, *pages);
        }
        imports
    }
}

/// Nothing but WASI, which is there in any case.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_imports_new() -> Option<Box<wasmrt_imports_t>> {
    boundary::value(None, || Some(Box::default()))
}

/// Offers a function under a module's name and its own. `params` and `results` are wasmrt_value_type_t, so many each. It takes precedence over one of WASI of the
/// same name.
///
/// The function and `data` are used on whatever thread an instance is used, and by several at once when several instances are. `finalizer`, unless it is NULL, is
/// called with `data` when the imports and all instances made with them are deleted, and at once when this fails.
///
/// # Safety
/// `params` and `results` point to so many types; `function` and `finalizer` can be called with `data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_imports_add_function(
    imports: Option<&mut wasmrt_imports_t>,
    module: Text<'_>,
    name: Text<'_>,
    params: *const u32,
    params_count: usize,
    results: *const u32,
    results_count: usize,
    function: wasmrt_host_function_t,
    data: *mut c_void,
    finalizer: wasmrt_finalizer_t,
    error: ErrorOut<'_>,
) -> bool {
    attempt(error, false, || {
        let Some(function) = function else {
            if let Some(finalizer) = finalizer {
                // SAFETY: the caller's promise.
                unsafe { finalizer(data) }
            }
            return Err(boundary::missing("function"));
        };
        // From here on the finalizer is called whatever happens.
        let function = Arc::new(Callback { function, data, finalizer });
        let imports = needed(imports, "imports")?;
        // SAFETY: the caller's promise.
        let params = unsafe { slice(params, params_count, "params") }?;
        // SAFETY: the caller's promise.
        let results = unsafe { slice(results, results_count, "results") }?;
        let types = |codes: &[u32]| codes.iter().map(|code| type_of(*code)).collect::<Result<Vec<_>>>();
        let signature = FunctionType::new(&types(params)?, &types(results)?);
        let (module, name) = (module.read("module")?.to_owned(), name.read("name")?.to_owned());
        imports.functions.push(Offered { module, name, signature, function });
        Ok(true)
    })
}

/// Offers a memory that each guest has for itself, of at least so many pages of 64 KiB at the start. It counts against the limit memory_bytes.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_imports_add_memory(
    imports: Option<&mut wasmrt_imports_t>,
    module: Text<'_>,
    name: Text<'_>,
    pages: u64,
    error: ErrorOut<'_>,
) -> bool {
    attempt(error, false, || {
        let imports = needed(imports, "imports")?;
        imports.memories.push((module.read("module")?.to_owned(), name.read("name")?.to_owned(), pages));
        Ok(true)
    })
}

/// Takes imports back. Instances that were made with them go on.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_imports_delete(imports: Option<Box<wasmrt_imports_t>>) {
    delete(imports);
}

/// All of the calling guest's memory, and its size in bytes. It is there during the call only. Without a memory the size is 0. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_caller_memory(
    caller: Option<&wasmrt_caller_t>,
    size: Option<&mut MaybeUninit<usize>>,
) -> *mut u8 {
    boundary::value(null_mut(), || {
        let (memory, bytes) = caller.map_or((null_mut(), 0), |caller| (caller.memory, caller.size));
        if let Some(size) = size {
            size.write(bytes);
        }
        memory
    })
}

/// Copies so many bytes of the calling guest's memory, from `offset` on, to `bytes`: all, or none when they do not all lie in the memory.
///
/// # Safety
/// `bytes` has room for `count` bytes, outside the guest's memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_caller_memory_read(
    caller: Option<&wasmrt_caller_t>,
    offset: u64,
    bytes: *mut u8,
    count: usize,
    error: ErrorOut<'_>,
) -> bool {
    attempt(error, false, || {
        let place = needed(caller, "caller")?.place(offset, count)?;
        // SAFETY: the caller's promise.
        let bytes = unsafe { slice_mut(bytes, count, "bytes") }?;
        // SAFETY: these bytes lie in the memory, which is the callback's during the call.
        let memory = unsafe { slice(place.cast_const(), count, "memory") }?;
        bytes.copy_from_slice(memory);
        Ok(true)
    })
}

/// Copies so many bytes to the calling guest's memory, from `offset` on: all, or none when they do not all fit.
///
/// # Safety
/// `bytes` points to `count` bytes, outside the guest's memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_caller_memory_write(
    caller: Option<&wasmrt_caller_t>,
    offset: u64,
    bytes: *const u8,
    count: usize,
    error: ErrorOut<'_>,
) -> bool {
    attempt(error, false, || {
        let place = needed(caller, "caller")?.place(offset, count)?;
        // SAFETY: the caller's promise.
        let bytes = unsafe { slice(bytes, count, "bytes") }?;
        // SAFETY: these bytes lie in the memory, which is the callback's during the call.
        let memory = unsafe { slice_mut(place, count, "memory") }?;
        memory.copy_from_slice(bytes);
        Ok(true)
    })
}

impl wasmrt_caller_t {
    /// Where so many bytes from this offset on are, if all of them are there.
    fn place(&self, offset: u64, count: usize) -> Result<*mut u8> {
        let start = usize::try_from(offset).ok();
        let inside = start.and_then(|start| start.checked_add(count)).is_some_and(|end| end <= self.size);
        match start {
            Some(start) if inside => Ok(self.memory.wrapping_add(start)),
            _ => Err(invalid(format!("{count} bytes at {offset} are not all in the memory, which has {}", self.size))
                .with_operation("access memory")),
        }
    }
}
