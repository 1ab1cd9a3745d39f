//! Modules: bytes that Python holds, and what an embedder made of them.

use crate::errors::raised;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Mutex, PoisonError};
use wasmrt_runtime::Embedder;
use wasmrt_runtime::model::Result;

/// A module, or a component. What it is shows when it is used.
#[pyclass(frozen, module = "wasmrt._wasmrt")]
#[derive(Debug)]
pub(crate) struct Module {
    bytes: Py<PyBytes>,
    shared: Mutex<Option<wasmrt_runtime::Module>>,
}

#[pymethods]
impl Module {
    #[new]
    fn new(bytes: Py<PyBytes>) -> Self {
        Self { bytes, shared: Mutex::default() }
    }

    /// The BLAKE3 hash of its bytes, in hexadecimal.
    #[getter]
    fn hash(&self, py: Python<'_>) -> PyResult<String> {
        self.shared(py).map(|module| module.hash()).map_err(|error| raised(py, &error))
    }

    /// Its bytes.
    #[getter]
    fn bytes(&self, py: Python<'_>) -> Py<PyBytes> {
        self.bytes.clone_ref(py)
    }
}

impl Module {
    /// As an embedder takes it. Made when it is first needed: an instance needs the bytes alone.
    pub(crate) fn shared(&self, py: Python<'_>) -> Result<wasmrt_runtime::Module> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = &*shared {
            return Ok(module.clone());
        }
        let module = Embedder::new(wasmrt_runtime::EmbedderConfig::default()).module(self.bytes.as_bytes(py))?;
        Ok(shared.insert(module).clone())
    }

    pub(crate) fn content<'a>(&'a self, py: Python<'a>) -> &'a [u8] {
        self.bytes.as_bytes(py)
    }
}
