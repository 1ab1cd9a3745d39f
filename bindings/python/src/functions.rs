//! Exported functions as Python callables.

use crate::instance::{Instance, limits};
use crate::values::Arguments;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Arc;
use wasmrt_runtime::CallLimits;
use wasmrt_runtime::model::FunctionType;

/// A function that an instance exports. Its signature is looked up once.
#[pyclass(frozen, weakref, module = "wasmrt._wasmrt")]
#[derive(Debug)]
pub(crate) struct Function {
    instance: Py<Instance>,
    name: String,
    signature: Arc<FunctionType>,
}

#[pymethods]
impl Function {
    #[new]
    fn new(py: Python<'_>, instance: Py<Instance>, name: String) -> PyResult<Self> {
        let signature = instance.get().signature(py, &name)?;
        Ok(Self { instance, name, signature })
    }

    #[pyo3(signature = (*args))]
    fn __call__(&self, py: Python<'_>, args: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let args = Arguments::read(args, 0, &self.name, &self.signature)?;
        self.instance.get().values(py, &self.name, args.as_slice(), CallLimits::default())
    }

    /// Calls it under limits of this call's own.
    #[pyo3(signature = (*args, fuel=None, wall_time=None))]
    fn limited(
        &self,
        py: Python<'_>,
        args: &Bound<'_, PyTuple>,
        fuel: Option<u64>,
        wall_time: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let args = Arguments::read(args, 0, &self.name, &self.signature)?;
        self.instance.get().values(py, &self.name, args.as_slice(), limits(fuel, wall_time)?)
    }

    #[getter(__name__)]
    fn name(&self) -> &str {
        &self.name
    }

    /// The types of what it takes.
    #[getter]
    fn params(&self) -> Vec<String> {
        self.signature.params.iter().map(ToString::to_string).collect()
    }

    /// The types of what it returns.
    #[getter]
    fn results(&self) -> Vec<String> {
        self.signature.results.iter().map(ToString::to_string).collect()
    }

    fn __repr__(&self) -> String {
        format!("<wasm function {} {}>", self.name, self.signature)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.instance)
    }
}
