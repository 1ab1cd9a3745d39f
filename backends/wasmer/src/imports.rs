//! The way from guest code to [`HostFunctions`](wasmrt_model::backend::HostFunctions) and back: values, memory, endings and
//! panics. Knows no function by name.

use crate::sys::Memories;
use crate::trap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wasmer::{
    ExportIndex, Extern, Function, FunctionEnv, FunctionEnvMut, FunctionType as WasmType, Module, RuntimeError, Store,
    Type, Value as WasmValue,
};
use wasmparser::{Parser, Payload, TypeRef};
use wasmrt_model::backend::{Ending, HostFunctions, ImportedFunction};
use wasmrt_model::{Error, ErrorKind, FunctionType, Value, ValueType};

/// The export that host functions work on.
const MEMORY: &str = "memory";

/// Parameters and results that fit need no allocation per call. WASI's longest signature has nine parameters.
const INLINE: usize = 16;

/// Returned through wasmer's frames in place of an [`Ending`], which waits in the [`State`].
#[derive(Debug)]
pub(crate) struct HostEnded;

impl std::fmt::Display for HostEnded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the host ended the guest")
    }
}

impl std::error::Error for HostEnded {}

/// What host functions find in a guest's store.
#[derive(Debug)]
pub(crate) struct State {
    host: Box<dyn HostFunctions>,
    memories: Memories,
    /// Which of the memories is the host's to work on.
    memory: Option<usize>,
    /// What a host function ended the guest with, while wasmer unwinds.
    pub(crate) ending: Option<Ending>,
}

impl State {
    pub(crate) fn new(host: Box<dyn HostFunctions>, memories: Memories, memory: Option<usize>) -> Self {
        Self { host, memories, memory, ending: None }
    }
}

/// Which of the module's own memories is exported as `memory`.
pub(crate) fn host_memory(module: &Module) -> Option<usize> {
    exported_memory(module, MEMORY)
}

/// Which of the module's own memories is exported by this name.
pub(crate) fn exported_memory(module: &Module, export: &str) -> Option<usize> {
    let info = module.info();
    match info.exports.get(export) {
        Some(ExportIndex::Memory(index)) => info.local_memory_index(*index)?.as_u32().try_into().ok(),
        _ => None,
    }
}

/// Refuses what the compiler cannot import and would panic at: functions with several results. What is no module passes: wasmer
/// rejects it, and says why.
///
/// # Errors
/// `Unsupported` naming the import.
pub(crate) fn check(wasm: &[u8]) -> Result<(), Error> {
    let mut results = Vec::new();
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        match payload {
            Payload::TypeSection(types) => {
                let signatures = types.into_iter_err_on_gc_types().map_while(Result::ok);
                results.extend(signatures.map(|signature| signature.results().len()));
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports().map_while(Result::ok) {
                    let TypeRef::Func(signature) = import.ty else { continue };
                    let count = usize::try_from(signature).ok().and_then(|index| results.get(index));
                    if count.is_some_and(|count| *count > 1) {
                        return Err(Error::new(
                            ErrorKind::Unsupported,
                            "wasmer cannot import a function with several results",
                        )
                        .with_context("import", format!("{}.{}", import.module, import.name))
                        .with_hint("take another engine"));
                    }
                }
                return Ok(());
            }
            _ => {}
        }
    }
    Ok(())
}

/// One function per import, in order.
pub(crate) fn functions(
    store: &mut Store,
    env: &FunctionEnv<State>,
    imports: &[ImportedFunction],
) -> Result<Vec<Extern>, Error> {
    imports
        .iter()
        .enumerate()
        .map(|(index, import)| function(store, env, index, import).map(Extern::Function))
        .collect()
}

fn function(
    store: &mut Store,
    env: &FunctionEnv<State>,
    index: usize,
    import: &ImportedFunction,
) -> Result<Function, Error> {
    let types = |types: &[ValueType]| types.iter().map(|value_type| wasm_type(*value_type)).collect::<Option<Vec<_>>>();
    let (Some(params), Some(results)) = (types(&import.signature.params), types(&import.signature.results)) else {
        return Err(Error::new(ErrorKind::Unsupported, "vectors and references do not cross to the host")
            .with_context("import", format!("{}.{}", import.module, import.name))
            .with_context("type", &import.signature));
    };
    if let Some(typed) = typed_function(store, env, index, &import.signature) {
        return Ok(typed);
    }
    let result_types: Arc<[ValueType]> = import.signature.results.as_slice().into();
    let signature = WasmType::new(params, results);
    Ok(Function::new_with_env(store, env, signature, move |mut env: FunctionEnvMut<'_, State>, params| {
        let (mut inline_params, mut inline_results) = ([0; INLINE], [0; INLINE]);
        let (mut heap_params, mut heap_results) = (Vec::new(), Vec::new());
        let args = slots(&mut inline_params, &mut heap_params, params.len());
        let outs = slots(&mut inline_results, &mut heap_results, result_types.len());
        for (slot, param) in args.iter_mut().zip(params) {
            *slot = number(param).map_or(0, Value::to_bits);
        }
        call_host(&mut env, index, args, outs)?;
        let values = result_types.iter().zip(outs.iter()).filter_map(|(kind, bits)| Value::from_bits(*kind, *bits));
        Ok(values.map(wasm_value).collect())
    }))
}

/// An integer that wasmer passes in a register.
trait Integer: Copy {
    const TYPE: ValueType;
    fn bits(self) -> u64;
}

impl Integer for i32 {
    const TYPE: ValueType = ValueType::I32;

