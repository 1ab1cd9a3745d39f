//! The way from guest code to [`HostFunctions`](wasmrt_model::backend::HostFunctions) and back: values, memory, endings and
//! panics. Knows no function by name.

use crate::instance::State;
use std::sync::Arc;
use wasmrt_backend::{HostEnded, Integer, MEMORY, check_import, with_slots};
use wasmrt_model::backend::ImportedFunction;
use wasmrt_model::{Error, FunctionType, Value, ValueType};
use wasmtime::{AsContextMut, Caller, Extern, Func, FuncType, Store, Val, ValType};

/// One function per import, in order.
pub(crate) fn functions(store: &mut Store<State>, imports: &[ImportedFunction]) -> Result<Vec<Extern>, Error> {
    imports.iter().enumerate().map(|(index, import)| function(store, index, import).map(Extern::Func)).collect()
}

fn function(store: &mut Store<State>, index: usize, import: &ImportedFunction) -> Result<Func, Error> {
    check_import(import)?;
    if let Some(typed) = typed_function(store, index, &import.signature) {
        return Ok(typed);
    }
    // Nothing is left out: all are numbers.
    let types = |types: &[ValueType]| types.iter().filter_map(|value_type| wasm_type(*value_type)).collect::<Vec<_>>();
    let (params, results) = (types(&import.signature.params), types(&import.signature.results));
    let signature = FuncType::new(store.engine(), params, results);
    let result_types: Arc<[ValueType]> = import.signature.results.as_slice().into();
    Ok(Func::new(store.as_context_mut(), signature, move |mut caller, params, results| {
        with_slots(params.len(), |args| {
            for (slot, param) in args.iter_mut().zip(params) {
                *slot = number(param).map_or(0, Value::to_bits);
            }
            with_slots(results.len(), |outs| {
                call_host(&mut caller, index, args, outs)?;
                for ((result, value_type), bits) in results.iter_mut().zip(result_types.iter()).zip(outs.iter()) {
                    if let Some(value) = Value::from_bits(*value_type, *bits) {
                        *result = wasm_value(value);
                    }
                }
                Ok(())
            })
        })
    }))
}

/// A function of one of the signatures that WASI is made of. wasmtime calls a function whose type it knows at compile time ten
/// times as fast as one that is described to it; the others take the general way.
fn typed_function(store: &mut Store<State>, index: usize, signature: &FunctionType) -> Option<Func> {
    macro_rules! functions {
        ($(($($param:ident: $kind:ty),*))*) => {
            $(if signature.params == [$(<$kind>::TYPE),*] as [ValueType; _] {
                return Some(Func::wrap(store, move |mut caller: Caller<'_, State>, $($param: $kind),*| -> wasmtime::Result<i32> {
                    let mut results = [0];
                    call_host(&mut caller, index, &[$($param.bits()),*], &mut results)?;
                    let [bits] = results;
                    Ok(i32::from_bits(bits))
                }));
            })*
        };
    }
    if signature.results != [ValueType::I32] {
        return None;
    }
    wasmrt_backend::wasi_signatures!(functions);
    None
}

fn call_host(caller: &mut Caller<'_, State>, index: usize, args: &[u64], results: &mut [u64]) -> wasmtime::Result<()> {
    // Known from instantiation on; a start section calls earlier, and then the caller is the instance that nobody else has yet.
    let exported = match caller.data().memory {
        Some(known) => known,
        None => {
            let exported = caller.get_export(MEMORY).and_then(Extern::into_memory);
            caller.data_mut().memory = Some(exported);
            exported
        }
    };
    let (memory, state) = match exported {
        Some(exported) => exported.data_and_store_mut(&mut *caller),
        None => (&mut [][..], caller.data_mut()),
    };
    let host = &mut state.host;
    wasmrt_backend::call_host(index, || host.call(index, memory, args, results)).map_err(|ending| {
        state.ending = Some(ending);
        HostEnded.into()
    })
}

fn wasm_type(value_type: ValueType) -> Option<ValType> {
    match value_type {
        ValueType::I32 => Some(ValType::I32),
        ValueType::I64 => Some(ValType::I64),
        ValueType::F32 => Some(ValType::F32),
        ValueType::F64 => Some(ValType::F64),
        _ => None,
    }
}

/// Our type for a number type of wasmtime's.
pub(crate) fn number_type(value_type: &ValType) -> Option<ValueType> {
    match value_type {
        ValType::I32 => Some(ValueType::I32),
        ValType::I64 => Some(ValueType::I64),
        ValType::F32 => Some(ValueType::F32),
        ValType::F64 => Some(ValueType::F64),
        ValType::V128 | ValType::Ref(_) => None,
    }
}

/// wasmtime's value for ours.
pub(crate) fn wasm_value(value: Value) -> Val {
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
    }
}

/// Our value for a number of wasmtime's.
pub(crate) fn number(value: &Val) -> Option<Value> {
    match value {
        Val::I32(value) => Some(Value::I32(*value)),
        Val::I64(value) => Some(Value::I64(*value)),
        Val::F32(bits) => Some(Value::F32(*bits)),
        Val::F64(bits) => Some(Value::F64(*bits)),
        _ => None,
    }
}
