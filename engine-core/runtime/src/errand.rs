//! What a program other than a plain embedder has done in forks of its zygote: a shim makes its containers there, where an engine is loaded and
//! no thread holds a lock.

use crate::contained::{Contained, ContainedServer, Custody};
use crate::runtime::Compiled;
use std::os::fd::OwnedFd;
use wasmrt_model::{Ceiling, Result, RunSpec};

/// What such a program knows to do. It runs in a process of its own, which has one thread, and ends once its answer was taken.
pub type Errand = fn(&dyn Site, Parcel) -> Result<Parcel>;

/// Bytes and descriptors on their way: what an errand is about, and what came of it.
#[derive(Debug, Default)]
pub struct Parcel {
    /// Up to 40 KiB, in whatever form both sides agree on.
    pub bytes: Vec<u8>,
    /// Up to five.
    pub descriptors: Vec<OwnedFd>,
}

/// What there is where an errand is done.
pub trait Site {
    /// Makes a guest ready to be entered by a fork of this process.
    ///
    /// Native code is taken from what was used before, from the cache, or made.
    ///
    /// # Errors
    /// Whatever keeps the guest from being started.
    fn contain(&self, module: &[u8], spec: &RunSpec, ceiling: &Ceiling) -> Result<(Contained, Custody)>;

    /// Whether this is a component that answers HTTP requests and does nothing else.
    fn answers_requests(&self, module: &[u8]) -> bool;

    /// Makes a server of such a component ready to be entered by a fork of this process.
    ///
    /// # Errors
    /// As [`Runtime::serve`](crate::Runtime::serve), but for the address, which is bound where it is entered.
    fn contain_server(
        &self,
        component: &[u8],
        spec: &RunSpec,
        ceiling: &Ceiling,
        server: ContainedServer,
    ) -> Result<(Contained, Custody)>;

    /// Makes native code for later, and puts it into the cache.
    ///
    /// # Errors
    /// As [`Runtime::compile`](crate::Runtime::compile).
    fn compile(&self, module: &[u8], spec: &RunSpec, ceiling: &Ceiling) -> Result<Compiled>;
}
