//! From guests to JavaScript: how a host function is called, and how it reaches the guest's memory. From other threads that goes by way of [`hop`].
//!
//! Nothing here holds on to users' functions: the JavaScript half finds them by the number of their instance. A reference from here would keep
//! an instance alive for ever whose functions know it, which most do.

use crate::values::{self, HostArgs, HostReturned, OutgoingValue};
use napi::bindgen_prelude::{FnArgs, Function, FunctionRef};
use napi::threadsafe_function::ThreadsafeFunction;
use napi::{Env, Status};
use napi_derive::napi;
use scoped_tls_hkt::scoped_thread_local;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use wasmrt_runtime::Caller;
use wasmrt_runtime::model::{Error, ErrorKind, Result, Value, ValueType};

/// A call that goes to JavaScript's thread: the instance, the number of the call, the function, its arguments.
type LaterArgs = FnArgs<(f64, f64, u32, Vec<OutgoingValue>)>;
type LaterCall = (f64, f64, u32, Vec<Value>);
/// It does not keep the process alive: the promise of the call that it serves does.
pub(crate) type Later = ThreadsafeFunction<LaterCall, (), LaterArgs, Status, false, true>;

/// The JavaScript half's functions, of one environment.
pub(crate) struct Bridge {
    dispatch: FunctionRef<HostArgs, HostReturned>,
    fail: FunctionRef<FnArgs<(f64, String)>, ()>,
    later: Arc<Later>,
}

/// What is known of the guest that was called last on this thread, and has not returned.
#[derive(Clone, Copy)]
struct Called {
    /// The environment in which it was called.
    env: Option<Env>,
    /// Whether a host function has thrown, and the exception is on its way.
    thrown: bool,
}

thread_local! {
    static BRIDGE: RefCell<Option<Rc<Bridge>>> = const { RefCell::new(None) };
    static CALLED: Cell<Called> = const { Cell::new(Called { env: None, thrown: false }) };
}

mod hop;

pub(crate) use hop::{Hop, NativeHop};

scoped_thread_local!(static mut MEMORY: for<'a> (u64, &'a mut [u8]));

/// Takes the JavaScript half's functions. `dispatch(instance, index, ...args)` calls a host function, `later(instance, call, index, args)` does
/// so for a guest on another thread, `fail(instance, json)` throws what an error is to users.
#[napi]
pub fn set_bridge(
    dispatch: Function<'_, HostArgs, HostReturned>,
    later: Function<'_, LaterArgs, ()>,
    fail: Function<'_, FnArgs<(f64, String)>, ()>,
) -> napi::Result<()> {
    let later: Later = later.build_threadsafe_function::<LaterCall>().weak::<true>().build_callback(|context| {
        let (instance, call, index, args) = context.value;
        Ok(FnArgs::from((instance, call, index, args.into_iter().map(values::to_js).collect())))
    })?;
    let bridge = Bridge { dispatch: dispatch.create_ref()?, fail: fail.create_ref()?, later: Arc::new(later) };
    BRIDGE.with_borrow_mut(|slot| *slot = Some(Rc::new(bridge)));
    Ok(())
}

fn bridge() -> Option<Rc<Bridge>> {
    BRIDGE.with_borrow(Clone::clone)
}

/// The way to JavaScript's thread, from others.
pub(crate) fn later() -> napi::Result<Arc<Later>> {
    bridge().map(|bridge| Arc::clone(&bridge.later)).ok_or_else(|| napi::Error::from_reason("the bridge is not set"))
}

/// Lets go of what belongs to this environment.
pub(crate) fn forget() {
    BRIDGE.with_borrow_mut(Option::take);
}

/// Throws what this error is to users.
pub(crate) fn throw(env: &Env, instance: u64, json: String) -> napi::Error {
    let Some(bridge) = bridge() else { return napi::Error::from_reason(json) };
    let thrown = bridge.fail.borrow_back(env).and_then(|fail| fail.apply((), FnArgs::from((number(instance), json))));
    match thrown {
        // The exception is there, and goes on to the caller.
        Err(error) => error,
        Ok(()) => napi::Error::from_reason("an error was not thrown"),
    }
}

/// Numbers of instances are small: JavaScript counts them.
#[expect(clippy::cast_precision_loss, reason = "they came as numbers")]
pub(crate) fn number(id: u64) -> f64 {
    id as f64
}

/// Calls a guest on JavaScript's thread. Says whether a host function has thrown: the exception is then pending.
pub(crate) fn in_env<R>(env: &Env, call: impl FnOnce() -> R) -> (R, bool) {
    let before = CALLED.replace(Called { env: Some(Env::from_raw(env.raw())), thrown: false });
    let result = call();
    (result, CALLED.replace(before).thrown)
}

/// Uses the memory of the guest that has called a host function on this thread, if it is that of this instance.
fn with_caller_memory<R>(instance: u64, use_memory: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
    if !MEMORY.is_set() {
        return None;
    }
    MEMORY.with(|(caller, memory)| (caller == instance).then(|| use_memory(memory)))
}

/// Calls a host function, from whatever thread the guest runs on.
pub(crate) fn call_host(host: &HostFunction, caller: &mut Caller<'_>, args: &[Value]) -> Result<Vec<Value>> {
    match CALLED.get().env {
        Some(env) => host.call_here(&env, caller, args),
        None => host.hop.call(host, caller, args),
    }
}

/// One host function of one instance.
pub(crate) struct HostFunction {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) results: Vec<ValueType>,
    pub(crate) hop: Arc<Hop>,
}

impl HostFunction {
    fn call_here(&self, env: &Env, caller: &mut Caller<'_>, args: &[Value]) -> Result<Vec<Value>> {
        let gone = || Error::new(ErrorKind::Internal, "the environment is going down");
        let bridge = bridge().ok_or_else(gone)?;
        let args = HostArgs { instance: number(self.hop.instance), index: self.index, values: args.to_vec() };
        let mut memory = caller.memory();
        let called = MEMORY.set((self.hop.instance, memory.bytes_mut()), || {
            // Handles of many calls would pile up until the guest returns.
            env.run_in_scope(|| {
                let returned = bridge.dispatch.borrow_back(env)?.apply((), args)?;
                Ok(values::of_host(&self.results, returned, &self.name))
            })
        });
        called.unwrap_or_else(|error| {
            let thrown = error.status == Status::PendingException;
            CALLED.set(Called { env: CALLED.get().env, thrown });
            Err(Error::new(ErrorKind::Internal, format!("the host function {} failed: {}", self.name, error.reason)))
        })
    }
}
