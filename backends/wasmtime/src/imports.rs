//! The way from guest code to [`HostFunctions`](wasmrt_model::backend::HostFunctions) and back: values, memory, endings and
//! panics. Knows no function by name.

use crate::instance::State;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wasmrt_model::backend::{Ending, ImportedFunction};
use wasmrt_model::{Error, ErrorKind, FunctionType, Value, ValueType};
use wasmtime::{AsContextMut, Caller, Extern, Func, FuncType, Store, Val, ValType};

/// The export that host functions work on.
pub(crate) const MEMORY: &str = "memory";

/// Parameters and results that fit need no allocation per call. WASI's longest signature has nine parameters.
const INLINE: usize = 16;

/// Returned through wasmtime's frames in place of an [`Ending`], which waits in the [`State`].
#[derive(Debug)]
pub(crate) struct HostEnded;

impl std::fmt::Display for HostEnded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the host ended the guest")
    }
}

impl std::error::Error for HostEnded {}

/// One function per import, in order.
pub(crate) fn functions(store: &mut Store<State>, imports: &[ImportedFunction]) -> Result<Vec<Extern>, Error> {
    imports.iter().enumerate().map(|(index, import)| function(store, index, import).map(Extern::Func)).collect()
}

fn function(store: &mut Store<State>, index: usize, import: &ImportedFunction) -> Result<Func, Error> {
    let types = |types: &[ValueType]| types.iter().map(|value_type| wasm_type(*value_type)).collect::<Option<Vec<_>>>();
    let (Some(params), Some(results)) = (types(&import.signature.params), types(&import.signature.results)) else {
        return Err(Error::new(ErrorKind::Unsupported, "vectors and references do not cross to the host")
            .with_context("import", format!("{}.{}", import.module, import.name))
            .with_context("type", &import.signature));
    };
    if let Some(typed) = typed_function(store, index, &import.signature) {
        return Ok(typed);
    }
    let signature = FuncType::new(store.engine(), params, results);
    let result_types: Arc<[ValueType]> = import.signature.results.as_slice().into();
    Ok(Func::new(store.as_context_mut(), signature, move |mut caller, params, results| {
        let (mut inline_params, mut inline_results) = ([0; INLINE], [0; INLINE]);
        let (mut heap_params, mut heap_results) = (Vec::new(), Vec::new());
        let args = slots(&mut inline_params, &mut heap_params, params.len());
        let outs = slots(&mut inline_results, &mut heap_results, results.len());
        for (slot, param) in args.iter_mut().zip(params) {
            *slot = number(param).map_or(0, Value::to_bits);
        }
        call_host(&mut caller, index, args, outs)?;
        for ((result, value_type), bits) in results.iter_mut().zip(result_types.iter()).zip(outs.iter()) {
            if let Some(value) = Value::from_bits(*value_type, *bits) {
                *result = wasm_value(value);
            }
        }
        Ok(())
    }))
}

/// An integer that wasmtime passes in a register.
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

/// A function of one of the signatures that WASI is made of. wasmtime calls a function whose type it knows at compile time ten
/// times as fast as one that is described to it; the others take the general way.
fn typed_function(store: &mut Store<State>, index: usize, signature: &FunctionType) -> Option<Func> {
    macro_rules! signatures {
        ($(($($param:ident: $kind:ty),*))*) => {
            $(if signature.params == [$(<$kind>::TYPE),*] as [ValueType; _] {
                return Some(Func::wrap(store, move |mut caller: Caller<'_, State>, $($param: $kind),*| -> wasmtime::Result<i32> {
                    let mut results = [0];
                    call_host(&mut caller, index, &[$($param.bits()),*], &mut results)?;
                    let [bits] = results;
                    #[expect(clippy::cast_possible_truncation, reason = "32-bit values live in the low half")]
                    let low = bits as u32;
                    Ok(low.cast_signed())
                }));
            })*
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
    // A panic leaves the host's own state as it is; nothing uses it again, since the guest is ended.
    let called = catch_unwind(AssertUnwindSafe(|| host.call(index, memory, args, results)));
    let ending = match called {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(ending)) => ending,
        Err(panic) => Ending::Failed(
            Error::new(ErrorKind::Internal, format!("a host function panicked: {}", panic_text(&*panic)))
                .with_context("import", index),
        ),
    };
    state.ending = Some(ending);
    Err(HostEnded.into())
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
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
