//! The way from guest code to [`HostFunctions`](wasmrt_model::backend::HostFunctions) and back: values, memory, endings and
//! panics. Knows no function by name.

use crate::sys::Memories;
use crate::trap;
use std::sync::Arc;
use wasmer::{
    ExportIndex, Extern, Function, FunctionEnv, FunctionEnvMut, FunctionType as WasmType, Module, RuntimeError, Store,
    Type, Value as WasmValue,
};
use wasmparser::{Parser, Payload, TypeRef};
use wasmrt_backend::{HostEnded, Integer, MEMORY, check_import, with_slots};
use wasmrt_model::backend::{Ending, HostFunctions, ImportedFunction};
use wasmrt_model::{Error, ErrorKind, FunctionType, Value, ValueType};

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
    check_import(import)?;
    if let Some(typed) = typed_function(store, env, index, &import.signature) {
        return Ok(typed);
    }
    // Nothing is left out: all are numbers.
    let types = |types: &[ValueType]| types.iter().filter_map(|value_type| wasm_type(*value_type)).collect::<Vec<_>>();
    let signature = WasmType::new(types(&import.signature.params), types(&import.signature.results));
    let result_types: Arc<[ValueType]> = import.signature.results.as_slice().into();
    Ok(Function::new_with_env(store, env, signature, move |mut env: FunctionEnvMut<'_, State>, params| {
        with_slots(params.len(), |args| {
            for (slot, param) in args.iter_mut().zip(params) {
                *slot = number(param).map_or(0, Value::to_bits);
            }
            with_slots(result_types.len(), |outs| {
                call_host(&mut env, index, args, outs)?;
                let values = result_types.iter().zip(outs.iter());
                Ok(values.filter_map(|(kind, bits)| Value::from_bits(*kind, *bits)).map(wasm_value).collect())
            })
        })
    }))
}

/// A function of one of the signatures that WASI is made of. wasmer calls it without boxing values, and without a trampoline that
/// hides who called it from a backtrace. The others take the general way.
fn typed_function(
    store: &mut Store,
    env: &FunctionEnv<State>,
    index: usize,
    signature: &FunctionType,
) -> Option<Function> {
    macro_rules! functions {
        ($(($($param:ident: $kind:ty),*))*) => {
            $(if signature.params == [$(<$kind>::TYPE),*] as [ValueType; _] {
                let call = move |mut env: FunctionEnvMut<'_, State>, $($param: $kind),*| -> Result<i32, RuntimeError> {
                    let mut results = [0];
                    call_host(&mut env, index, &[$($param.bits()),*], &mut results)?;
                    let [bits] = results;
                    Ok(i32::from_bits(bits))
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
    wasmrt_backend::wasi_signatures!(functions);
    None
}

fn call_host(
    env: &mut FunctionEnvMut<'_, State>,
    index: usize,
    args: &[u64],
    results: &mut [u64],
) -> Result<(), RuntimeError> {
    let State { host, memories, memory, ending } = env.data_mut();
    let called =
        memories.with(*memory, |memory| wasmrt_backend::call_host(index, || host.call(index, memory, args, results)));
    called.map_err(|ended| {
        *ending = Some(match ended {
            Ending::Trap(trap) if trap.backtrace.is_empty() => {
                Ending::Trap(trap.with_backtrace(trap::frames_of_caller()))
            }
            other => other,
        });
        RuntimeError::user(Box::new(HostEnded))
    })
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
