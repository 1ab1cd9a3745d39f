//! Errors on their way to Python: each kind is a class of its own, and exceptions of host functions arrive as they were raised.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::error::Error as StdError;
use wasmrt_runtime::model::{Error, ErrorKind};

const MODULE: &str = "wasmrt.errors";

/// The exception that this error is.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    if let Some(own) = of_host_function(py, error) {
        return own;
    }
    static FROM_JSON: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let told = || {
        let text = serde_json::to_string(error).map_err(|source| unreadable(&source))?;
        FROM_JSON.import(py, MODULE, "error_from_json")?.call1((text, error.to_string()))
    };
    told().map_or_else(|failure| failure, PyErr::from_value)
}

/// An error of this binding itself.
pub(crate) fn refused(py: Python<'_>, kind: ErrorKind, message: impl Into<String>) -> PyErr {
    raised(py, &Error::new(kind, message))
}

/// The exception for a call whose guest ended: `outcome` tells how, as JSON.
pub(crate) fn guest_ended(py: Python<'_>, outcome: &str) -> PyErr {
    static FROM_JSON: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let told = || FROM_JSON.import(py, MODULE, "guest_error_from_json")?.call1((outcome,));
    told().map_or_else(|failure| failure, PyErr::from_value)
}

/// What our own words could not be turned into.
pub(crate) fn unreadable(source: &serde_json::Error) -> PyErr {
    pyo3::exceptions::PyRuntimeError::new_err(format!("wasmrt cannot tell what it has to tell: {source}"))
}

fn of_host_function(py: Python<'_>, error: &Error) -> Option<PyErr> {
    let mut cause = error.source();
    while let Some(source) = cause {
        if let Some(exception) = source.downcast_ref::<PyErr>() {
            return Some(exception.clone_ref(py));
        }
        cause = source.source();
    }
    None
}
