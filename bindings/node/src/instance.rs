//! Instances as the JavaScript half holds them: exported functions as JavaScript functions, calls on other threads, memory.
//!
//! A guest is called on JavaScript's thread, which then does nothing else, or on a thread of its own. Whoever comes while it runs is refused.

mod calls;
mod exports;
mod imports;

use crate::answer::{Answer, thrown};
use crate::bridge::{self, Hop, NativeHop};
use crate::embedder::NativeRuntime;
use crate::spec::Around;
use crate::teardown::{self, Ends};
use crate::{spec, work};
use napi::Env;
use napi::bindgen_prelude::{Buffer, Object, Uint8Array};
use napi_derive::napi;
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use wasmrt_runtime::model::{Error, ErrorKind, Result};
use wasmrt_runtime::{CancelHandle, Instance, InstantiateOptions, Memory, Spent};

/// How long the end of an environment waits for guests on other threads: a process that ends while one runs could end badly.
const END_WITHIN: Duration = Duration::from_secs(2);

/// An instance, as several functions and threads share it.
pub(crate) struct Shared {
    instance: Mutex<Instance>,
    pub(crate) hop: Arc<Hop>,
    /// What ends a call on another thread, while there is one.
    cancel: Mutex<Option<CancelHandle>>,
}

/// A guest in this process.
#[napi]
pub struct NativeInstance {
    shared: Arc<Shared>,
}

/// What making an instance comes to: the instance, or an answer that says why there is none.
#[napi(object, object_from_js = false)]
pub struct Made {
    /// The instance.
    pub instance: Option<NativeInstance>,
    /// The error.
    pub answer: Option<Answer>,
}

impl Shared {
    /// The instance, unless it runs.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, Instance>> {
        match self.instance.try_lock() {
            Ok(instance) => Ok(instance),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(ErrorKind::Busy, "the instance is in the middle of a call")
                    .with_hint("wait for its end"))
            }
        }
    }

    fn cancel_handle(&self) -> MutexGuard<'_, Option<CancelHandle>> {
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_memory<R>(&self, name: Option<&str>, use_memory: impl FnOnce(&mut Memory<'_>) -> Result<R>) -> Result<R> {
        let mut instance = self.lock()?;
        let mut memory = match name {
            None => instance.memory()?,
            Some(name) => instance.memory_named(name)?,
        };
        use_memory(&mut memory)
    }
}

impl Ends for Shared {
    fn end(&self) {
        self.hop.close();
        let until = Instant::now() + END_WITHIN;
        // A call that begins at this very moment is not heard at the first try.
        while self.lock().is_err() && Instant::now() < until {
            if let Some(cancel) = &*self.cancel_handle() {
                cancel.cancel();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[napi]
impl NativeRuntime {
    /// Makes an instance, on another thread.
    #[napi]
    pub fn instantiate<'env>(
        &self,
        env: &'env Env,
        hop: &NativeHop,
        module: Uint8Array,
        spec: String,
        around: Around,
        imports: String,
    ) -> napi::Result<Object<'env>> {
        let hop = hop.hop();
        let asked = || {
            let spec = spec::read(&spec, around)?;
            Ok((spec, imports::read(&imports)?))
        };
        let (spec, asked) = asked().map_err(|error: Error| thrown(&error))?;
        let (embedder, bytes) = (self.embedder.clone(), module.to_vec());
        let make = {
            let hop = Arc::clone(&hop);
            move || {
                let imports = imports::offer(embedder.runtime(), &asked, &bytes, &hop)?;
                embedder.instantiate(&bytes, &spec, imports, InstantiateOptions::default())
            }
        };
        work::start_with(env, make, move |made: Result<Instance>, env| {
            Ok(match made {
                Ok(instance) => {
                    let shared = Arc::new(Shared { instance: Mutex::new(instance), hop, cancel: Mutex::default() });
                    teardown::remember(&env, &shared)?;
                    Made { instance: Some(NativeInstance { shared }), answer: None }
                }
                Err(error) => Made { instance: None, answer: Some(Answer::of_error(&error)) },
            })
        })
    }
}

#[napi]
impl NativeInstance {
    /// What it is and offers, as JSON.
    #[napi]
    pub fn describe(&self) -> napi::Result<String> {
        let instance = self.shared.lock().map_err(|error| thrown(&error))?;
        Ok(json!({ "engine": instance.engine(), "tier": instance.tier(), "exports": instance.exports() }).to_string())
    }

    /// What it has used, what was refused, and why it can only be reset, as JSON.
    #[napi]
    pub fn state(&self) -> napi::Result<String> {
        let mut instance = self.shared.lock().map_err(|error| thrown(&error))?;
        let usage = instance.usage();
        let spent = instance.spent().map(|spent| match spent {
            Spent::Ended(status) => json!({ "message": spent.to_string(), "status": status }),
            Spent::Failed { kind, message } => json!({ "message": message, "code": kind }),
        });
        let usage = json!({
            "memory_pages": usage.memory_pages,
            "output_bytes": usage.output_bytes,
            "written_bytes": usage.written_bytes,
        });
        Ok(json!({ "usage": usage, "refusals": instance.refusals(), "spent": spent }).to_string())
    }

    /// What was captured of standard output, or error, since this was last asked.
    #[napi]
    pub fn take_output(&self, error: bool) -> napi::Result<Option<Buffer>> {
        let take = || {
            let mut instance = self.shared.lock()?;
            if error { instance.take_stderr() } else { instance.take_stdout() }
        };
        Ok(take().map_err(|error| thrown(&error))?.map(Buffer::from))
    }

    /// The size of a memory in bytes.
    #[napi]
    pub fn memory_size(&self, name: Option<String>) -> napi::Result<f64> {
        let size = self.shared.with_memory(name.as_deref(), |memory| Ok(memory.size()));
        size.map(bridge::number).map_err(|error| thrown(&error))
    }

    /// Bytes of a memory.
    #[napi]
    pub fn memory_read(&self, name: Option<String>, offset: f64, length: f64) -> napi::Result<Buffer> {
        let (offset, length) = (whole(offset)?, whole(length)?);
        let read = |memory: &mut Memory<'_>| memory.read(offset, length).map(<[u8]>::to_vec);
        self.shared.with_memory(name.as_deref(), read).map(Buffer::from).map_err(|error| thrown(&error))
    }

    /// Writes to a memory.
    #[napi]
    pub fn memory_write(&self, name: Option<String>, offset: f64, bytes: Uint8Array) -> napi::Result<()> {
        let offset = whole(offset)?;
        self.shared.with_memory(name.as_deref(), |memory| memory.write(offset, &bytes)).map_err(|error| thrown(&error))
    }
}

/// A position or length in memory. Numbers of guests are often negative where they mean the upper half of 32 bits.
pub(crate) fn whole(number: f64) -> napi::Result<u64> {
    let number = if (-2_147_483_648.0..0.0).contains(&number) { number + 4_294_967_296.0 } else { number };
    if number.fract() != 0.0 || !(0.0..9_007_199_254_740_992.0).contains(&number) {
        let error = Error::new(ErrorKind::InvalidInput, format!("{number} is no position or length in memory"));
        return Err(thrown(&error));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 2^53")]
    Ok(number as u64)
}
