//! Instances in Python's own process: used by one thread at a time, without Python's lock while a guest runs.
//!
//! The lock of an instance is never waited for with Python's lock held: a guest that runs may be waiting for Python's, to call a host function.

use crate::channel::Channel;
use crate::errors::{guest_ended, raised, unreadable};
use crate::fork;
use crate::imports::{self, Callable, Offer};
use crate::interrupt;
use crate::module::Module;
use crate::run::SLICE;
use crate::runtime::{Runtime, copies, read_spec, take_streams};
use crate::values::{Arguments, results};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use wasmrt_runtime::model::module::ExternType;
use wasmrt_runtime::model::{Error, ErrorKind, FunctionType, Result, Value};
use wasmrt_runtime::{CallEnd, CallLimits, CallOutcome, InstantiateOptions, Spent};

type Guest = wasmrt_runtime::Instance;

/// A guest in this process.
#[pyclass(frozen, weakref, module = "wasmrt._wasmrt")]
#[derive(Debug)]
pub(crate) struct Instance {
    id: u64,
    generation: u32,
    place: Mutex<Place>,
    free: Condvar,
    callables: Vec<Arc<Callable>>,
    functions: Vec<(String, Arc<FunctionType>)>,
    exports: String,
    /// What ends a call when Python's main thread is interrupted. None where the engine cannot be.
    cancel: OnceLock<Option<wasmrt_runtime::CancelHandle>>,
}

/// Where the guest is: here, or with the thread that uses it.
#[derive(Debug, Default)]
struct Place {
    guest: Option<Box<Guest>>,
    user: usize,
    closed: bool,
    /// Threads that wait for it. Waking nobody would be a system call for each call of a guest.
    waiting: usize,
}

/// The guest, for as long as one thread uses it.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    instance: &'a Instance,
    guest: Option<Box<Guest>>,
}

/// What came of asking for the guest.
enum Asked<'a> {
    Given(Lease<'a>),
    /// Another thread uses it.
    Taken,
}

impl Deref for Lease<'_> {
    type Target = Option<Box<Guest>>;
    fn deref(&self) -> &Self::Target {
        &self.guest
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.guest
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut place = self.instance.lock();
        place.user = 0;
        let (closed, waiting) = (place.closed, place.waiting);
        if !closed {
            place.guest = self.guest.take();
        }
        drop(place);
        if closed {
            // Dropped without the lock: it may take a while. All who wait are to hear that it was closed.
            self.guest = None;
            self.instance.free.notify_all();
        } else if waiting > 0 {
            self.instance.free.notify_one();
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            // Locks that its threads held in the parent are held for ever here.
            let place = self.place.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(place.guest.take());
        }
    }
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

