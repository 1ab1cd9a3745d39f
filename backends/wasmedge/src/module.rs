//! A module that was read and checked, ready to be instantiated any number of times.
//!
//! Owns the checks around instantiating. The memory limits are in the module already; here it is made sure that WasmEdge
//! neither lowers a minimum nor runs a guest whose memory it could not get.

use crate::instance::WasmEdgeInstance;
use crate::sys::{Guest, Library, Module, Settings};
use std::sync::Arc;
use wasmrt_backend::check_import;
use wasmrt_model::backend::{Ending, HostFunctions, ImportedFunction, WasmInstance, WasmModule};
use wasmrt_model::{Error, ErrorKind, ModuleInfo};

/// The most pages of a memory; WasmEdge would cut a larger minimum down to this without a word.
const MAX_PAGES: u64 = 1 << 16;

/// A module in WasmEdge.
#[derive(Debug)]
pub(crate) struct WasmEdgeModule {
    library: &'static Library,
    settings: Arc<Settings>,
    module: Arc<Module>,
}

impl WasmEdgeModule {
    pub(crate) fn new(library: &'static Library, settings: Arc<Settings>, module: Module) -> Self {
        Self { library, settings, module: Arc::new(module) }
    }
}

impl WasmModule for WasmEdgeModule {
    fn instantiate(
        &self,
        info: &ModuleInfo,
        imports: &[ImportedFunction],
        host: Box<dyn HostFunctions>,
    ) -> Result<Box<dyn WasmInstance>, Ending> {
        if let Some(memory) = info.memories.iter().find(|memory| memory.minimum > MAX_PAGES) {
            return Err(refused(ErrorKind::LimitExceeded, "a memory starts with more pages than WasmEdge has")
                .with_context("pages", memory.minimum)
                .with_context("limit", MAX_PAGES)
                .into());
        }
        for import in imports {
            check_import(import).map_err(|error| error.with_context("engine", "wasmedge"))?;
        }
        let mut guest = Guest::new(&self.settings, &self.module, info.features, imports, host)
            .map_err(|stopped| crate::instance::ending(self.library, stopped))?;
        if !info.memories.is_empty() {
            let pages = guest.memories().map_err(|stopped| crate::instance::ending(self.library, stopped))?;
            let enough = pages.len() == info.memories.len()
                && pages.iter().zip(&info.memories).all(|(pages, memory)| *pages >= memory.minimum);
            if !enough {
                return Err(refused(ErrorKind::Internal, "WasmEdge did not give the guest the memory it starts with")
                    .with_hint("look for a limit on address space (ulimit -v): each memory reserves 12 GiB of it")
                    .into());
            }
        }
        Ok(Box::new(WasmEdgeInstance::new(self.library, guest)))
    }

    fn limit_gc_heap(&mut self, _bytes: u64) -> bool {
        // No module with garbage-collected objects gets past the checks, so there is no such heap to bound.
        true
    }
}

fn refused(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, message).with_operation("instantiate").with_context("engine", "wasmedge")
}
