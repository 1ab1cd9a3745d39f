//! Ending a running guest from another thread.
//!
//! WasmEdge stops an executor through the handle of an invocation that it runs on a thread of its own. A thread for each call would cost a
//! thousand times the call; but the handle belongs to the executor rather than to its invocation, and goes on stopping it when that invocation is
//! over. So one invocation, of a function that does nothing, is made once, and calls run on the caller's thread. The interpreter looks at the
//! stop token at each branch and each call.

use super::abi::{self, Status};
use super::host::make_function;
use super::{Code, Library, Owned};
use std::ffi::c_void;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Stops one executor, for as long as that lives.
pub(crate) struct ExecutorInterrupter {
    library: &'static Library,
    /// None when the executor is gone, or about to go.
    handle: Mutex<Option<Owned<abi::Async>>>,
}

// SAFETY: stopping is a store to an atomic inside of the executor, made to be used from other threads; and it happens only under the lock, while
// the executor is known to live.
unsafe impl Send for ExecutorInterrupter {}
// SAFETY: as above.
unsafe impl Sync for ExecutorInterrupter {}

impl fmt::Debug for ExecutorInterrupter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutorInterrupter").finish_non_exhaustive()
    }
}

/// An interrupter that belongs to a living executor. Has to be dropped before that.
#[derive(Debug)]
pub(super) struct Armed(Arc<ExecutorInterrupter>);

impl Armed {
    /// A share, for other threads.
    pub(super) fn share(&self) -> Arc<ExecutorInterrupter> {
        Arc::clone(&self.0)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.0.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl ExecutorInterrupter {
    /// The interrupter of an executor that nothing runs on at the moment.
    pub(super) fn of(library: &'static Library, executor: &Owned<abi::Executor>) -> Result<Armed, Code> {
        // WasmEdge starts a thread and cannot report that there is none to be had: the process would end. So one is tried first.
        std::thread::Builder::new()
            .spawn(|| {})
            .and_then(|thread| thread.join().map_err(|_| std::io::Error::other("it died")))
            .map_err(|_| Code::GENERIC)?;
        let nothing = make_function(library, &[], &[], do_nothing, std::ptr::null())?;
        let functions = &library.functions;
        // SAFETY: executor and function are live until the invocation is over, for which the next call waits; there are no arguments.
        let handle =
            unsafe { (functions.executor_async_invoke)(executor.as_ptr(), nothing.as_ptr(), std::ptr::null(), 0) };
        let handle = Owned::new(handle, functions.async_delete)?;
        // SAFETY: the handle is live.
        unsafe { (functions.async_wait)(handle.as_ptr()) };
        Ok(Armed(Arc::new(Self { library, handle: Mutex::new(Some(handle)) })))
    }

    /// Stops what the executor runs, or will run next.
    pub(crate) fn stop(&self) {
        if let Some(handle) = &*self.handle.lock().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: the handle is live, and so is its executor: `Armed` takes the handle out before that goes.
            unsafe { (self.library.functions.async_cancel)(handle.as_ptr()) };
        }
    }
}

unsafe extern "C" fn do_nothing(
    _data: *mut c_void,
    _frame: *const abi::CallingFrame,
    _params: *const abi::Value,
    _returns: *mut abi::Value,
) -> Status {
    Status::SUCCESS
}