    fn bits(self) -> u64 {
        u64::from(self.cast_unsigned())
    }
}

impl Integer for i64 {
    const TYPE: ValueType = ValueType::I64;

    fn bits(self) -> u64 {
        self.cast_unsigned()
    }
}

/// A function of one of the signatures that WASI is made of. wasmer calls it without boxing values, and without a trampoline that
/// hides who called it from a backtrace. The others take the general way.
fn typed_function(
    store: &mut Store,
    env: &FunctionEnv<State>,
    index: usize,
    signature: &FunctionType,
) -> Option<Function> {
    macro_rules! signatures {
        ($(($($param:ident: $kind:ty),*))*) => {
            $(if signature.params == [$(<$kind>::TYPE),*] as [ValueType; _] {
                let call = move |mut env: FunctionEnvMut<'_, State>, $($param: $kind),*| -> Result<i32, RuntimeError> {
                    let mut results = [0];
                    call_host(&mut env, index, &[$($param.bits()),*], &mut results)?;
                    let [bits] = results;
                    #[expect(clippy::cast_possible_truncation, reason = "32-bit values live in the low half")]
                    let low = bits as u32;
                    Ok(low.cast_signed())
                };
                return Some(Function::new_typed_with_env(store, env, call));
            })*
        };
    }
    if signature.results.is_empty() {
        return match signature.params.as_slice() {
            [] => {
                let call = move |mut env: FunctionEnvMut<'_, State>| call_host(&mut env, index, &[], &mut []);
                Some(Function::new_typed_with_env(store, env, call))
            }
            [ValueType::I32] => {
                let call =
                    move |mut env: FunctionEnvMut<'_, State>, a: i32| call_host(&mut env, index, &[a.bits()], &mut []);
                Some(Function::new_typed_with_env(store, env, call))
            }
            _ => None,
        };
    }
    if signature.results != [ValueType::I32] {
        return None;
    }
    signatures! {
        ()
        (a: i32)
        (a: i32, b: i32)
        (a: i32, b: i32, c: i32)
        (a: i32, b: i32, c: i32, d: i32)
        (a: i32, b: i32, c: i32, d: i32, e: i32)
        (a: i32, b: i32, c: i32, d: i32, e: i32, f: i32)
        (a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i32)
        (a: i32, b: i64)
        (a: i32, b: i64, c: i32)
        (a: i32, b: i64, c: i64)
        (a: i32, b: i64, c: i32, d: i32)
        (a: i32, b: i64, c: i64, d: i32)
        (a: i32, b: i32, c: i32, d: i64, e: i32)
        (a: i32, b: i32, c: i32, d: i32, e: i64, f: i64, g: i32)
        (a: i32, b: i32, c: i32, d: i32, e: i32, f: i64, g: i64, h: i32, i: i32)
    }
    None
}

/// `len` zeroed slots, on the stack if they fit.
fn slots<'a>(inline: &'a mut [u64; INLINE], heap: &'a mut Vec<u64>, len: usize) -> &'a mut [u64] {
    if let Some(slots) = inline.get_mut(..len) {
        return slots;
    }
    heap.resize(len, 0);
    heap
}

fn call_host(
    env: &mut FunctionEnvMut<'_, State>,
    index: usize,
    args: &[u64],
    results: &mut [u64],
) -> Result<(), RuntimeError> {
    let State { host, memories, memory, ending } = env.data_mut();
    // A panic leaves the host's own state as it is; nothing uses it again, since the guest is ended.
    let called =
        memories.with(*memory, |memory| catch_unwind(AssertUnwindSafe(|| host.call(index, memory, args, results))));
    *ending = Some(match called {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(Ending::Trap(trap))) if trap.backtrace.is_empty() => {
            Ending::Trap(trap.with_backtrace(trap::frames_of_caller()))
        }
        Ok(Err(ending)) => ending,
        Err(panic) => {
            trap::panicked(ErrorKind::Internal, "call host function", &*panic).with_context("import", index).into()
        }
    });
    Err(RuntimeError::user(Box::new(HostEnded)))
}

fn wasm_type(value_type: ValueType) -> Option<Type> {
    match value_type {
        ValueType::I32 => Some(Type::I32),
        ValueType::I64 => Some(Type::I64),
        ValueType::F32 => Some(Type::F32),
        ValueType::F64 => Some(Type::F64),
        _ => None,
    }
}

/// Our type for a number type of wasmer's.
pub(crate) fn number_type(value_type: &Type) -> Option<ValueType> {
    match value_type {
        Type::I32 => Some(ValueType::I32),
        Type::I64 => Some(ValueType::I64),
        Type::F32 => Some(ValueType::F32),
        Type::F64 => Some(ValueType::F64),
        _ => None,
    }
}

/// wasmer's value for ours.
pub(crate) fn wasm_value(value: Value) -> WasmValue {
    match value {
        Value::I32(value) => WasmValue::I32(value),
        Value::I64(value) => WasmValue::I64(value),
        Value::F32(bits) => WasmValue::F32(f32::from_bits(bits)),
        Value::F64(bits) => WasmValue::F64(f64::from_bits(bits)),
    }
}

/// Our value for a number of wasmer's.
pub(crate) fn number(value: &WasmValue) -> Option<Value> {
    match value {
        WasmValue::I32(value) => Some(Value::I32(*value)),
        WasmValue::I64(value) => Some(Value::I64(*value)),
        WasmValue::F32(value) => Some(Value::F32(value.to_bits())),
        WasmValue::F64(value) => Some(Value::F64(value.to_bits())),
        _ => None,
    }
}
