//! A guest: an instance with everything that it needs to run.
//!
//! Owns the contexts in the order in which they may go, and every call into the guest. What a code means is decided elsewhere.

use super::abi::{self, Status, Str, ValType};
use super::bridge;
use super::host::{Host, Import, low_bits, make_function};
use super::interrupt::{Armed, ExecutorInterrupter};
use super::native::Turn;
use super::{Code, Library, Module, Owned, Settings};
use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use wasmrt_backend::PAGE_BYTES;
use wasmrt_model::backend::{Ending, HostFunctions, ImportedFunction};
use wasmrt_model::{FeatureSet, FunctionType, Value, ValueType};

/// Why a call did not return.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The host ended the guest.
    ByHost(Ending),
    /// WasmEdge did.
    WithCode(Code),
}

impl From<Code> for Stopped {
    fn from(code: Code) -> Self {
        Self::WithCode(code)
    }
}

/// A guest that is ready to be called.
///
/// The order of the fields is the order in which they are dropped: users before what they use.
#[derive(Debug)]
pub(crate) struct Guest {
    functions: HashMap<String, Function>,
    globals: Vec<Global>,
    interrupter: Option<Armed>,
    instance: Owned<abi::ModuleInstance>,
    probe: Option<Probe>,
    _bridges: Vec<Bridge>,
    _host_modules: Vec<Owned<abi::ModuleInstance>>,
    executor: Owned<abi::Executor>,
    _store: Owned<abi::Store>,
    _imports: Vec<Rc<Import>>,
    host: Rc<Host>,
    library: &'static Library,
    _module: Arc<Module>,
    settings: Arc<Settings>,
}

/// Functions between the guest and the host.
#[derive(Debug)]
struct Bridge {
    _instance: Owned<abi::ModuleInstance>,
    _module: Module,
}

/// An exported function. The pointer is good for as long as the instance.
#[derive(Debug)]
struct Function {
    raw: NonNull<abi::FunctionInstance>,
    signature: FunctionType,
}

// SAFETY: WasmEdge keeps no thread's own state between calls of an interpreter, and documents that a function may be invoked from another thread
// than the one that made its instance. Every pointer and every `Rc` in here is reached through this one owner, so all of them move together; what
// may be shared with other threads, the interrupter, holds none of them.
unsafe impl Send for Guest {}

/// An exported global of a number type. The pointer is good for as long as the instance.
#[derive(Debug)]
struct Global {
    name: String,
    raw: NonNull<abi::GlobalInstance>,
    value_type: ValueType,
}

/// The guest's own memories, in order, exported or not. The pointers are good for as long as the instance.
#[derive(Debug)]
struct Probe {
    name: String,
    found: Rc<Found>,
}

#[derive(Debug)]
struct Found {
    library: &'static Library,
    memories: RefCell<Vec<NonNull<abi::MemoryInstance>>>,
}

impl Guest {
    /// Instantiates a module that needs these features over these imports, and runs its start section.
    pub(crate) fn new(
        settings: &Arc<Settings>,
        module: &Arc<Module>,
        features: FeatureSet,
        imports: &[ImportedFunction],
        host: Box<dyn HostFunctions>,
    ) -> Result<Self, Stopped> {
        let library = settings.library;
        let functions = &library.functions;
        let host = Host::new(library, host);
        let mut kept = Vec::with_capacity(imports.len());
        let hidden_name = (!settings.native && bridge::is_needed(features)).then(|| bridge::hidden_name(imports));
        let host_modules = match &hidden_name {
            Some(name) => host_modules(library, &bridge::hidden(imports, name), &host, &mut kept)?,
            None => host_modules(library, imports, &host, &mut kept)?,
        };
        // SAFETY: the function takes nothing.
        let store = Owned::new(unsafe { (functions.store_create)() }, functions.store_delete)?;
        // SAFETY: the configuration is live; statistics may be null.
        let executor = unsafe { (functions.executor_create)(settings.raw.as_ptr(), std::ptr::null_mut()) };
        let executor = Owned::new(executor, functions.executor_delete)?;
        for module in &host_modules {
            // SAFETY: all three are live; the store goes before the module does.
            let status =
                unsafe { (functions.executor_register_import)(executor.as_ptr(), store.as_ptr(), module.as_ptr()) };
            Code::check(status)?;
        }
        let bridges = match &hidden_name {
            Some(name) => bridges(settings, imports, name, &executor, &store)?,
            None => Vec::new(),
        };
        let mut raw = std::ptr::null_mut();
        let turn = settings.native.then(Turn::take);
        // SAFETY: all contexts are live, `raw` may be written. The start section may call our imports, which are kept.
        let status = unsafe {
            (functions.executor_instantiate)(executor.as_ptr(), &raw mut raw, store.as_ptr(), module.raw.as_ptr())
        };
        drop(turn);
        // Take it first, so that it is deleted on every way out.
        let instance = Owned::new(raw, functions.instance_delete);
        if let Some(ending) = host.take_ending() {
            return Err(Stopped::ByHost(ending));
        }
        Code::check(status)?;
        let instance = instance?;
        host.instantiated(&instance);
        Ok(Self {
            functions: HashMap::new(),
            globals: Vec::new(),
            interrupter: None,
            instance,
            probe: None,
            _bridges: bridges,
            _host_modules: host_modules,
            executor,
            _store: store,
            _imports: kept,
            host,
            library,
            _module: Arc::clone(module),
            settings: Arc::clone(settings),
        })
    }

