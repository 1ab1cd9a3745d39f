//! Hosts that tests are written with.

use std::fmt;
use std::sync::{Arc, Mutex};
use wasmrt_model::backend::{Ending, HostFunctions};

/// A host whose functions are one closure.
pub struct Host<F>(pub F);

impl<F> fmt::Debug for Host<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host")
    }
}

impl<F: FnMut(usize, &mut [u8], &[u64], &mut [u64]) -> Result<(), Ending> + Send> HostFunctions for Host<F> {
    fn call(&mut self, import: usize, memory: &mut [u8], args: &[u64], results: &mut [u64]) -> Result<(), Ending> {
        (self.0)(import, memory, args, results)
    }
}

/// A host that nobody may call.
#[must_use]
pub fn no_host() -> Box<dyn HostFunctions> {
    Box::new(Host(|import, _: &mut [u8], _: &[u64], _: &mut [u64]| panic!("import {import} was called")))
}

/// One call as the host saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) import: usize,
    /// The size of the memory that it was lent.
    pub(crate) memory: usize,
    pub(crate) args: Vec<u64>,
}

/// The calls of one guest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Call>>>);

impl Log {
    /// A host that notes its calls here and answers like this.
    pub(crate) fn host<F>(&self, mut answer: F) -> Box<dyn HostFunctions>
    where
        F: FnMut(usize, &mut [u8], &[u64], &mut [u64]) -> Result<(), Ending> + Send + 'static,
    {
        let calls = Arc::clone(&self.0);
        Box::new(Host(move |import, memory: &mut [u8], args: &[u64], results: &mut [u64]| {
            calls.lock().unwrap().push(Call { import, memory: memory.len(), args: args.to_vec() });
            answer(import, memory, args, results)
        }))
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap().clone()
    }
}
