//! The C interface of WasmEdge 0.14 as plain data: types, numbers and the table of functions that are used.
//!
//! Owns the shapes, and checks the sizes that matter. Calls nothing. Struct layouts and numbers hold for one minor version;
//! another version gets a table of its own.

use std::ffi::{c_char, c_void};

/// A context of the C API that is only ever seen through a pointer.
macro_rules! opaque {
    ($($name:ident)*) => {
        $(
            #[repr(C)]
            #[derive(Debug)]
            pub(super) struct $name {
                _bytes: [u8; 0],
                _neither_send_nor_sync: std::marker::PhantomData<*mut u8>,
            }
        )*
    };
}

opaque! {
    Configure AstModule Loader Validator Executor Statistics Store Compiler
    ModuleInstance FunctionInstance FunctionType MemoryInstance GlobalInstance GlobalType CallingFrame Async
}

/// The type of a value. What the bytes mean is the library's business: equal types may have different ones.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct ValType([u8; 8]);

/// A value with its type.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Value {
    pub(super) bits: u128,
    pub(super) val_type: ValType,
}

/// Borrowed text with a length.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Str {
    pub(super) length: u32,
    pub(super) bytes: *const c_char,
}

/// How a call ended: a category in the highest byte, a number in the others.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: u32,
}

impl Status {
    pub(super) const SUCCESS: Self = Self { code: 0 };
    /// Ends the guest without an error report.
    pub(super) const TERMINATED: Self = Self { code: 1 };
}

impl Str {
    /// Lends text out. Good for as long as the text is; nothing in WebAssembly names more bytes than fit.
    pub(super) fn new(text: &str) -> Self {
        Self { length: u32::try_from(text.len()).unwrap_or(0), bytes: text.as_ptr().cast() }
    }
}

const _: () = assert!(size_of::<Value>() == 32 && align_of::<Value>() == 16);
const _: () = assert!(size_of::<Str>() == 2 * size_of::<*const c_char>());

/// `WasmEdge_CompilerOutputFormat_Native`: a shared object, not WebAssembly with native code in a custom section.
pub(super) const OUTPUT_NATIVE: u32 = 0;

/// `WasmEdge_CompilerOutputFormat_Wasm`: the other one.
#[cfg(test)]
pub(super) const OUTPUT_UNIVERSAL: u32 = 1;

/// What the library calls when the guest calls an import.
pub(super) type HostFunction =
    unsafe extern "C" fn(*mut c_void, *const CallingFrame, *const Value, *mut Value) -> Status;

