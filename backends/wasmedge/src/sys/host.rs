//! The way from a guest's import into the host, and back with an ending.
//!
//! Owns the one function that the library calls, and what it needs: which import it stands for, the host, the guest's
//! memory. It decides nothing: a panic or an ending of the host stops the guest and is kept until the call is over.

use super::abi::{self, Status, Str, ValType};
use super::{Code, Library, Owned};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::rc::Rc;
use wasmrt_backend::{MEMORY, PAGE_BYTES, call_host, with_slots};
use wasmrt_model::backend::{Ending, HostFunctions, ImportedFunction};
use wasmrt_model::{Error, ErrorKind, ValueType};

/// What all imports of one guest share.
#[derive(Debug)]
pub(super) struct Host {
    library: &'static Library,
    functions: RefCell<Box<dyn HostFunctions>>,
    ending: RefCell<Option<Ending>>,
    memory: Cell<Memory>,
}

/// What is known of the memory that the guest exports as `memory`.
#[derive(Debug, Clone, Copy)]
enum Memory {
    /// Not looked for yet.
    Unknown,
    /// It exports none.
    Absent,
    /// It is there, and stays for as long as the guest.
    Found(NonNull<abi::MemoryInstance>),
}

/// One import: what the library hands back to us on every call of it.
#[derive(Debug)]
pub(super) struct Import {
    index: usize,
    params: Vec<ValueType>,
    results: Vec<ValType>,
    host: Rc<Host>,
}

impl Host {
    pub(super) fn new(library: &'static Library, functions: Box<dyn HostFunctions>) -> Rc<Self> {
        Rc::new(Self {
            library,
            functions: RefCell::new(functions),
            ending: RefCell::new(None),
            memory: Cell::new(Memory::Unknown),
        })
    }

    /// The ending that the host asked for during the call that is now over.
    pub(super) fn take_ending(&self) -> Option<Ending> {
        self.ending.take()
    }

    /// Looks for the memory in the instance itself. Until then it is looked for in the frame of whoever calls, and a call without one, as of
    /// an import that is exported again, sees none.
    pub(super) fn instantiated(&self, guest: &Owned<abi::ModuleInstance>) {
        // SAFETY: the instance is live; the name is constant text.
        let found = unsafe { (self.library.functions.instance_find_memory)(guest.as_ptr(), Str::new("memory")) };
        self.memory.set(NonNull::new(found).map_or(Memory::Absent, Memory::Found));
    }

    /// Start and length of the guest's memory as it is now.
    fn memory(&self, frame: *const abi::CallingFrame) -> (*mut u8, usize) {
        const NOTHING: (*mut u8, usize) = (NonNull::dangling().as_ptr(), 0);
        let functions = &self.library.functions;
        let memory = match self.memory.get() {
            Memory::Found(memory) => memory,
            Memory::Absent => return NOTHING,
            Memory::Unknown => {
                // SAFETY: the library called us with this frame, so it is live.
                let guest = unsafe { (functions.frame_module_instance)(frame) };
                if guest.is_null() {
                    return NOTHING;
                }
                // SAFETY: the guest is running, so its instance is live; the name is constant text.
                let found = unsafe { (functions.instance_find_memory)(guest, Str::new(MEMORY)) };
                let Some(memory) = NonNull::new(found) else {
                    self.memory.set(Memory::Absent);
                    return NOTHING;
                };
                self.memory.set(Memory::Found(memory));
                memory
            }
        };
        // SAFETY: the memory belongs to the guest that is running.
        let pages = unsafe { (functions.memory_pages)(memory.as_ptr()) };
        let length = usize::try_from(u64::from(pages).saturating_mul(PAGE_BYTES)).unwrap_or(0);
        if length == 0 {
            return NOTHING;
        }
        // SAFETY: as above. One byte is asked for, because the whole of 4 GiB does not fit the parameter.
        let start = unsafe { (functions.memory_pointer)(memory.as_ptr(), 0, 1) };
        if start.is_null() { NOTHING } else { (start, length) }
    }