impl Instance {
    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Asks for the guest, and waits for it for a while.
    fn ask(&self, wait: Duration) -> Result<Asked<'_>> {
        fork::check(self.generation)?;
        let here = this_thread();
        let mut place = self.lock();
        loop {
            if place.closed {
                return Err(
                    Error::new(ErrorKind::InvalidInput, "the instance was closed").with_operation("use instance")
                );
            }
            if let Some(guest) = place.guest.take() {
                place.user = here;
                return Ok(Asked::Given(Lease { instance: self, guest: Some(guest) }));
            }
            if place.user == here {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "a host function cannot use the instance that calls it",
                )
                .with_operation("use instance")
                .with_hint("it may read and write the memory called 'memory', and no more"));
            }
            if wait.is_zero() {
                return Ok(Asked::Taken);
            }
            place.waiting += 1;
            let (back, timeout) = self.free.wait_timeout(place, wait).unwrap_or_else(PoisonError::into_inner);
            place = back;
            place.waiting -= 1;
            if timeout.timed_out() && place.guest.is_none() {
                return Ok(Asked::Taken);
            }
        }
    }

    /// Does something with the guest, without Python's lock.
    pub(crate) fn detached<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Guest) -> Result<T> + Send,
    ) -> PyResult<T> {
        let mut work = Some(work);
        loop {
            let done = py.detach(|| match self.ask(SLICE)? {
                Asked::Taken => Ok(None),
                Asked::Given(mut lease) => match (lease.as_deref_mut(), work.take()) {
                    (Some(guest), Some(work)) => work(guest).map(Some),
                    _ => Err(Error::new(ErrorKind::Internal, "an instance was lost")),
                },
            });
            match done {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => py.check_signals()?,
                Err(error) => return Err(raised(py, &error)),
            }
        }
    }

    /// Does something short with the guest, with Python's lock held. The guest is waited for without it.
    pub(crate) fn attached<T>(&self, py: Python<'_>, work: impl FnOnce(&mut Guest) -> Result<T>) -> PyResult<T> {
        let mut work = Some(work);
        loop {
            match self.ask(Duration::ZERO) {
                Ok(Asked::Given(mut lease)) => match (lease.as_deref_mut(), work.take()) {
                    (Some(guest), Some(work)) => return work(guest).map_err(|error| raised(py, &error)),
                    _ => return Err(raised(py, &Error::new(ErrorKind::Internal, "an instance was lost"))),
                },
                Ok(Asked::Taken) => {
                    // Given back at once; the loop asks again.
                    let waited = py.detach(|| self.ask(SLICE).map(drop));
                    waited.map_err(|error| raised(py, &error))?;
                    py.check_signals()?;
                }
                Err(error) => return Err(raised(py, &error)),
            }
        }
    }

    /// Calls an export. What Python's signal handlers have to say comes before what the call came to.
    pub(crate) fn call(
        &self,
        py: Python<'_>,
        export: &str,
        args: &[Value],
        limits: CallLimits,
    ) -> PyResult<CallOutcome> {
        let watched = interrupt::is_main_thread();
        let called = self.detached(py, |guest| {
            let _watch = watched.then(|| {
                let handle = self.cancel.get_or_init(|| guest.cancel_handle().ok());
                interrupt::watch(handle.as_ref())
            });
            // The call's own error is looked at with Python's lock held.
            Ok(guest.call(export, args, limits))
        })?;
        called.map_err(|error| {
            if watched
                && error.kind() == ErrorKind::Cancelled
                && let Err(interrupted) = heed_interrupt(py)
            {
                return interrupted;
            }
            raised(py, &error)
        })
    }

    /// As [`call`](Self::call), with what the function returned; a guest that ended is an exception.
    pub(crate) fn values(
        &self,
        py: Python<'_>,
        export: &str,
        args: &[Value],
        limits: CallLimits,
    ) -> PyResult<Py<PyAny>> {
        let outcome = self.call(py, export, args, limits)?;
        match &outcome.end {
            CallEnd::Returned(values) => results(py, values),
            CallEnd::Ended(_) => Err(guest_ended(py, &told(&outcome)?)),
        }
    }

    pub(crate) fn signature(&self, py: Python<'_>, name: &str) -> PyResult<Arc<FunctionType>> {
        let found = self.functions.iter().find(|(export, _)| export == name);
        found.map(|(_, signature)| Arc::clone(signature)).ok_or_else(|| {
            let offered: Vec<&str> = self.functions.iter().map(|(name, _)| name.as_str()).collect();
            let error = Error::new(ErrorKind::MissingExport, format!("the module exports no function '{name}'"))
                .with_operation("look up export")
                .with_hint(if offered.is_empty() {
                    "it exports none".to_owned()
                } else {
                    format!("there are {}", offered.join(", "))
                });
            raised(py, &error)
        })
    }
}

/// What Python's handler of SIGINT says to a call that was cancelled because of one. The handler may come to know of it a little later, on another thread.
fn heed_interrupt(py: Python<'_>) -> PyResult<()> {
    if interrupt::take_interrupted() {
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            py.check_signals()?;
            py.detach(|| std::thread::sleep(Duration::from_millis(1)));
        }
    }
    py.check_signals()
}

/// The outcome of a call as JSON: its status unless it returned, and what it used.
fn told(outcome: &CallOutcome) -> PyResult<String> {
    let (status, reason) = match &outcome.end {
        CallEnd::Returned(_) => (None, "returned".to_owned()),
        CallEnd::Ended(status) => (Some(status), status.to_string()),
    };
    let usage = serde_json::json!({ "wall_time": outcome.usage.wall_time, "fuel": outcome.usage.fuel });
    serde_json::to_string(&serde_json::json!({ "status": status, "usage": usage, "reason": reason }))
        .map_err(|source| unreadable(&source))
}

/// What bounds one call: fuel, and seconds of wall-clock time.
pub(crate) fn limits(fuel: Option<u64>, wall_time: Option<f64>) -> PyResult<CallLimits> {
    let mut limits = CallLimits::default();
    if let Some(fuel) = fuel {
        limits = limits.with_fuel(fuel);
    }
    if let Some(seconds) = wall_time {
        let time = Duration::try_from_secs_f64(seconds)
            .map_err(|error| pyo3::exceptions::PyValueError::new_err(format!("wall_time {seconds}: {error}")))?;
        limits = limits.with_wall_time(time);
    }
    Ok(limits)
}