    /// The signature of an exported function.
    pub(crate) fn signature(&mut self, name: &str) -> Option<&FunctionType> {
        self.function(name).map(|function| &function.signature)
    }

    /// Calls an exported function. None when there is none of that name.
    pub(crate) fn call(&mut self, name: &str, args: &[Value]) -> Option<Result<Vec<Value>, Stopped>> {
        let function = self.function(name)?;
        let (raw, results) = (function.raw, function.signature.results.clone());
        Some(self.invoke(raw, args, &results))
    }

    fn invoke(
        &mut self,
        function: NonNull<abi::FunctionInstance>,
        args: &[Value],
        results: &[ValueType],
    ) -> Result<Vec<Value>, Stopped> {
        let types = &self.library.types;
        let args: Vec<_> = args.iter().map(|arg| types.value(*arg)).collect();
        let mut returns = vec![types.value(Value::I32(0)); results.len()];
        let args_count = u32::try_from(args.len()).map_err(|_| Code::GENERIC)?;
        let returns_count = u32::try_from(returns.len()).map_err(|_| Code::GENERIC)?;
        let turn = self.settings.native.then(Turn::take);
        // SAFETY: the function belongs to our instance, and both lists are as long as their counts say. WasmEdge checks
        // the arguments against the signature.
        let status = unsafe {
            (self.library.functions.executor_invoke)(
                self.executor.as_ptr(),
                function.as_ptr(),
                args.as_ptr(),
                args_count,
                returns.as_mut_ptr(),
                returns_count,
            )
        };
        drop(turn);
        if let Some(ending) = self.host.take_ending() {
            return Err(Stopped::ByHost(ending));
        }
        Code::check(status)?;
        let bits = returns.iter().zip(results).map(|(value, value_type)| {
            Value::from_bits(*value_type, low_bits(value.bits, *value_type)).ok_or(Code::GENERIC)
        });
        Ok(bits.collect::<Result<_, _>>()?)
    }

    /// The current pages of every memory of its own, in order.
    pub(crate) fn memories(&mut self) -> Result<Vec<u64>, Stopped> {
        if self.probe.is_none() {
            self.probe = Some(self.probe_memories()?);
        }
        let memories = self.probe.iter().flat_map(|probe| probe.found.memories.borrow().clone());
        Ok(memories
            .map(|memory| {
                // SAFETY: the memory belongs to our instance.
                u64::from(unsafe { (self.library.functions.memory_pages)(memory.as_ptr()) })
            })
            .collect())
    }

    /// The value of an exported global of a number type.
    pub(crate) fn global(&mut self, name: &str) -> Option<Value> {
        let (raw, value_type) = self.find_global(name)?;
        // SAFETY: the global belongs to our instance.
        let value = unsafe { (self.library.functions.global_get)(raw.as_ptr()) };
        Value::from_bits(value_type, low_bits(value.bits, value_type))
    }

    /// Sets an exported global. False unless it is mutable and of this type.
    pub(crate) fn set_global(&mut self, name: &str, value: Value) -> bool {
        let Some((raw, value_type)) = self.find_global(name) else { return false };
        if value_type != value.value_type() {
            return false;
        }
        let value = self.library.types.value(value);
        // SAFETY: the global belongs to our instance. WasmEdge refuses to set an immutable one.
        let status = unsafe { (self.library.functions.global_set)(raw.as_ptr(), value) };
        status == Status::SUCCESS
    }

