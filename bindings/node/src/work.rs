//! Work that takes time, on a thread of its own, with a promise of its end. libuv's few threads are not taken: a guest may keep one for long.

use crate::answer::{Answer, Deferred};
use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue};
use wasmrt_runtime::model::Error;

/// Guests run here too, and wasmtime wants a stack of a certain size.
const STACK_BYTES: usize = 8 << 20;

/// Does this on another thread.
pub(crate) fn start(env: &Env, work: impl FnOnce() -> Answer + Send + 'static) -> napi::Result<Object<'_>> {
    start_with(env, work, |answer, _| Ok(answer))
}

/// Does this on another thread, and makes of it on JavaScript's thread what the promise settles with.
pub(crate) fn start_with<W: Send + 'static, T: ToNapiValue + Send + 'static>(
    env: &Env,
    work: impl FnOnce() -> W + Send + 'static,
    finish: impl FnOnce(W, Env) -> napi::Result<T> + Send + 'static,
) -> napi::Result<Object<'_>> {
    let (deferred, promise): (Deferred<T>, _) = crate::answer::promise(env)?;
    let thread = std::thread::Builder::new().name("wasmrt-work".to_owned()).stack_size(STACK_BYTES);
    let spawned = thread.spawn(move || {
        let done = work();
        deferred.resolve(Box::new(move |env| finish(done, env)));
    });
    match spawned {
        Ok(_) => Ok(promise),
        Err(source) => Err(crate::answer::thrown(&Error::io("cannot start a thread", source))),
    }
}
