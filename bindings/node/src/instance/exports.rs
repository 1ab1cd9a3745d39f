//! Exported functions as JavaScript functions: the shortest way into a guest. A function knows its signature; a call with up to eight arguments
//! allocates nothing here.

use super::{NativeInstance, Shared};
use crate::answer::{Answer, thrown};
use crate::bridge;
use crate::values::{self, Outgoing};
use napi::bindgen_prelude::{BigInt, Function, FunctionCallContext, Unknown};
use napi::{Env, Status};
use napi_derive::napi;
use serde_json::json;
use std::sync::Arc;
use wasmrt_runtime::model::module::ExternType;
use wasmrt_runtime::model::{Error, ErrorKind, FunctionType, Result, Value, ValueType};
use wasmrt_runtime::{CallEnd, CallLimits};

const VALUES_ON_STACK: usize = 8;

#[napi]
impl NativeInstance {
    /// An exported function.
    #[napi]
    pub fn function<'env>(
        &self,
        env: &'env Env,
        name: String,
    ) -> napi::Result<Function<'env, Unknown<'env>, Outgoing>> {
        let signature = self.shared.lock().and_then(|instance| {
            let mut exports = instance.exports().iter().filter(|export| export.name == name);
            let signature = exports.find_map(|export| match &export.extern_type {
                ExternType::Function(signature) => Some(signature.clone()),
                _ => None,
            });
            signature
                .ok_or_else(|| Error::new(ErrorKind::MissingExport, format!("the module exports no function '{name}'")))
        });
        let signature = signature.map_err(|error| thrown(&error))?;
        let shared = Arc::clone(&self.shared);
        let js_name = name.clone();
        env.create_function_from_closure(&js_name, move |context: FunctionCallContext<'_>| {
            call(&shared, &name, &signature, &context)
        })
    }
}

fn call(
    shared: &Arc<Shared>,
    name: &str,
    signature: &FunctionType,
    context: &FunctionCallContext<'_>,
) -> napi::Result<Outgoing> {
    let env = &*context.env;
    let mut on_stack = [Value::I32(0); VALUES_ON_STACK];
    let mut on_heap = Vec::new();
    let mut called = || {
        let args = arguments(name, signature, context, &mut on_stack, &mut on_heap)?;
        let mut instance = shared.lock()?;
        Ok(bridge::in_env(env, || instance.call(name, args, CallLimits::default())))
    };
    let failed = |error: &Error| bridge::throw(env, shared.hop.instance, Answer::of_error(error).json);
    match called() {
        Ok((_, true)) => Err(napi::Error::new(Status::PendingException, "")),
        Ok((Ok(outcome), false)) => match outcome.end {
            CallEnd::Returned(results) => Ok(values::returned(&results)),
            CallEnd::Ended(status) => {
                let ended = json!({
                    "ended": status,
                    "message": status.to_string(),
                    "usage": { "wall_time": outcome.usage.wall_time, "fuel": outcome.usage.fuel },
                });
                Err(bridge::throw(env, shared.hop.instance, ended.to_string()))
            }
        },
        Ok((Err(error), false)) | Err(error) => Err(failed(&error)),
    }
}

fn arguments<'a>(
    name: &str,
    signature: &FunctionType,
    context: &FunctionCallContext<'_>,
    on_stack: &'a mut [Value],
    on_heap: &'a mut Vec<Value>,
) -> Result<&'a [Value]> {
    let params = &signature.params;
    if context.length() != params.len() {
        let message = format!("'{name}' is {signature} and was given {} arguments", context.length());
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    let places = if params.len() <= on_stack.len() {
        on_stack.get_mut(..params.len()).unwrap_or_default()
    } else {
        on_heap.resize(params.len(), Value::I32(0));
        on_heap.as_mut_slice()
    };
    for (index, (place, value_type)) in places.iter_mut().zip(params).enumerate() {
        let value = match value_type {
            ValueType::I64 => context.get::<BigInt>(index).ok().and_then(|big| values::from_big(*value_type, &big)),
            _ => context.get::<f64>(index).ok().and_then(|number| values::from_number(*value_type, number)),
        };
        *place = value.ok_or_else(|| {
            let wanted = values::wanted(*value_type);
            let message = format!("'{name}' is {signature}: argument {} has to be {wanted}", index + 1);
            Error::new(ErrorKind::InvalidInput, message)
        })?;
    }
    Ok(places)
}