#[pymethods]
impl Instance {
    /// Makes an instance. `offers` are the host functions, `memories` those that the guest imports and owns.
    #[new]
    #[pyo3(signature = (runtime, module, spec, stdin=None, streams=None, offers=Vec::new(), memories=Vec::new()))]
    #[expect(clippy::too_many_arguments, reason = "Python's side of it has names for all of them")]
    fn new(
        py: Python<'_>,
        runtime: &Runtime,
        module: &Module,
        spec: &str,
        stdin: Option<&Bound<'_, PyBytes>>,
        streams: Option<&Channel>,
        offers: Vec<Offer>,
        memories: Vec<(String, String, u64)>,
    ) -> PyResult<Self> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        let fail = |error: Error| raised(py, &error);
        fork::allow_instance().map_err(fail)?;
        let spec = read_spec(spec, stdin).map_err(fail)?;
        let piped = take_streams(streams).and_then(|streams| copies(&streams)).map_err(fail)?;
        let bytes = module.content(py);
        let (imports, callables) = imports::bind(py, &runtime.embedder, bytes, offers, memories, id)?;
        let made = py.detach(|| {
            let mut options = InstantiateOptions::default();
            options.piped = piped;
            runtime.embedder.instantiate(bytes, &spec, imports, options)
        });
        let guest = made.map_err(fail)?;
        let functions = guest.exports().iter().filter_map(|export| match &export.extern_type {
            ExternType::Function(signature) => Some((export.name.clone(), Arc::new(signature.clone()))),
            _ => None,
        });
        let functions = functions.collect();
        let exports = serde_json::to_string(guest.exports()).map_err(|source| unreadable(&source))?;
        let place = Mutex::new(Place { guest: Some(Box::new(guest)), ..Place::default() });
        Ok(Self {
            id,
            generation: fork::generation(),
            place,
            free: Condvar::new(),
            callables,
            functions,
            exports,
            cancel: OnceLock::new(),
        })
    }

    /// Calls an export and returns an outcome: what it returned, and the rest as JSON.
    #[pyo3(signature = (name, *args, fuel=None, wall_time=None))]
    fn invoke(
        &self,
        py: Python<'_>,
        name: &str,
        args: &Bound<'_, PyTuple>,
        fuel: Option<u64>,
        wall_time: Option<f64>,
    ) -> PyResult<(Py<PyAny>, String)> {
        let signature = self.signature(py, name)?;
        let args = Arguments::read(args, 0, name, &signature)?;
        let outcome = self.call(py, name, args.as_slice(), limits(fuel, wall_time)?)?;
        let values = match &outcome.end {
            CallEnd::Returned(values) => results(py, values)?,
            CallEnd::Ended(_) => py.None(),
        };
        Ok((values, told(&outcome)?))
    }

    /// What the module exports, as JSON.
    #[getter]
    fn exports(&self) -> &str {
        &self.exports
    }

    /// A new guest of the same code.
    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        self.detached(py, Guest::reset)
    }

    /// Why it can only be reset: a status, or an error's kind and message, as JSON. None when it can be called.
    #[getter]
    fn spent(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let spent = self.attached(py, |guest| Ok(guest.spent().cloned()))?;
        let told = spent.map(|spent| match spent {
            Spent::Ended(status) => serde_json::json!({ "status": status }),
            Spent::Failed { kind, message } => serde_json::json!({ "kind": kind, "message": message }),
        });
        told.map(|told| serde_json::to_string(&told).map_err(|source| unreadable(&source))).transpose()
    }

    /// Its engine and tier.
    #[getter]
    fn engine(&self, py: Python<'_>) -> PyResult<(&'static str, &'static str)> {
        self.attached(py, |guest| Ok((guest.engine().as_str(), guest.tier().as_str())))
    }

    /// Memory pages, bytes of output, bytes written to files.
    #[getter]
    fn usage(&self, py: Python<'_>) -> PyResult<(u64, u64, u64)> {
        let usage = self.attached(py, |guest| Ok(guest.usage()))?;
        Ok((usage.memory_pages, usage.output_bytes, usage.written_bytes))
    }

    /// What the host refused.
    #[getter]
    fn refusals(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.attached(py, |guest| Ok(guest.refusals()))
    }

    /// Captured standard output since this was last asked.
    fn take_stdout<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let taken = self.attached(py, Guest::take_stdout)?;
        Ok(taken.map(|bytes| PyBytes::new(py, &bytes)))
    }

    /// Captured standard error since this was last asked.
    fn take_stderr<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let taken = self.attached(py, Guest::take_stderr)?;
        Ok(taken.map(|bytes| PyBytes::new(py, &bytes)))
    }

    /// What ends a call from another thread.
    fn cancel_handle(&self, py: Python<'_>) -> PyResult<CancelHandle> {
        self.attached(py, Guest::cancel_handle).map(CancelHandle)
    }

    /// Gives the guest back to the system. A call that runs goes on to its end.
    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            let guest = {
                let mut place = self.lock();
                place.closed = true;
                place.guest.take()
            };
            if self.generation == fork::generation() {
                drop(guest);
            } else {
                std::mem::forget(guest);
            }
        });
        self.__clear__();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        self.callables.iter().try_for_each(|callable| callable.traverse(&visit))
    }

    fn __clear__(&self) {
        self.callables.iter().for_each(|callable| callable.clear());
    }
}

/// What ends a call of an instance, from any thread.
#[pyclass(frozen, module = "wasmrt._wasmrt")]
#[derive(Debug)]
pub(crate) struct CancelHandle(wasmrt_runtime::CancelHandle);

#[pymethods]
impl CancelHandle {
    /// Ends the call that runs. Whether there was one.
    fn cancel(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.cancel())
    }
}