/// Declares the table of functions and how it is filled.
macro_rules! functions {
    ($($field:ident = $symbol:literal ($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the library that are used.
        #[derive(Debug, Clone, Copy)]
        pub(super) struct Functions {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            /// Looks every function up.
            ///
            /// # Errors
            /// The name of the first one that the library does not have.
            pub(super) fn resolve(library: &libloading::Library) -> Result<Self, &'static str> {
                Ok(Self {
                    $($field: {
                        // SAFETY: the caller has checked that the library is of the version whose header declares this
                        // function with this signature; the pointer is used only while the library stays loaded.
                        *unsafe { library.get($symbol) }.map_err(|_| $symbol)?
                    },)*
                })
            }
        }
    };
}

functions! {
    log_off = "WasmEdge_LogOff" ();
    result_message = "WasmEdge_ResultGetMessage" (Status) -> *const c_char;

    type_i32 = "WasmEdge_ValTypeGenI32" () -> ValType;
    type_i64 = "WasmEdge_ValTypeGenI64" () -> ValType;
    type_f32 = "WasmEdge_ValTypeGenF32" () -> ValType;
    type_f64 = "WasmEdge_ValTypeGenF64" () -> ValType;
    type_is_i32 = "WasmEdge_ValTypeIsI32" (ValType) -> bool;
    type_is_i64 = "WasmEdge_ValTypeIsI64" (ValType) -> bool;
    type_is_f32 = "WasmEdge_ValTypeIsF32" (ValType) -> bool;
    type_is_f64 = "WasmEdge_ValTypeIsF64" (ValType) -> bool;
    type_is_v128 = "WasmEdge_ValTypeIsV128" (ValType) -> bool;

    configure_create = "WasmEdge_ConfigureCreate" () -> *mut Configure;
    configure_add_proposal = "WasmEdge_ConfigureAddProposal" (*mut Configure, u32);
    configure_remove_proposal = "WasmEdge_ConfigureRemoveProposal" (*mut Configure, u32);
    configure_has_proposal = "WasmEdge_ConfigureHasProposal" (*const Configure, u32) -> bool;
    configure_max_memory_page = "WasmEdge_ConfigureSetMaxMemoryPage" (*mut Configure, u32);
    configure_force_interpreter = "WasmEdge_ConfigureSetForceInterpreter" (*mut Configure, bool);
    configure_optimization = "WasmEdge_ConfigureCompilerSetOptimizationLevel" (*mut Configure, u32);
    configure_output_format = "WasmEdge_ConfigureCompilerSetOutputFormat" (*mut Configure, u32);
    configure_generic_binary = "WasmEdge_ConfigureCompilerSetGenericBinary" (*mut Configure, bool);
    configure_interruptible = "WasmEdge_ConfigureCompilerSetInterruptible" (*mut Configure, bool);
    configure_delete = "WasmEdge_ConfigureDelete" (*mut Configure);

    compiler_create = "WasmEdge_CompilerCreate" (*const Configure) -> *mut Compiler;
    compiler_compile = "WasmEdge_CompilerCompileFromBuffer" (*mut Compiler, *const u8, u64, *const c_char) -> Status;
    compiler_delete = "WasmEdge_CompilerDelete" (*mut Compiler);

    loader_create = "WasmEdge_LoaderCreate" (*const Configure) -> *mut Loader;
    loader_parse_bytes = "WasmEdge_LoaderParseFromBuffer" (*mut Loader, *mut *mut AstModule, *const u8, u32) -> Status;
    loader_parse_file = "WasmEdge_LoaderParseFromFile" (*mut Loader, *mut *mut AstModule, *const c_char) -> Status;
    loader_delete = "WasmEdge_LoaderDelete" (*mut Loader);

    validator_create = "WasmEdge_ValidatorCreate" (*const Configure) -> *mut Validator;
    validator_validate = "WasmEdge_ValidatorValidate" (*mut Validator, *const AstModule) -> Status;
    validator_delete = "WasmEdge_ValidatorDelete" (*mut Validator);

    module_delete = "WasmEdge_ASTModuleDelete" (*mut AstModule);

    store_create = "WasmEdge_StoreCreate" () -> *mut Store;
    store_delete = "WasmEdge_StoreDelete" (*mut Store);

    executor_create = "WasmEdge_ExecutorCreate" (*const Configure, *mut Statistics) -> *mut Executor;
    executor_register_import =
        "WasmEdge_ExecutorRegisterImport" (*mut Executor, *mut Store, *const ModuleInstance) -> Status;
    executor_register = "WasmEdge_ExecutorRegister"
        (*mut Executor, *mut *mut ModuleInstance, *mut Store, *const AstModule, Str) -> Status;
    executor_instantiate = "WasmEdge_ExecutorInstantiate"
        (*mut Executor, *mut *mut ModuleInstance, *mut Store, *const AstModule) -> Status;
    executor_invoke = "WasmEdge_ExecutorInvoke"
        (*mut Executor, *const FunctionInstance, *const Value, u32, *mut Value, u32) -> Status;
    executor_async_invoke =
        "WasmEdge_ExecutorAsyncInvoke" (*mut Executor, *const FunctionInstance, *const Value, u32) -> *mut Async;
    executor_delete = "WasmEdge_ExecutorDelete" (*mut Executor);

    async_wait = "WasmEdge_AsyncWait" (*const Async);
    async_cancel = "WasmEdge_AsyncCancel" (*mut Async);
    async_delete = "WasmEdge_AsyncDelete" (*mut Async);

    function_type_create = "WasmEdge_FunctionTypeCreate"
        (*const ValType, u32, *const ValType, u32) -> *mut FunctionType;
    function_type_parameters_length = "WasmEdge_FunctionTypeGetParametersLength" (*const FunctionType) -> u32;
    function_type_parameters = "WasmEdge_FunctionTypeGetParameters" (*const FunctionType, *mut ValType, u32) -> u32;
    function_type_returns_length = "WasmEdge_FunctionTypeGetReturnsLength" (*const FunctionType) -> u32;
    function_type_returns = "WasmEdge_FunctionTypeGetReturns" (*const FunctionType, *mut ValType, u32) -> u32;
    function_type_delete = "WasmEdge_FunctionTypeDelete" (*mut FunctionType);

    function_create = "WasmEdge_FunctionInstanceCreate"
        (*const FunctionType, HostFunction, *mut c_void, u64) -> *mut FunctionInstance;
    function_delete = "WasmEdge_FunctionInstanceDelete" (*mut FunctionInstance);
    function_type = "WasmEdge_FunctionInstanceGetFunctionType" (*const FunctionInstance) -> *const FunctionType;

    instance_create = "WasmEdge_ModuleInstanceCreate" (Str) -> *mut ModuleInstance;
    instance_add_function = "WasmEdge_ModuleInstanceAddFunction" (*mut ModuleInstance, Str, *mut FunctionInstance);
    instance_find_function =
        "WasmEdge_ModuleInstanceFindFunction" (*const ModuleInstance, Str) -> *mut FunctionInstance;
    instance_find_memory = "WasmEdge_ModuleInstanceFindMemory" (*const ModuleInstance, Str) -> *mut MemoryInstance;
    instance_find_global = "WasmEdge_ModuleInstanceFindGlobal" (*const ModuleInstance, Str) -> *mut GlobalInstance;
    instance_delete = "WasmEdge_ModuleInstanceDelete" (*mut ModuleInstance);

    frame_module_instance = "WasmEdge_CallingFrameGetModuleInstance" (*const CallingFrame) -> *const ModuleInstance;
    frame_memory = "WasmEdge_CallingFrameGetMemoryInstance" (*const CallingFrame, u32) -> *mut MemoryInstance;

    memory_pages = "WasmEdge_MemoryInstanceGetPageSize" (*const MemoryInstance) -> u32;
    memory_pointer = "WasmEdge_MemoryInstanceGetPointer" (*mut MemoryInstance, u32, u32) -> *mut u8;

    global_type = "WasmEdge_GlobalInstanceGetGlobalType" (*const GlobalInstance) -> *const GlobalType;
    global_type_val_type = "WasmEdge_GlobalTypeGetValType" (*const GlobalType) -> ValType;
    global_get = "WasmEdge_GlobalInstanceGetValue" (*const GlobalInstance) -> Value;
    global_set = "WasmEdge_GlobalInstanceSetValue" (*mut GlobalInstance, Value) -> Status;
}
