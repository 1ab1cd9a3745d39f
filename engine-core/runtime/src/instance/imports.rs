//! What an embedder offers to a guest besides WASI: functions, and memories for the guest to own.
//!
//! Matches them against what a module imports, and carries calls out. Panics end here; what an embedder's function fails with is kept as it is.

use super::memory::Memory;
use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use wasmrt_guard::OwnMemory;
use wasmrt_host::Host;
use wasmrt_model::backend::{Ending, HostFunctions, ImportedFunction};
use wasmrt_model::module::{ExternType, Import};
use wasmrt_model::{Error, ErrorKind, FunctionType, ModuleInfo, Result, Value, ValueType, panic_text};

/// Arguments that fit need no allocation per call.
const VALUES_ON_STACK: usize = 16;

type Function = dyn FnMut(&mut Caller<'_>, &[Value]) -> Result<Vec<Value>> + Send;

/// What an embedder offers to a guest by module and name. WASI needs not be named: it is there in any case.
#[derive(Debug, Default)]
pub struct Imports {
    functions: Vec<Offered>,
    memories: Vec<OwnMemory>,
}

/// One function.
struct Offered {
    module: String,
    name: String,
    signature: FunctionType,
    function: Box<Function>,
}

impl fmt::Debug for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} {}", self.module, self.name, self.signature)
    }
}

/// The guest that calls a function of its embedder.
#[derive(Debug)]
pub struct Caller<'a> {
    memory: &'a mut [u8],
}

impl Caller<'_> {
    /// The guest's memory; one without a byte when it exports none as `memory`.
    #[must_use]
    pub fn memory(&mut self) -> Memory<'_> {
        Memory::new(self.memory)
    }
}

impl Imports {
    /// Nothing but WASI.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a function. It takes precedence over one of WASI of the same name.
    ///
    /// What it returns has to fit the signature. An error ends the guest and reaches the caller of the call as it is; a panic ends the
    /// guest as an `Internal` error. It runs on the thread of the call, and a deadline or a cancellation ends the guest when it returns, not
    /// before. It cannot call the guest that calls it.
    #[must_use]
    pub fn function(
        mut self,
        module: impl Into<String>,
        name: impl Into<String>,
        signature: FunctionType,
        function: impl FnMut(&mut Caller<'_>, &[Value]) -> Result<Vec<Value>> + Send + 'static,
    ) -> Self {
        let (module, name) = (module.into(), name.into());
        self.functions.push(Offered { module, name, signature, function: Box::new(function) });
        self
    }

    /// Offers a memory that the guest owns alone, of at least this many pages at the start. It counts against `memory_bytes` as all of the
    /// guest's memories do, starts anew with every reset, and is the memory called `memory` unless the guest exports another by that name.
    #[must_use]
    pub fn memory(mut self, module: impl Into<String>, name: impl Into<String>, pages: u64) -> Self {
        self.memories.push(OwnMemory { module: module.into(), name: name.into(), pages });
        self
    }

    pub(super) fn memories(&self) -> &[OwnMemory] {
        &self.memories
    }

    /// Refuses what no module could be given.
    pub(super) fn check(&self) -> Result<()> {
        let invalid =
            |message: String| Err(Error::new(ErrorKind::InvalidInput, message).with_operation("offer imports"));
        let mut names = HashSet::new();
        for Offered { module, name, signature, .. } in &self.functions {
            if !names.insert((module, name)) {
                return invalid(format!("{module}.{name} is offered twice"));
            }
            let types = signature.params.iter().chain(&signature.results);
            if let Some(other) = types.into_iter().find(|value| matches!(value, ValueType::V128 | ValueType::Ref)) {
                return invalid(format!("{module}.{name} is {signature}, and a {other} does not cross to the host"));
            }
        }
        for OwnMemory { module, name, .. } in &self.memories {
            if !names.insert((module, name)) {
                return invalid(format!("{module}.{name} is offered twice"));
            }
        }
        Ok(())
    }

    fn position(&self, import: &Import) -> Option<usize> {
        self.functions.iter().position(|offered| offered.module == import.module && offered.name == import.name)
    }

    /// Whether everything that the module imports is there.
    pub(super) fn check_link(&self, info: &ModuleInfo) -> Result<()> {
        self.resolve(info).map(drop)
    }

    /// The module's imports in its own order, and who carries each of them out.
    fn resolve(&self, info: &ModuleInfo) -> Result<(Vec<ImportedFunction>, Vec<Target>, Vec<ImportedFunction>)> {
        let mut rest = ModuleInfo::default();
        let mut targets = Vec::with_capacity(info.imports.len());
        for import in &info.imports {
            let Some(index) = self.position(import) else {
                targets.push(Target::Wasi(rest.imports.len()));
                rest.imports.push(import.clone());
                continue;
            };
            let offered = self.functions.get(index).map(|offered| &offered.signature);
            match (&import.extern_type, offered) {
                (ExternType::Function(wanted), Some(offered)) if wanted == offered => {
                    targets.push(Target::Embedder(index))
                }
                (wanted, offered) => {
                    let offered = offered.map(ToString::to_string).unwrap_or_default();
                    return Err(Error::new(
                        ErrorKind::MissingImports,
                        format!(
                            "the module imports {}.{} as {wanted}, offered is func {offered}",
                            import.module, import.name
                        ),
                    )
                    .with_operation("link"));
                }
            }
        }
        let wasi = wasmrt_host::link(&rest)?;
        let mut functions = Vec::with_capacity(targets.len());
        for (import, target) in info.imports.iter().zip(&targets) {
            let signature = match target {
                Target::Wasi(index) => wasi.get(*index).map(|function| function.signature.clone()),
                Target::Embedder(index) => self.functions.get(*index).map(|offered| offered.signature.clone()),
            };
            let signature =
                signature.ok_or_else(|| Error::new(ErrorKind::Internal, "an import was lost while linking"))?;
            functions.push(ImportedFunction { module: import.module.clone(), name: import.name.clone(), signature });
        }
        Ok((functions, targets, wasi))
    }

    /// Binds them to a module.
    pub(super) fn link(self, info: &ModuleInfo) -> Result<Linked> {
        let (functions, targets, wasi) = self.resolve(info)?;
        let embedder = Arc::new(Embedder { functions: Mutex::new(self.functions), failed: AtomicBool::new(false) });
        Ok(Linked { functions, targets: targets.into(), wasi, embedder })
    }
}

/// Who carries an import out, by its number there.
#[derive(Debug, Clone, Copy)]
enum Target {
    Wasi(usize),
    Embedder(usize),
}

/// A module's imports, bound.
#[derive(Debug)]
pub(super) struct Linked {
    /// All of them.
    pub(super) functions: Vec<ImportedFunction>,
    targets: Arc<[Target]>,
    /// Those that WASI carries out.
    pub(super) wasi: Vec<ImportedFunction>,
    embedder: Arc<Embedder>,
}

impl Linked {
    /// The functions for one instance. `wasi` is needed when the module imports any of it.
    pub(super) fn host(&self, wasi: Option<Host>) -> InstanceHost {
        InstanceHost { targets: Arc::clone(&self.targets), wasi, embedder: Arc::clone(&self.embedder) }
    }

