//! Modules as C has them: bytes, and what embedders make of them.

use crate::boundary::{self, ErrorOut, Text, attempt, c_text, delete, slice};
use std::ffi::{CString, c_char};
use std::ptr::null;
use std::sync::OnceLock;
use wasmrt_runtime::model::{Error, Result};
use wasmrt_runtime::{Embedder, Module};

/// A module or component: bytes that any number of runs and instances share.
#[derive(Debug)]
pub struct wasmrt_module_t {
    bytes: Box<[u8]>,
    /// In a form that can be passed on to wasmrt-worker; made by the first run.
    for_runs: OnceLock<Module>,
    hash: OnceLock<CString>,
}

impl wasmrt_module_t {
    fn boxed(bytes: Box<[u8]>) -> Box<Self> {
        Box::new(Self { bytes, for_runs: OnceLock::new(), hash: OnceLock::new() })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn for_runs(&self, embedder: &Embedder) -> Result<&Module> {
        if let Some(module) = self.for_runs.get() {
            return Ok(module);
        }
        let module = embedder.module(&self.bytes)?;
        Ok(self.for_runs.get_or_init(|| module))
    }
}

/// A module of these bytes, which are copied. What it is shows when it is run: here nothing is read.
///
/// # Safety
/// `bytes` points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_new(
    bytes: *const u8,
    size: usize,
    error: ErrorOut<'_>,
) -> Option<Box<wasmrt_module_t>> {
    attempt(error, None, || {
        // SAFETY: the caller's promise.
        let bytes = unsafe { slice(bytes, size, "bytes") }?;
        Ok(Some(wasmrt_module_t::boxed(bytes.into())))
    })
}

/// A module of what is in this file, which is read at once.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_module_from_file(path: Text<'_>, error: ErrorOut<'_>) -> Option<Box<wasmrt_module_t>> {
    attempt(error, None, || {
        let path = path.path("path")?;
        let bytes = std::fs::read(path).map_err(|source| {
            Error::io("cannot read the module", source)
                .with_operation("read module")
                .with_context("path", path.display())
        })?;
        Ok(Some(wasmrt_module_t::boxed(bytes.into())))
    })
}

/// How many bytes it has.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_module_size(module: Option<&wasmrt_module_t>) -> usize {
    boundary::value(0, || module.map_or(0, |handle| handle.bytes.len()))
}

/// The BLAKE3 hash of its bytes, in hexadecimal. NULL for NULL, and when there is no memory left to make it.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_module_hash(module: Option<&wasmrt_module_t>) -> *const c_char {
    boundary::value(null(), || {
        let Some(handle) = module else { return null() };
        if let Some(hash) = handle.hash.get() {
            return hash.as_ptr();
        }
        // Only its name is wanted, which does not depend on how the embedder is set up.
        let embedder = Embedder::new(wasmrt_runtime::EmbedderConfig::default());
        match handle.for_runs(&embedder) {
            Ok(module) => handle.hash.get_or_init(|| c_text(&module.hash())).as_ptr(),
            Err(_) => null(),
        }
    })
}

/// Takes a module back. Runs and instances of it go on.
#[unsafe(no_mangle)]
pub extern "C" fn wasmrt_module_delete(module: Option<Box<wasmrt_module_t>>) {
    delete(module);
}
