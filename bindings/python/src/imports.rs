//! Python callables as functions of the host. What they raise reaches the caller of the guest as it is.

use crate::errors::raised;
use crate::memory::{Caller, lend};
use crate::values::{returned, signature, to_python};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::{Arc, Mutex, PoisonError};
use wasmrt_runtime::model::module::ExternType;
use wasmrt_runtime::model::{Error, ErrorKind, FunctionType, ModuleInfo, Result, Value};
use wasmrt_runtime::{Embedder, Imports};

/// A host function as Python offers it.
#[derive(Debug, FromPyObject)]
pub(crate) struct Offer {
    #[pyo3(item(0))]
    module: String,
    #[pyo3(item(1))]
    name: String,
    /// Types of parameters and results. None: as the module imports it.
    #[pyo3(item(2))]
    types: Option<(Vec<String>, Vec<String>)>,
    #[pyo3(item(3))]
    function: Py<PyAny>,
    /// Whether its first argument is the caller.
    #[pyo3(item(4))]
    wants_caller: bool,
}

/// A callable that the guest's functions hold, and that Python's collector of garbage can take away.
#[derive(Debug)]
pub(crate) struct Callable {
    function: Mutex<Option<Py<PyAny>>>,
}

impl Callable {
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        // Held only for as long as a reference is copied, with Python's lock held: whoever collects does not meet it held.
        match self.function.try_lock() {
            Ok(function) => visit.call(&*function),
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn clear(&self) {
        let function = self.function.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Dropped without the lock: that may call anything.
        drop(function);
    }

    fn get(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.function.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|function| function.clone_ref(py))
    }
}

/// Turns offers into imports of an instance. Those without types that the module does not import are left out.
pub(crate) fn bind(
    py: Python<'_>,
    embedder: &Embedder,
    module: &[u8],
    offers: Vec<Offer>,
    memories: Vec<(String, String, u64)>,
    instance: u64,
) -> PyResult<(Imports, Vec<Arc<Callable>>)> {
    let fail = |error: Error| raised(py, &error);
    let info = if offers.iter().any(|offer| offer.types.is_none()) {
        Some(py.detach(|| embedder.runtime().describe(module)).map_err(fail)?)
    } else {
        None
    };
    let mut imports = Imports::new();
    let mut callables = Vec::with_capacity(offers.len());
    for offer in offers {
        let Offer { module, name, types, function, wants_caller } = offer;
        let signature = match types {
            Some((params, results)) => signature(&params, &results).map_err(|complaint| {
                fail(
                    Error::new(ErrorKind::InvalidInput, format!("{module}.{name}: {complaint}"))
                        .with_operation("offer imports"),
                )
            })?,
            None => match info.as_ref().and_then(|info| imported(info, &module, &name)) {
                Some(signature) => signature,
                None => continue,
            },
        };
        let callable = Arc::new(Callable { function: Mutex::new(Some(function)) });
        callables.push(Arc::clone(&callable));
        let (full_name, types) = (format!("{module}.{name}"), signature.clone());
        imports = imports.function(module, name, signature, move |caller, args| {
            let mut memory = caller.memory();
            lend(memory.bytes_mut(), instance, |call| {
                let caller = wants_caller.then_some(call);
                Python::attach(|py| carry_out(py, &callable, caller, args, &full_name, &types))
            })
        });
    }
    for (module, name, pages) in memories {
        imports = imports.memory(module, name, pages);
    }
    Ok((imports, callables))
}

/// The signature by which the module imports a function.
fn imported(info: &ModuleInfo, module: &str, name: &str) -> Option<FunctionType> {
    info.imports.iter().find_map(|import| match &import.extern_type {
        ExternType::Function(signature) if import.module == module && import.name == name => Some(signature.clone()),
        _ => None,
    })
}

fn carry_out(
    py: Python<'_>,
    callable: &Callable,
    caller: Option<u64>,
    args: &[Value],
    name: &str,
    signature: &FunctionType,
) -> Result<Vec<Value>> {
    let call = || -> PyResult<Vec<Value>> {
        let function = callable.get(py).ok_or_else(|| {
            pyo3::exceptions::PyReferenceError::new_err(format!(
                "the host function {name} is gone: its instance was closed"
            ))
        })?;
        let mut objects = Vec::with_capacity(args.len() + 1);
        if let Some(call) = caller {
            objects.push(Py::new(py, Caller::new(call))?.into_any().into_bound(py));
        }
        for arg in args {
            objects.push(to_python(py, *arg)?);
        }
        let result = function.bind(py).call1(PyTuple::new(py, objects)?)?;
        returned(&result, name, signature)
    };
    call().map_err(|exception| {
        Error::new(ErrorKind::Internal, format!("the host function {name} raised an exception")).with_source(exception)
    })
}
