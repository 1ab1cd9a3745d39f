//! [`WasmerEngine`]: what it can do, compiling to artifacts, loading code. Does not instantiate.

use crate::module::WasmerModule;
use crate::{config, frames, imports, sys, trap};
use std::fs::File;
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use wasmer::{CompileError, Engine, Module};
use wasmrt_backend::write_artifact;
use wasmrt_model::backend::{Code, CompileOptions, WasmEngine, WasmModule};
use wasmrt_model::{Capabilities, EngineName, Error, ErrorKind, Result, Tier, TierCapabilities};

/// wasmer with its single-pass compiler, built into this program.
///
/// Making one costs nothing. Threads are started by compiling alone: by [`WasmEngine::compile`], and by loading WebAssembly
/// instead of an artifact. Every loaded module has an engine of wasmer's to itself, since those keep code for as long as they live.
#[derive(Debug)]
pub struct WasmerEngine {
    capabilities: Capabilities,
    stack_bytes: usize,
    /// How many threads compile at most.
    compile_threads: NonZero<usize>,
}

impl WasmerEngine {
    /// The engine for guests whose calls may use `bytes` of stack, unless [`WasmModule::reserve_stack`] says otherwise.
    ///
    /// The stack is a mapping that wasmer makes at the first call on a thread and keeps; what is not used of it takes no memory.
    ///
    /// # Errors
    /// `InvalidInput` when it is below 64 KiB or above 64 GiB.
    pub fn with_stack(bytes: usize) -> Result<Self> {
        let threads = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Self::of(bytes, threads)
    }

    /// The engine for guests that share their caller's process: one thread compiles, and is gone when that is done.
    ///
    /// # Errors
    /// None today; `EngineUnavailable` if a later version has conditions.
    pub fn in_process() -> Result<Self> {
        Self::of(config::STACK_BYTES, NonZero::<usize>::MIN)
    }

    fn of(bytes: usize, compile_threads: NonZero<usize>) -> Result<Self> {
        if !(64 << 10..=64 << 30).contains(&bytes) {
            return Err(Error::new(ErrorKind::InvalidInput, format!("{bytes} bytes make no usable stack"))
                .with_hint("take 64 KiB to 64 GiB"));
        }
        let mut capabilities = Capabilities::new(EngineName::Wasmer, config::VERSION);
        capabilities.tiers = vec![TierCapabilities { tier: Tier::Baseline, features: config::FEATURES }];
        capabilities.backtrace = true;
        capabilities.own_stack = true;
        capabilities.in_process = vec![Tier::Baseline];
        capabilities.interrupted_by_global = true;
        Ok(Self { capabilities, stack_bytes: bytes, compile_threads })
    }
}

impl WasmEngine for WasmerEngine {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn fingerprint(&self, options: CompileOptions) -> String {
        match config::check(options) {
            Ok(()) => config::fingerprint(),
            Err(error) => format!("refused: {}", error.message()),
        }
    }

    fn compile(&self, module: &[u8], options: CompileOptions, output: &Path) -> Result<()> {
        let operation = "compile";
        config::check(options).map_err(|error| error.with_operation(operation))?;
        let failed = |error| {
            Error::new(ErrorKind::CompileFailed, "wasmer cannot compile the module")
                .with_operation(operation)
                .with_source(error)
        };
        let compiled = compiled(&config::compiling(self.compile_threads), module, failed)?;
        let artifact = compiled.serialize().map_err(|error| {
            Error::new(ErrorKind::Internal, "wasmer cannot write down what it compiled")
                .with_operation(operation)
                .with_source(error)
        })?;
        write_artifact(output, &artifact)
    }

    fn load(&self, code: Code<'_>) -> Result<Box<dyn WasmModule>> {
        let loaded = match code {
            Code::Wasm(wasm) => {
                let engine = config::compiling(NonZero::<usize>::MIN);
                let rejected = |error| {
                    Error::new(ErrorKind::InvalidModule, "wasmer rejects the prepared module").with_source(error)
                };
                compiled(&engine, wasm, rejected).map(|module| (engine, module))
            }
            Code::Artifact(file) => artifact(&file),
        };
        match loaded {
            Ok((engine, module)) => Ok(Box::new(WasmerModule::new(engine, module, self.stack_bytes))),
            Err(error) => Err(error.with_operation("load module").with_context("engine", EngineName::Wasmer)),
        }
    }
}

/// Native code whose frames fit.
fn compiled(engine: &Engine, wasm: &[u8], failed: impl FnOnce(CompileError) -> Error) -> Result<Module> {
    imports::check(wasm)?;
    // The compiler panics at what it does not know. Its engine, which it leaves locked, is used by nobody else.
    let compiled = catch_unwind(AssertUnwindSafe(|| Module::from_binary(engine, wasm)));
    let module = match compiled {
        Ok(compiled) => compiled.map_err(failed)?,
        Err(panic) => return Err(trap::panicked(ErrorKind::CompileFailed, "compile", &*panic)),
    };
    frames::check(&module, wasm)?;
    Ok(module)
}

/// Reads an artifact from its start, wherever the descriptor stands, and makes it executable.
fn artifact(file: &File) -> Result<(Engine, Module)> {
    let unread = |error| Error::io("the artifact cannot be read", error);
    let length = file.metadata().map_err(unread)?.len();
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, 0).map_err(unread)?;
    let engine = config::loading();
    let module = sys::load_artifact(&engine, bytes).map_err(|error| {
        Error::new(ErrorKind::Internal, "wasmer rejects the artifact")
            .with_hint("delete it from the cache; it is made again at the next run")
            .with_source(error)
    })?;
    Ok((engine, module))
}
