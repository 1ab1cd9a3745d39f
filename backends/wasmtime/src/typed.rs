//! Calls of exported functions whose signatures are known here, without describing each value to wasmtime: a tenth of the time.
//!
//! Those that embedders' exports have: a few integers in, at most one out. Everything else takes the general way.

use crate::instance::State;
use std::fmt;
use wasmrt_backend::Integer;
use wasmrt_model::{Value, ValueType};
use wasmtime::{Func, Store};

type Call = dyn Fn(&mut Store<State>, &[Value]) -> wasmtime::Result<Option<Value>> + Send + Sync;

/// A function of a signature that is known here.
pub(crate) struct Typed(Box<Call>);

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed")
    }
}

impl Typed {
    /// Calls it. The arguments have been checked against the signature.
    pub(crate) fn call(&self, store: &mut Store<State>, args: &[Value]) -> wasmtime::Result<Option<Value>> {
        (self.0)(store, args)
    }
}

/// The quick way to call this function, if its signature is one of those that are known here.
pub(crate) fn typed(func: &Func, store: &Store<State>, params: &[ValueType], results: &[ValueType]) -> Option<Typed> {
    macro_rules! with_params {
        ($result:ty, $back:expr; $(($($param:ident: $kind:ty),+))*) => {
            $(if params == [$(<$kind>::TYPE),+] as [ValueType; _] {
                let typed = func.typed::<($($kind,)+), $result>(store).ok()?;
                return Some(Typed(Box::new(move |store, args| {
                    let mut args = args.iter();
                    // Checked before: a missing one cannot be, and would be 0.
                    $(let $param = args.next().and_then(|arg| <$kind>::of(*arg)).unwrap_or_default();)+
                    typed.call(store, ($($param,)+)).map($back)
                })));
            })*
        };
    }
    macro_rules! with_result {
        ($result:ty, $back:expr) => {{
            if params.is_empty() {
                let typed = func.typed::<(), $result>(store).ok()?;
                return Some(Typed(Box::new(move |store, _| typed.call(store, ()).map($back))));
            }
            with_params! {
                $result, $back;
                (a: i32)
                (a: i32, b: i32)
                (a: i32, b: i32, c: i32)
                (a: i32, b: i32, c: i32, d: i32)
                (a: i32, b: i32, c: i32, d: i32, e: i32)
                (a: i32, b: i32, c: i32, d: i32, e: i32, f: i32)
                (a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i32)
                (a: i64)
                (a: i64, b: i64)
                (a: i32, b: i64)
                (a: i64, b: i32)
            }
        }};
    }
    match results {
        [] => with_result!((), |()| None),
        [ValueType::I32] => with_result!(i32, |result| Some(Integer::value(result))),
        [ValueType::I64] => with_result!(i64, |result| Some(Integer::value(result))),
        _ => {}
    }
    None
}