    /// Carries a call out and writes its results.
    fn call(
        &self,
        import: &Import,
        frame: *const abi::CallingFrame,
        params: &[abi::Value],
        returns: &mut [abi::Value],
    ) -> Result<(), Ending> {
        let mut functions = self.functions.try_borrow_mut().map_err(|_| {
            Error::new(ErrorKind::Internal, "the guest called the host while the host was at work for it")
        })?;
        let (start, length) = self.memory(frame);
        // SAFETY: the library keeps `length` bytes mapped at `start`. The guest waits for us, no call below gets to the
        // library, and the slice ends with this call: so nothing else touches or moves the memory meanwhile.
        let memory = unsafe { std::slice::from_raw_parts_mut(start, length) };
        with_slots(params.len(), |args| {
            for (word, (value, value_type)) in args.iter_mut().zip(params.iter().zip(&import.params)) {
                *word = low_bits(value.bits, *value_type);
            }
            with_slots(returns.len(), |results| {
                functions.call(import.index, memory, args, results)?;
                for (value, (bits, val_type)) in returns.iter_mut().zip(results.iter().zip(&import.results)) {
                    *value = abi::Value { bits: u128::from(*bits), val_type: *val_type };
                }
                Ok(())
            })
        })
    }
}

impl Import {
    /// None when the signature has types that cannot cross.
    pub(super) fn new(index: usize, function: &ImportedFunction, host: &Rc<Host>) -> Option<Rc<Self>> {
        let types = &host.library.types;
        function.signature.params.iter().try_for_each(|param| types.of_number(*param).map(|_| ()))?;
        let results =
            function.signature.results.iter().map(|result| types.of_number(*result)).collect::<Option<_>>()?;
        Some(Rc::new(Self { index, params: function.signature.params.clone(), results, host: Rc::clone(host) }))
    }

    /// The function that the library calls for this import. It must not outlive `self`.
    pub(super) fn function(self: &Rc<Self>) -> Result<Owned<abi::FunctionInstance>, Code> {
        let library = self.host.library;
        let params: Vec<_> = self.params.iter().filter_map(|param| library.types.of_number(*param)).collect();
        make_function(library, &params, &self.results, call_import, Rc::as_ptr(self).cast())
    }
}

/// A function of the host, for `data` to be given to `function`.
pub(super) fn make_function(
    library: &'static Library,
    params: &[ValType],
    results: &[ValType],
    function: abi::HostFunction,
    data: *const c_void,
) -> Result<Owned<abi::FunctionInstance>, Code> {
    let functions = &library.functions;
    let count = |types: &[ValType]| u32::try_from(types.len()).map_err(|_| Code::GENERIC);
    let (params_count, results_count) = (count(params)?, count(results)?);
    // SAFETY: both lists are as long as their counts say.
    let signature =
        unsafe { (functions.function_type_create)(params.as_ptr(), params_count, results.as_ptr(), results_count) };
    let signature = Owned::new(signature, functions.function_type_delete)?;
    // SAFETY: the signature is live and copied; the library only hands `data` on to `function`.
    let made = unsafe { (functions.function_create)(signature.as_ptr(), function, data.cast_mut(), 0) };
    Owned::new(made, functions.function_delete)
}

/// What the library calls for every import. No panic crosses it.
unsafe extern "C" fn call_import(
    data: *mut c_void,
    frame: *const abi::CallingFrame,
    params: *const abi::Value,
    returns: *mut abi::Value,
) -> Status {
    // SAFETY: `data` is the import that the function was made with; its guest, which is running, keeps it alive.
    let Some(import) = (unsafe { data.cast::<Import>().as_ref() }) else {
        return Status::TERMINATED;
    };
    let params = match NonNull::new(params.cast_mut()) {
        // SAFETY: the library passes as many values as the signature has parameters.
        Some(first) => unsafe { std::slice::from_raw_parts(first.as_ptr(), import.params.len()) },
        None => &[],
    };
    let returns = match NonNull::new(returns) {
        // SAFETY: the library passes room for as many values as the signature has results, to us alone.
        Some(first) => unsafe { std::slice::from_raw_parts_mut(first.as_ptr(), import.results.len()) },
        None => &mut [],
    };
    let host = &import.host;
    let called = call_host(import.index, || {
        if params.len() != import.params.len() || returns.len() != import.results.len() {
            return Err(Error::new(ErrorKind::Internal, "WasmEdge passed no values for a host function").into());
        }
        host.call(import, frame, params, returns)
    });
    match called {
        Ok(()) => Status::SUCCESS,
        Err(ending) => {
            host.ending.replace(Some(ending));
            Status::TERMINATED
        }
    }
}

/// The bits of a value, zero-extended, whatever the library left above a 32-bit one.
pub(super) fn low_bits(bits: u128, value_type: ValueType) -> u64 {
    let mask = match value_type {
        ValueType::I32 | ValueType::F32 => u64::from(u32::MAX),
        _ => u64::MAX,
    };
    #[expect(clippy::cast_possible_truncation, reason = "numbers live in the low half")]
    let low = bits as u64;
    low & mask
}
