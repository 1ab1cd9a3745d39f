//! Modules that import from each other, and values of every type: what the specification's tests need and guests never get.
//!
//! Owns a world of instances and the few functions of the library that nothing else uses. Built only for those tests.

use super::abi::{self, Str, ValType};
use super::native::Turn;
use super::{Code, Library, Module, Owned, Settings};
use std::ffi::{OsStr, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

/// A value of any type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// The bits of an i32.
    I32(u32),
    /// The bits of an i64.
    I64(u64),
    /// The bits of an f32.
    F32(u32),
    /// The bits of an f64.
    F64(u64),
    /// The bits of a v128.
    V128(u128),
    /// A null reference to something of the host.
    NullExtern,
    /// A null reference to a function, or as a result, to anything.
    Null,
    /// A reference to something of the host, by number.
    Extern(u32),
    /// A reference to something of WebAssembly.
    Reference,
}

/// Functions of the library beyond those in `abi`.
#[derive(Debug, Clone, Copy)]
struct Symbols {
    type_v128: unsafe extern "C" fn() -> ValType,
    type_is_extern: unsafe extern "C" fn(ValType) -> bool,
    value_function: unsafe extern "C" fn(*const abi::FunctionInstance) -> abi::Value,
    value_extern: unsafe extern "C" fn(*mut c_void) -> abi::Value,
    value_is_null: unsafe extern "C" fn(abi::Value) -> bool,
    value_get_extern: unsafe extern "C" fn(abi::Value) -> *mut c_void,
}

impl Symbols {
    /// None when the library lacks one of them.
    fn resolve(library: &Library) -> Option<Self> {
        let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD;
        // SAFETY: the library is loaded already, for good, so this runs no initialisers.
        let library = unsafe { libloading::os::unix::Library::open(Some(OsStr::new(library.path())), flags) }.ok()?;
        /// A function of the library by name.
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the version was checked, and its header declares this function with the signature of the field.
                *unsafe { library.get($name) }.ok()?
            };
        }
        Some(Self {
            type_v128: function!(b"WasmEdge_ValTypeGenV128\0"),
            type_is_extern: function!(b"WasmEdge_ValTypeIsExternRef\0"),
            value_function: function!(b"WasmEdge_ValueGenFuncRef\0"),
            value_extern: function!(b"WasmEdge_ValueGenExternRef\0"),
            value_is_null: function!(b"WasmEdge_ValueIsNullRef\0"),
            value_get_extern: function!(b"WasmEdge_ValueGetExternRef\0"),
        })
    }
}

/// Instances that can import from each other. They live as long as the world does, as do the failed ones, whose functions may
/// have got into somebody's table.
#[derive(Debug)]
pub(crate) struct World {
    instances: Vec<Owned<abi::ModuleInstance>>,
    executor: Owned<abi::Executor>,
    stores: Vec<Owned<abi::Store>>,
    modules: Vec<Module>,
    settings: Arc<Settings>,
    symbols: Symbols,
}

impl World {
    /// A world without instances.
    pub(crate) fn new(settings: Arc<Settings>) -> Result<Self, Code> {
        let functions = &settings.library.functions;
        let symbols = Symbols::resolve(settings.library).ok_or(Code::GENERIC)?;
        // SAFETY: the configuration is live; statistics may be null.
        let executor = unsafe { (functions.executor_create)(settings.raw.as_ptr(), std::ptr::null_mut()) };
        let executor = Owned::new(executor, functions.executor_delete)?;
        Ok(Self { instances: Vec::new(), executor, stores: Vec::new(), modules: Vec::new(), settings, symbols })
    }

    /// What modules for this world are read with.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Instantiates a module that may import from these instances, each under the name that it was given here. The name is
    /// for good: WasmEdge knows an instance by one name.
    pub(crate) fn instantiate(&mut self, module: Module, name: Option<&str>, offers: &[usize]) -> Result<usize, Code> {
        let functions = &self.settings.library.functions;
        // SAFETY: the function takes nothing.
        let store = Owned::new(unsafe { (functions.store_create)() }, functions.store_delete)?;
        for offer in offers {
            let instance = self.instances.get(*offer).ok_or(Code::GENERIC)?;
            // SAFETY: all three are live, and stay so for as long as the world.
            let status = unsafe {
                (functions.executor_register_import)(self.executor.as_ptr(), store.as_ptr(), instance.as_ptr())
            };
            Code::check(status)?;
        }
        let (executor, linked, parsed) = (self.executor.as_ptr(), store.as_ptr(), module.raw.as_ptr());
        self.stores.push(store);
        self.modules.push(module);
        let mut raw = std::ptr::null_mut();
        let turn = self.settings.native.then(Turn::take);
        let status = match name {
            // SAFETY: all contexts are live, the name is readable for the time of the call, `raw` may be written.
            Some(name) => unsafe {
                (functions.executor_register)(executor, &raw mut raw, linked, parsed, Str::new(name))
            },
            // SAFETY: as above.
            None => unsafe { (functions.executor_instantiate)(executor, &raw mut raw, linked, parsed) },
        };
        drop(turn);
        let instance = Owned::new(raw, functions.instance_delete);
        Code::check(status)?;
        self.instances.push(instance?);
        Ok(self.instances.len() - 1)
    }

    /// Calls an exported function. None when there is none of that name.
    pub(crate) fn call(&mut self, instance: usize, export: &str, args: &[Value]) -> Option<Result<Vec<Value>, Code>> {
        let functions = &self.settings.library.functions;
        let instance = self.instances.get(instance)?;
        // SAFETY: the instance is live, the name readable for the time of the call.
        let function = unsafe { (functions.instance_find_function)(instance.as_ptr(), Str::new(export)) };
        let function = NonNull::new(function)?;
        // SAFETY: the function belongs to a live instance.
        let signature = NonNull::new(unsafe { (functions.function_type)(function.as_ptr()) }.cast_mut())?;
        // SAFETY: the signature belongs to the function.
        let results = unsafe { (functions.function_type_returns_length)(signature.as_ptr()) };
        Some(self.invoke(function, args, results))
    }

