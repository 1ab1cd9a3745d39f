//! Guests' memories: copied from and to, since a guest may move or give up its memory whenever it runs.
//!
//! While a host function runs, its guest's memory is lent to the thread that it runs on, and to nobody else.

use crate::errors::raised;
use crate::instance::Instance;
use pyo3::PyTraverseError;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};
use scoped_tls_hkt::scoped_thread_local;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmrt_runtime::model::{Error, ErrorKind, Result};

scoped_thread_local!(static mut LENT: [u8]);

thread_local! {
    /// The instance and the call of a host function that the lent memory belongs to.
    static LENT_BY: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// The memory that instances and callers mean when they name none.
const MEMORY: &str = "memory";

/// Lends a guest's memory to what runs on this thread meanwhile, which hears the number of this call.
pub(crate) fn lend<R>(memory: &mut [u8], instance: u64, work: impl FnOnce(u64) -> R) -> R {
    static CALLS: AtomicU64 = AtomicU64::new(1);
    struct Restore((u64, u64));
    impl Drop for Restore {
        fn drop(&mut self) {
            LENT_BY.set(self.0);
        }
    }
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let _restore = Restore(LENT_BY.replace((instance, call)));
    LENT.set(memory, || work(call))
}

/// Whose memory it is.
#[derive(Debug)]
enum Owner {
    Instance(Py<Instance>),
    /// A call of a host function, as long as it lasts.
    Call(u64),
}

/// A guest's memory.
#[pyclass(frozen, module = "wasmrt._wasmrt")]
#[derive(Debug)]
pub(crate) struct Memory {
    owner: Owner,
    name: String,
}

/// The guest that calls a host function.
#[pyclass(frozen, module = "wasmrt._wasmrt")]
#[derive(Debug)]
pub(crate) struct Caller {
    call: u64,
}

impl Caller {
    pub(crate) fn new(call: u64) -> Self {
        Self { call }
    }
}

#[pymethods]
impl Caller {
    /// The guest's memory, for as long as the host function runs.
    #[getter]
    fn memory(&self) -> Memory {
        Memory { owner: Owner::Call(self.call), name: MEMORY.to_owned() }
    }
}

impl Memory {
    /// Does something short with the bytes.
    fn with<T>(&self, py: Python<'_>, work: impl FnOnce(&mut [u8]) -> Result<T>) -> PyResult<T> {
        let (lender, call) = LENT_BY.get();
        let lent = match &self.owner {
            Owner::Instance(instance) => lender == instance.get().id() && self.name == MEMORY,
            Owner::Call(of) => *of == call,
        };
        if lent && LENT.is_set() {
            return LENT.with(work).map_err(|error| raised(py, &error));
        }
        match &self.owner {
            Owner::Instance(instance) => instance
                .get()
                .attached(py, |guest| guest.memory_named(&self.name).and_then(|mut memory| work(memory.bytes_mut()))),
            Owner::Call(_) => {
                let error =
                    Error::new(ErrorKind::InvalidInput, "the host function that this memory was lent to has returned")
                        .with_operation("access memory")
                        .with_hint("use the instance's memory");
                Err(raised(py, &error))
            }
        }
    }
}

#[pymethods]
impl Memory {
    #[new]
    #[pyo3(signature = (instance, name=None))]
    fn new(instance: Py<Instance>, name: Option<String>) -> Self {
        Self { owner: Owner::Instance(instance), name: name.unwrap_or_else(|| MEMORY.to_owned()) }
    }

    /// `length` bytes from `offset` on.
    fn read<'py>(&self, py: Python<'py>, offset: u64, length: u64) -> PyResult<Bound<'py, PyBytes>> {
        self.with(py, |bytes| part(bytes, "read", offset, length).map(|part| PyBytes::new(py, part)))
    }

    /// The bytes from `offset` up to a zero byte, which has to come within `limit` bytes.
    #[pyo3(signature = (offset, limit=1 << 20))]
    fn read_c_string<'py>(&self, py: Python<'py>, offset: u64, limit: u64) -> PyResult<Bound<'py, PyBytes>> {
        self.with(py, |bytes| {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let rest = part(bytes, "read", offset, limit.min(size.saturating_sub(offset)))?;
            let end = rest.iter().position(|byte| *byte == 0).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidInput,
                    format!("no zero byte follows within {} bytes at {offset}", rest.len()),
                )
                .with_operation("access memory")
            })?;
            Ok(PyBytes::new(py, rest.get(..end).unwrap_or_default()))
        })
    }

    /// Writes these bytes from `offset` on, all or none.
    fn write(&self, py: Python<'_>, offset: u64, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let write = |data: &[u8]| {
            let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
            self.with(py, |bytes| {
                part(bytes, "write", offset, length)?.copy_from_slice(data);
                Ok(())
            })
        };
        if let Ok(bytes) = data.cast::<PyBytes>() {
            return write(bytes.as_bytes());
        }
        if let Ok(bytes) = data.cast::<PyByteArray>() {
            return write(&bytes.to_vec());
        }
        let view = PyMemoryView::from(data).map_err(|_| {
            PyTypeError::new_err("bytes or something like them are written, such as bytearray or memoryview")
        })?;
        let bytes = view.call_method0("tobytes")?;
        write(bytes.cast::<PyBytes>()?.as_bytes())
    }

    /// Its size in bytes.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, |bytes| Ok(bytes.len()))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.size(py)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let size = self.size(py)?;
        if let Ok(slice) = index.cast::<pyo3::types::PySlice>() {
            let indices = slice.indices(isize::try_from(size).unwrap_or(isize::MAX))?;
            if indices.step != 1 {
                return Err(PyValueError::new_err("memory is read in one piece: a slice has no step"));
            }
            let offset = u64::try_from(indices.start).unwrap_or_default();
            let length = u64::try_from(indices.slicelength).unwrap_or_default();
            return self.read(py, offset, length).map(Bound::into_any);
        }
        let offset: u64 = index.extract()?;
        let byte = self
            .with(py, |bytes| part(bytes, "read", offset, 1).map(|part| part.first().copied().unwrap_or_default()))?;
        Ok(byte.into_pyobject(py)?.into_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        match &self.owner {
            Owner::Instance(instance) => visit.call(instance),
            Owner::Call(_) => Ok(()),
        }
    }
}

fn part<'a>(bytes: &'a mut [u8], what: &str, offset: u64, length: u64) -> Result<&'a mut [u8]> {
    let size = bytes.len();
    let range = || Some(usize::try_from(offset).ok()?..usize::try_from(offset.checked_add(length)?).ok()?);
    range().and_then(|range| bytes.get_mut(range)).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, format!("cannot {what} {length} bytes at {offset}: the memory has {size}"))
            .with_operation("access memory")
    })
}