    /// The bytes of an exported memory as it is now.
    pub(crate) fn memory(&mut self, name: &str) -> Option<&mut [u8]> {
        let functions = &self.library.functions;
        // SAFETY: the instance is live, the name readable for the time of the call.
        let memory = unsafe { (functions.instance_find_memory)(self.instance.as_ptr(), Str::new(name)) };
        let memory = NonNull::new(memory)?;
        // SAFETY: the memory belongs to our instance.
        let pages = unsafe { (functions.memory_pages)(memory.as_ptr()) };
        let length = usize::try_from(u64::from(pages).checked_mul(PAGE_BYTES)?).ok()?;
        if length == 0 {
            return Some(&mut []);
        }
        // SAFETY: as above. One byte is asked for, because the whole of 4 GiB does not fit the parameter.
        let start = NonNull::new(unsafe { (functions.memory_pointer)(memory.as_ptr(), 0, 1) })?;
        // SAFETY: the library keeps `length` bytes mapped at `start` until the guest runs, and as long as the slice lives nobody can make it run.
        Some(unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), length) })
    }

    /// What ends a call of this guest from another thread. None for native code, which was made without checks for that.
    pub(crate) fn interrupter(&mut self) -> Option<Result<Arc<ExecutorInterrupter>, Code>> {
        if self.settings.native {
            return None;
        }
        if self.interrupter.is_none() {
            match ExecutorInterrupter::of(self.library, &self.executor) {
                Ok(armed) => self.interrupter = Some(armed),
                Err(code) => return Some(Err(code)),
            }
        }
        self.interrupter.as_ref().map(|armed| Ok(armed.share()))
    }

    fn find_global(&mut self, name: &str) -> Option<(NonNull<abi::GlobalInstance>, ValueType)> {
        if let Some(known) = self.globals.iter().find(|known| known.name == name) {
            return Some((known.raw, known.value_type));
        }
        // SAFETY: the instance is live, the name readable for the time of the call.
        let raw = unsafe { (self.library.functions.instance_find_global)(self.instance.as_ptr(), Str::new(name)) };
        let raw = NonNull::new(raw)?;
        let value_type = self.global_type(raw)?;
        self.globals.push(Global { name: name.to_owned(), raw, value_type });
        Some((raw, value_type))
    }

    fn global_type(&self, global: NonNull<abi::GlobalInstance>) -> Option<ValueType> {
        let functions = &self.library.functions;
        // SAFETY: the global belongs to our instance.
        let global_type = unsafe { (functions.global_type)(global.as_ptr()) };
        if global_type.is_null() {
            return None;
        }
        // SAFETY: the type belongs to the global.
        Some(self.library.name(unsafe { (functions.global_type_val_type)(global_type) }))
    }

    fn find_function(&self, name: &str) -> Option<NonNull<abi::FunctionInstance>> {
        // SAFETY: the instance is live, the name readable for the time of the call.
        NonNull::new(unsafe { (self.library.functions.instance_find_function)(self.instance.as_ptr(), Str::new(name)) })
    }

    fn function(&mut self, name: &str) -> Option<&Function> {
        if !self.functions.contains_key(name) {
            if self.probe.as_ref().is_some_and(|probe| probe.name == name) {
                return None;
            }
            let raw = self.find_function(name)?;
            // SAFETY: the function belongs to our instance.
            let signature = unsafe { (self.library.functions.function_type)(raw.as_ptr()) };
            let signature = self.read_signature(NonNull::new(signature.cast_mut())?);
            self.functions.insert(name.to_owned(), Function { raw, signature });
        }
        self.functions.get(name)
    }

    fn read_signature(&self, signature: NonNull<abi::FunctionType>) -> FunctionType {
        type Length = unsafe extern "C" fn(*const abi::FunctionType) -> u32;
        type List = unsafe extern "C" fn(*const abi::FunctionType, *mut ValType, u32) -> u32;
        let functions = &self.library.functions;
        let read = |length: Length, list: List| {
            // SAFETY: the signature belongs to a function of our instance.
            let count = unsafe { length(signature.as_ptr()) };
            let mut found = vec![self.library.types.i32; usize::try_from(count).unwrap_or(0)];
            // SAFETY: as above, and there is room for `count` types.
            unsafe { list(signature.as_ptr(), found.as_mut_ptr(), count) };
            found.into_iter().map(|val_type| self.library.name(val_type)).collect::<Vec<_>>()
        };
        FunctionType {
            params: read(functions.function_type_parameters_length, functions.function_type_parameters),
            results: read(functions.function_type_returns_length, functions.function_type_returns),
        }
    }

    /// Finds all memories of the instance. Only a host function that the guest's own instance offers gets to see those that
    /// are not exported, so it is given one, under a name that it does not have, and that function is called once.
    fn probe_memories(&mut self) -> Result<Probe, Stopped> {
        let mut name = String::from("wasmrt:memories");
        while self.find_function(&name).is_some() {
            name.push('\'');
        }
        let found = Rc::new(Found { library: self.library, memories: RefCell::new(Vec::new()) });
        let function = make_function(self.library, &[], &[], list_memories, Rc::as_ptr(&found).cast())?;
        let raw = function.give_away();
        // SAFETY: instance and function are live; the instance owns the function from here on.
        unsafe {
            (self.library.functions.instance_add_function)(self.instance.as_ptr(), Str::new(&name), raw.as_ptr());
        }
        // From here on `found` has to live as long as the instance, whatever happens.
        self.probe = Some(Probe { name: name.clone(), found: Rc::clone(&found) });
        self.invoke(raw, &[], &[])?;
        Ok(Probe { name, found })
    }
}