    fn invoke(
        &self,
        function: NonNull<abi::FunctionInstance>,
        args: &[Value],
        results: u32,
    ) -> Result<Vec<Value>, Code> {
        let args = args.iter().map(|arg| self.lower(*arg)).collect::<Result<Vec<_>, _>>()?;
        let args_count = u32::try_from(args.len()).map_err(|_| Code::GENERIC)?;
        let room = usize::try_from(results).map_err(|_| Code::GENERIC)?;
        let mut returns = vec![self.lower(Value::I32(0))?; room];
        let turn = self.settings.native.then(Turn::take);
        // SAFETY: the function belongs to a live instance, and both lists are as long as their counts say. WasmEdge checks the
        // arguments against the signature.
        let status = unsafe {
            (self.settings.library.functions.executor_invoke)(
                self.executor.as_ptr(),
                function.as_ptr(),
                args.as_ptr(),
                args_count,
                returns.as_mut_ptr(),
                results,
            )
        };
        drop(turn);
        Code::check(status)?;
        returns.into_iter().map(|value| self.lift(value)).collect()
    }

    /// The value of an exported global.
    pub(crate) fn global(&self, instance: usize, export: &str) -> Option<Result<Value, Code>> {
        let global = self.find_global(instance, export)?;
        // SAFETY: the global belongs to a live instance.
        Some(self.lift(unsafe { (self.settings.library.functions.global_get)(global.as_ptr()) }))
    }

    /// Sets an exported global. False when there is none, or it is of another type or constant.
    pub(crate) fn set_global(&mut self, instance: usize, export: &str, value: Value) -> bool {
        let (Some(global), Ok(value)) = (self.find_global(instance, export), self.lower(value)) else { return false };
        // SAFETY: the global belongs to a live instance. WasmEdge refuses a wrong type and a constant.
        let status = unsafe { (self.settings.library.functions.global_set)(global.as_ptr(), value) };
        status == abi::Status::SUCCESS
    }

    fn find_global(&self, instance: usize, export: &str) -> Option<NonNull<abi::GlobalInstance>> {
        let instance = self.instances.get(instance)?;
        let functions = &self.settings.library.functions;
        // SAFETY: the instance is live, the name readable for the time of the call.
        NonNull::new(unsafe { (functions.instance_find_global)(instance.as_ptr(), Str::new(export)) })
    }

    fn lower(&self, value: Value) -> Result<abi::Value, Code> {
        let types = &self.settings.library.types;
        let (bits, val_type) = match value {
            Value::I32(bits) => (u128::from(bits), types.i32),
            Value::I64(bits) => (u128::from(bits), types.i64),
            Value::F32(bits) => (u128::from(bits), types.f32),
            Value::F64(bits) => (u128::from(bits), types.f64),
            // SAFETY: the function takes nothing.
            Value::V128(bits) => (bits, unsafe { (self.symbols.type_v128)() }),
            // SAFETY: the function takes a pointer that may be null, and does not follow it.
            Value::Null => return Ok(unsafe { (self.symbols.value_function)(std::ptr::null()) }),
            // SAFETY: as above.
            Value::NullExtern => return Ok(unsafe { (self.symbols.value_extern)(std::ptr::null_mut()) }),
            Value::Extern(number) => {
                let address =
                    usize::try_from(number).ok().and_then(|number| number.checked_add(1)).ok_or(Code::GENERIC)?;
                // SAFETY: as above. Number 0 must not be null, so all are moved up by one.
                return Ok(unsafe { (self.symbols.value_extern)(std::ptr::without_provenance_mut(address)) });
            }
            Value::Reference => return Err(Code::GENERIC),
        };
        Ok(abi::Value { bits, val_type })
    }

    fn lift(&self, value: abi::Value) -> Result<Value, Code> {
        let low_32 = u32::try_from(value.bits & u128::from(u32::MAX)).map_err(|_| Code::GENERIC)?;
        let low_64 = u64::try_from(value.bits & u128::from(u64::MAX)).map_err(|_| Code::GENERIC)?;
        Ok(match self.settings.library.name(value.val_type) {
            wasmrt_model::ValueType::I32 => Value::I32(low_32),
            wasmrt_model::ValueType::I64 => Value::I64(low_64),
            wasmrt_model::ValueType::F32 => Value::F32(low_32),
            wasmrt_model::ValueType::F64 => Value::F64(low_64),
            wasmrt_model::ValueType::V128 => Value::V128(value.bits),
            _ => return self.lift_reference(value),
        })
    }

    fn lift_reference(&self, value: abi::Value) -> Result<Value, Code> {
        // SAFETY: the function only looks at the value, which is a reference.
        if unsafe { (self.symbols.value_is_null)(value) } {
            return Ok(Value::Null);
        }
        // SAFETY: the function only looks at the type.
        if !unsafe { (self.symbols.type_is_extern)(value.val_type) } {
            return Ok(Value::Reference);
        }
        // SAFETY: the value is a reference to something of the host.
        let address = unsafe { (self.symbols.value_get_extern)(value) }.addr();
        let number = address.checked_sub(1).and_then(|number| u32::try_from(number).ok()).ok_or(Code::GENERIC)?;
        Ok(Value::Extern(number))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Those that import go before those that they import from.
        while self.instances.pop().is_some() {}
    }
}
