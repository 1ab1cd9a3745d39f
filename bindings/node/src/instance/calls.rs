//! Calls with limits of their own, calls on another thread, resets, and what ends them.

use super::{NativeInstance, Shared};
use crate::answer::{self, Answer, thrown};
use crate::bridge;
use crate::values::{self, Incoming};
use crate::work;
use napi::bindgen_prelude::Object;
use napi::{Env, Status};
use napi_derive::napi;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use wasmrt_runtime::model::module::ExternType;
use wasmrt_runtime::model::units::{Count, Span};
use wasmrt_runtime::model::{Error, ErrorKind, Result, Value};
use wasmrt_runtime::{CallEnd, CallLimits, CallOutcome, Instance};

/// Limits of one call, as the JavaScript half writes them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    fuel: Option<Count>,
    wall_time: Option<Span>,
}

fn limits(json: &str) -> Result<CallLimits> {
    let asked: Limits = serde_json::from_str(json)
        .map_err(|source| Error::new(ErrorKind::InvalidInput, "not the limits of a call").with_source(source))?;
    let mut limits = CallLimits::default();
    limits.fuel = asked.fuel;
    limits.wall_time = asked.wall_time.map(|span| span.0);
    Ok(limits)
}

/// Arguments as the export's types want them.
fn typed(instance: &Instance, name: &str, args: &[Incoming]) -> Result<Vec<Value>> {
    let signature =
        instance.exports().iter().filter(|export| export.name == name).find_map(|export| match &export.extern_type {
            ExternType::Function(signature) => Some(signature),
            _ => None,
        });
    let missing = || Error::new(ErrorKind::MissingExport, format!("the module exports no function '{name}'"));
    let signature = signature.ok_or_else(missing)?;
    values::all(&signature.params, args, &format!("'{name}' is {signature}"))
}

fn answer_of(called: Result<CallOutcome>) -> Answer {
    match called {
        Ok(outcome) => {
            let usage = json!({ "wall_time": outcome.usage.wall_time, "fuel": outcome.usage.fuel });
            Answer::of(&match outcome.end {
                CallEnd::Returned(results) => json!({ "results": answer::values(&results), "usage": usage }),
                CallEnd::Ended(status) => json!({ "ended": status, "message": status.to_string(), "usage": usage }),
            })
        }
        Err(error) => Answer::of_error(&error),
    }
}

/// On this thread: the exception of a host function is pending when it threw one.
fn here(shared: &Shared, env: &Env, work: impl FnOnce(&mut Instance) -> Answer) -> napi::Result<Answer> {
    let mut instance = shared.lock().map_err(|error| thrown(&error))?;
    match bridge::in_env(env, || work(&mut instance)) {
        (_, true) => Err(napi::Error::new(Status::PendingException, "")),
        (answer, false) => Ok(answer),
    }
}

/// On a thread of its own, where it can be ended from here.
fn elsewhere<'env>(
    shared: &Arc<Shared>,
    env: &'env Env,
    work: impl FnOnce(&mut Instance) -> Answer + Send + 'static,
) -> napi::Result<Object<'env>> {
    let shared = Arc::clone(shared);
    work::start(env, move || {
        let mut instance = match shared.lock() {
            Ok(instance) => instance,
            Err(error) => return Answer::of_error(&error),
        };
        let cancel = match instance.cancel_handle() {
            Ok(cancel) => cancel,
            Err(error) => return Answer::of_error(&error),
        };
        *shared.cancel_handle() = Some(cancel);
        let answer = work(&mut instance);
        *shared.cancel_handle() = None;
        answer
    })
}

#[napi]
impl NativeInstance {
    /// Calls an export on this thread.
    #[napi]
    pub fn call_here(&self, env: Env, name: String, args: Vec<Incoming>, limits_json: String) -> napi::Result<Answer> {
        let limits = limits(&limits_json).map_err(|error| thrown(&error))?;
        here(&self.shared, &env, |instance| {
            answer_of(typed(instance, &name, &args).and_then(|args| instance.call(&name, &args, limits)))
        })
    }

    /// Calls an export on another thread.
    #[napi]
    pub fn call_elsewhere<'env>(
        &self,
        env: &'env Env,
        name: String,
        args: Vec<Incoming>,
        limits_json: String,
    ) -> napi::Result<Object<'env>> {
        let asked = || {
            let args = typed(&*self.shared.lock()?, &name, &args)?;
            Ok((args, limits(&limits_json)?))
        };
        let (args, limits) = asked().map_err(|error: Error| thrown(&error))?;
        elsewhere(&self.shared, env, move |instance| answer_of(instance.call(&name, &args, limits)))
    }

    /// Makes a new guest of the same code, on this thread.
    #[napi]
    pub fn reset_here(&self, env: Env) -> napi::Result<Answer> {
        here(&self.shared, &env, |instance| Answer::of_result(&instance.reset()))
    }

    /// Makes a new guest of the same code, on another thread.
    #[napi]
    pub fn reset_elsewhere<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        elsewhere(&self.shared, env, |instance| Answer::of_result(&instance.reset()))
    }

    /// Ends the call that runs on another thread. False when there is none that can hear it yet.
    #[napi]
    pub fn cancel(&self) -> bool {
        let cancelled = self.shared.cancel_handle().as_ref().is_some_and(wasmrt_runtime::CancelHandle::cancel);
        if cancelled {
            self.shared.hop.give_up();
        }
        cancelled
    }
}
