//! A module as an embedder holds it: bytes that can be passed on without copying them again, and their name.

use crate::wire::{self, ModuleName};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use wasmrt_model::{Error, Result};

/// A module, or a component: bytes that many runs share. Cheap to clone, and usable from any thread and with any embedder.
#[derive(Debug, Clone)]
pub struct Module {
    name: ModuleName,
    bytes: usize,
    memory: Arc<OwnedFd>,
}

impl Module {
    pub(super) fn new(bytes: &[u8]) -> Result<Self> {
        let memory = wire::memory("wasmrt-module", &[bytes])
            .map_err(|source| Error::io("cannot keep the module in memory", source))?;
        Ok(Self { name: ModuleName::of(bytes), bytes: bytes.len(), memory: Arc::new(memory) })
    }

    /// The BLAKE3 hash of its bytes, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        self.name.to_hex()
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes
    }

    pub(super) fn name(&self) -> ModuleName {
        self.name
    }

    pub(super) fn memory(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}