    /// Whether an embedder's function has failed since this was last asked.
    pub(super) fn take_failed(&self) -> bool {
        self.embedder.failed.swap(false, Ordering::Relaxed)
    }
}

/// The embedder's functions. They outlive instances: a reset makes a new one that has the same.
#[derive(Debug)]
struct Embedder {
    functions: Mutex<Vec<Offered>>,
    failed: AtomicBool,
}

impl Embedder {
    fn call(&self, index: usize, memory: &mut [u8], args: &[u64], results: &mut [u64]) -> Result<()> {
        // Only the instance's one thread gets here, and a function cannot call its guest: so nobody waits, and a poisoned lock means no more
        // than that a function panicked before.
        let mut functions = match self.functions.try_lock() {
            Ok(functions) => functions,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(ErrorKind::Internal, "a host function was called from within one"));
            }
        };
        let offered =
            functions.get_mut(index).ok_or_else(|| Error::new(ErrorKind::Internal, "a host function was lost"))?;
        let Offered { module, name, signature, function } = offered;
        let mut caller = Caller { memory };
        let called =
            with_values(&signature.params, args, |args| catch_unwind(AssertUnwindSafe(|| function(&mut caller, args))));
        let values = called.map_err(|panic| {
            let text = panic_text(&*panic);
            Error::new(ErrorKind::Internal, format!("the host function {module}.{name} panicked: {text}"))
        })??;
        if !values.iter().map(|value| value.value_type()).eq(signature.results.iter().copied()) {
            let returned: Vec<ValueType> = values.iter().map(|value| value.value_type()).collect();
            let message = format!(
                "the host function {module}.{name} is {signature} and returned {}",
                FunctionType::new(&returned, &[])
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        for (result, value) in results.iter_mut().zip(values) {
            *result = value.to_bits();
        }
        Ok(())
    }
}

/// Lends the arguments out as values.
fn with_values<R>(types: &[ValueType], args: &[u64], use_values: impl FnOnce(&[Value]) -> R) -> R {
    let value = |(value_type, bits): (&ValueType, &u64)| Value::from_bits(*value_type, *bits).unwrap_or(Value::I64(0));
    let mut on_stack = [Value::I32(0); VALUES_ON_STACK];
    match on_stack.get_mut(..args.len()) {
        Some(values) => {
            for (place, arg) in values.iter_mut().zip(types.iter().zip(args)) {
                *place = value(arg);
            }
            use_values(values)
        }
        None => use_values(&types.iter().zip(args).map(value).collect::<Vec<_>>()),
    }
}

/// What one instance calls.
pub(super) struct InstanceHost {
    targets: Arc<[Target]>,
    wasi: Option<Host>,
    embedder: Arc<Embedder>,
}

impl fmt::Debug for InstanceHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceHost")
            .field("wasi", &self.wasi)
            .field("embedder", &self.embedder)
            .finish_non_exhaustive()
    }
}

impl HostFunctions for InstanceHost {
    fn call(&mut self, import: usize, memory: &mut [u8], args: &[u64], results: &mut [u64]) -> Result<(), Ending> {
        match (self.targets.get(import), &mut self.wasi) {
            (Some(Target::Wasi(index)), Some(host)) => host.call(*index, memory, args, results),
            (Some(Target::Embedder(index)), _) => {
                let called = self.embedder.call(*index, memory, args, results);
                called.map_err(|error| {
                    self.embedder.failed.store(true, Ordering::Relaxed);
                    Ending::Failed(error)
                })
            }
            _ => {
                Err(Error::new(ErrorKind::Internal, "a host function was called that the module does not import")
                    .into())
            }
        }
    }
}