/// Notes the memories of the instance that offers this function.
unsafe extern "C" fn list_memories(
    data: *mut c_void,
    frame: *const abi::CallingFrame,
    _params: *const abi::Value,
    _returns: *mut abi::Value,
) -> Status {
    // SAFETY: `data` is what the function was made with, and the guest keeps it alive.
    let Some(found) = (unsafe { data.cast::<Found>().as_ref() }) else {
        return Status::TERMINATED;
    };
    let mut memories = Vec::new();
    for index in 0.. {
        // SAFETY: the library called us with this frame, so it is live.
        match NonNull::new(unsafe { (found.library.functions.frame_memory)(frame, index) }) {
            Some(memory) => memories.push(memory),
            None => break,
        }
    }
    found.memories.replace(memories);
    Status::SUCCESS
}

/// One module for each module name, whose functions call those that the host offers under the hidden name.
fn bridges(
    settings: &Settings,
    imports: &[ImportedFunction],
    hidden_name: &str,
    executor: &Owned<abi::Executor>,
    store: &Owned<abi::Store>,
) -> Result<Vec<Bridge>, Code> {
    let functions = &settings.library.functions;
    let mut bridges = Vec::new();
    for (name, bytes) in bridge::modules(imports, hidden_name).ok_or(Code::GENERIC)? {
        let module = Module::from_bytes(settings, &bytes)?;
        let mut raw = std::ptr::null_mut();
        let (executor, store) = (executor.as_ptr(), store.as_ptr());
        // SAFETY: all contexts are live, the name is readable for the time of the call, `raw` may be written.
        let status = unsafe {
            (functions.executor_register)(executor, &raw mut raw, store, module.raw.as_ptr(), Str::new(name))
        };
        let instance = Owned::new(raw, functions.instance_delete);
        Code::check(status)?;
        bridges.push(Bridge { _instance: instance?, _module: module });
    }
    Ok(bridges)
}

/// One host module for each module name, with a function for each import. What has to stay alive goes to `kept`.
fn host_modules(
    library: &'static Library,
    imports: &[ImportedFunction],
    host: &Rc<Host>,
    kept: &mut Vec<Rc<Import>>,
) -> Result<Vec<Owned<abi::ModuleInstance>>, Code> {
    let functions = &library.functions;
    let mut modules: HashMap<&str, Owned<abi::ModuleInstance>> = HashMap::new();
    let mut seen = HashSet::new();
    for (index, function) in imports.iter().enumerate() {
        if !seen.insert((&function.module, &function.name)) {
            // Imported twice: the first one answers for both.
            continue;
        }
        let import = Import::new(index, function, host).ok_or(Code::GENERIC)?;
        let module = match modules.entry(&function.module) {
            Entry::Occupied(module) => module.into_mut(),
            Entry::Vacant(place) => {
                // SAFETY: the name is readable for the time of the call.
                let module = unsafe { (functions.instance_create)(Str::new(&function.module)) };
                place.insert(Owned::new(module, functions.instance_delete)?)
            }
        };
        let made = import.function()?.give_away();
        kept.push(import);
        // SAFETY: module and function are live; the module owns the function from here on.
        unsafe { (functions.instance_add_function)(module.as_ptr(), Str::new(&function.name), made.as_ptr()) };
    }
    Ok(modules.into_values().collect())
}
