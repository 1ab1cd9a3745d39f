//! What promises settle with: JSON that the JavaScript half reads, and captured bytes beside it. A failure settles like an answer, so
//! that the error which users see is made in one place.

use napi::bindgen_prelude::{Buffer, Object};
use napi::{Env, JsDeferred};
use napi_derive::napi;
use serde::Serialize;
use serde_json::{Value as Json, json};
use wasmrt_runtime::model::{Error, ErrorKind, Outcome, Value};

/// A settled promise.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct Answer {
    /// The answer, or the error under the key `error`.
    pub json: String,
    /// Standard output, when it was captured.
    pub stdout: Option<Buffer>,
    /// Standard error, when it was captured.
    pub stderr: Option<Buffer>,
}

type Settle<T> = Box<dyn FnOnce(Env) -> napi::Result<T> + Send>;

/// A promise that any thread may settle. While it is open, the process does not end by itself.
pub(crate) type Deferred<T = Answer> = JsDeferred<T, Settle<T>>;

/// A new promise, and what settles it.
pub(crate) fn promise<T: napi::bindgen_prelude::ToNapiValue + Send + 'static>(
    env: &Env,
) -> napi::Result<(Deferred<T>, Object<'_>)> {
    env.create_deferred()
}

impl Answer {
    /// An answer without bytes.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(json) => Self { json, ..Self::default() },
            Err(source) => {
                Self::of_error(&Error::new(ErrorKind::Internal, "an answer cannot be written down").with_source(source))
            }
        }
    }

    pub(crate) fn of_error(error: &Error) -> Self {
        Self { json: json!({ "error": error }).to_string(), ..Self::default() }
    }

    pub(crate) fn of_result<T: Serialize>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(value) => Self::of(value),
            Err(error) => Self::of_error(error),
        }
    }

    /// The end of a run. Captured bytes go beside the JSON: they need not be text.
    pub(crate) fn of_run(ended: Result<Outcome, Error>) -> Self {
        let mut outcome = match ended {
            Ok(outcome) => outcome,
            Err(error) => return Self::of_error(&error),
        };
        let stdout = outcome.stdout.take().map(|captured| captured.bytes.into());
        let stderr = outcome.stderr.take().map(|captured| captured.bytes.into());
        let results = values(&outcome.results);
        let success = outcome.status.success();
        let code = outcome.status.exit_code();
        let mut fields = json!(outcome);
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("results".to_owned(), results);
            fields.insert("success".to_owned(), success.into());
            fields.insert("exit_code".to_owned(), code.into());
        }
        Self { json: fields.to_string(), stdout, stderr }
    }
}

/// Values as their types and bits: JSON's numbers hold neither 64-bit integers nor NaN.
pub(crate) fn values(values: &[Value]) -> Json {
    values.iter().map(|value| json!([value.value_type().to_string(), value.to_bits().to_string()])).collect()
}

/// An error as an exception of the native half. The JavaScript half makes the user's error of it.
pub(crate) fn thrown(error: &Error) -> napi::Error {
    napi::Error::from_reason(Answer::of_error(error).json)
}
