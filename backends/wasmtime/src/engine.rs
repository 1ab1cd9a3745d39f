//! [`WasmtimeEngine`]: what it can do, compiling to artifacts, loading code. Does not instantiate.

use crate::component::{self, WasmtimeComponent, pool};
use crate::config::{self, Effort, Place};
use crate::module::WasmtimeModule;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::OnceLock;
use wasmrt_backend::write_artifact;
use wasmrt_model::backend::{Code, CompileOptions, WasmEngine, WasmModule};
use wasmrt_model::component::{ComponentOptions, Pool, WasmComponent};
use wasmrt_model::{Capabilities, EngineName, Error, ErrorKind, ModuleInfo, Result, RunPlan, Tier, TierCapabilities};
use wasmtime::component::Component;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Module};

/// wasmtime, built into this program.
///
/// Making one costs nothing: engines inside are made when they are first used, the one with a compiler only when there is
/// something to compile. No threads are started, except by [`WasmEngine::compile`] of an engine that is not [in-process](Self::in_process).
#[derive(Debug)]
pub struct WasmtimeEngine {
    capabilities: Capabilities,
    place: Place,
    /// Loads artifacts; has no compiler.
    loader: OnceLock<Engine>,
    /// Compiles in place, on the calling thread.
    in_place: OnceLock<Engine>,
}

impl WasmtimeEngine {
    /// The engine for guests that may use 4 MiB of stack: they run on threads with 8 MiB, such as a process's main thread.
    ///
    /// # Errors
    /// None today; `EngineUnavailable` if a later version has conditions.
    pub fn new() -> Result<Self> {
        Self::with_wasm_stack(config::WASM_STACK_BYTES)
    }

    /// The engine for guests that may use `bytes` of stack: beyond it they trap with a stack overflow.
    ///
    /// Calls on a thread that has not that much left, and 512 KiB more for host functions, are refused as `Unsupported`.
    ///
    /// # Errors
    /// `InvalidInput` when it is below 64 KiB or above 1 GiB.
    pub fn with_wasm_stack(bytes: usize) -> Result<Self> {
        if !(64 << 10..=1 << 30).contains(&bytes) {
            return Err(Error::new(ErrorKind::InvalidInput, format!("{bytes} bytes make no usable stack"))
                .with_hint("take 64 KiB to 1 GiB"));
        }
        Ok(Self::at(Place { stack: bytes, interruptible: false }))
    }

    /// The engine for guests in the caller's process: their calls can be interrupted, which costs them a check at each loop iteration and
    /// function entry, and they may use 1 MiB of the caller's stack. Compiles on the calling thread alone. Its artifacts are its own.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn in_process() -> Result<Self> {
        Ok(Self::at(Place { stack: config::IN_PROCESS_STACK_BYTES, interruptible: true }))
    }

    fn at(place: Place) -> Self {
        let mut capabilities = Capabilities::new(EngineName::Wasmtime, config::VERSION);
        let tiers = [Tier::Baseline, Tier::Optimized];
        capabilities.tiers = tiers.map(|tier| TierCapabilities { tier, features: config::FEATURES }).to_vec();
        capabilities.in_process = tiers.to_vec();
        capabilities.backtrace = true;
        capabilities.components = !place.interruptible;
        Self { capabilities, place, loader: OnceLock::new(), in_place: OnceLock::new() }
    }

    /// The engine that loads artifacts. Making it installs wasmtime's signal handlers.
    fn loader(&self) -> Result<&Engine> {
        engine_in(&self.loader, || config::loading(self.place))
    }

    fn in_place(&self) -> Result<&Engine> {
        engine_in(&self.in_place, || config::compiling(self.place, Effort::Optimized, false))
    }

    fn compile_in_place(&self, wasm: &[u8]) -> Result<Module> {
        let engine = self.in_place()?;
        Module::from_binary(engine, wasm).map_err(|error| {
            Error::new(ErrorKind::InvalidModule, "wasmtime rejects the prepared module").with_source(error)
        })
    }

    /// The one place where bytes from outside become code.
    #[expect(unsafe_code, reason = "mapping native code is what loading an artifact is")]
    fn map_artifact(&self, artifact: File) -> Result<Module> {
        let engine = self.loader()?;
        // SAFETY: executing a forged artifact, or one that changes while it is mapped, is undefined behaviour. `Code::Artifact`
        // obliges the caller to have checked on this very descriptor that its content is what `compile` wrote; the descriptor
        // itself, not a path, is what is mapped here.
        unsafe { Module::deserialize_open_file(engine, artifact) }.map_err(|error| {
            Error::new(ErrorKind::Internal, "wasmtime rejects the artifact")
                .with_hint("delete it from the cache; it is made again at the next run")
                .with_source(error)
        })
    }
}

impl WasmEngine for WasmtimeEngine {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Asks the compiler itself, so that a flag which wasmtime infers, such as one for a CPU feature, cannot be forgotten.
    fn fingerprint(&self, options: CompileOptions) -> String {
        let code = Effort::of(options).and_then(|effort| {
            let engine = new_engine(&config::compiling(self.place, effort, false))?;
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            Ok(format!("opt={} flags={:016x}", effort.as_str(), hasher.finish()))
        });
        let code = code.unwrap_or_else(|error| format!("refused: {}", error.message()));
        let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
        format!("wasmtime {} {arch}-{os} {code}", config::VERSION)
    }

    fn compile(&self, module: &[u8], options: CompileOptions, output: &Path) -> Result<()> {
        let operation = "compile";
        let effort = Effort::of(options).map_err(|error| error.with_operation(operation))?;
        let engine = new_engine(&config::compiling(self.place, effort, !self.place.interruptible))?;
        let artifact = engine.precompile_module(module).map_err(|error| {
            Error::new(ErrorKind::CompileFailed, "wasmtime cannot compile the module")
                .with_operation(operation)
                .with_source(error)
        })?;
        write_artifact(output, &artifact)
    }

    fn component_fingerprint(&self, options: ComponentOptions) -> String {
        let code = Effort::of(options.code).and_then(|effort| {
            let engine =
                new_engine(&config::compiling_component(place_of(self.place, options), effort, false, options.fuel))?;
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            Ok(format!("opt={} flags={:016x}", effort.as_str(), hasher.finish()))
        });
        let code = code.unwrap_or_else(|error| format!("refused: {}", error.message()));
        let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
        format!("wasmtime {} component {arch}-{os} {code}", config::VERSION)
    }

    fn check_component(&self, plan: &RunPlan, _info: &ModuleInfo) -> Result<()> {
        component::check(plan)
    }

    fn compile_component(&self, component: &[u8], options: ComponentOptions, output: &Path) -> Result<()> {
        let operation = "compile";
        let effort = Effort::of(options.code).map_err(|error| error.with_operation(operation))?;
        let engine =
            new_engine(&config::compiling_component(place_of(self.place, options), effort, true, options.fuel))?;
        let artifact = engine.precompile_component(component).map_err(|error| {
            Error::new(ErrorKind::CompileFailed, "wasmtime cannot compile the component")
                .with_operation(operation)
                .with_source(error)
        })?;
        write_artifact(output, &artifact)
    }

    fn prepare_for_components(&self) -> Result<()> {
        // What the reactors of a process share is made by the first one.
        let reactor = tokio::runtime::Builder::new_current_thread().enable_io().build();
        reactor.map(drop).map_err(|source| Error::io("cannot prepare waiting for streams and clocks", source))
    }

    fn load_component(
        &self,
        code: Code<'_>,
        options: ComponentOptions,
        pool: Option<Pool>,
    ) -> Result<Box<dyn WasmComponent>> {
        let place = place_of(self.place, options);
        let component = match code {
            Code::Artifact(file) => load_artifact(place, options, pool, &file),
            Code::Wasm(bytes) => {
                let effort = Effort::of(options.code)?;
                let engine = new_engine(&config::compiling_component(place, effort, false, options.fuel))?;
                Component::from_binary(&engine, bytes).map_err(|error| {
                    Error::new(ErrorKind::InvalidModule, "wasmtime rejects the prepared component").with_source(error)
                })
            }
        };
        match component {
            Ok(component) => Ok(Box::new(WasmtimeComponent::new(component, options))),
            Err(error) => Err(error.with_operation("load component").with_context("engine", EngineName::Wasmtime)),
        }
    }

    fn load(&self, code: Code<'_>) -> Result<Box<dyn WasmModule>> {
        let module = match code {
            Code::Wasm(wasm) => self.compile_in_place(wasm),
            Code::Artifact(file) => self.map_artifact(file),
        };
        match module {
            Ok(module) => Ok(Box::new(WasmtimeModule::new(module, self.place))),
            Err(error) => Err(error.with_operation("load module").with_context("engine", EngineName::Wasmtime)),
        }
    }
}

/// Where a component's guests run: checks for interruptions are in its code when it asks for them, whatever modules have.
fn place_of(place: Place, options: ComponentOptions) -> Place {
    Place { interruptible: options.interruptible, ..place }
}

/// Loads a component's artifact; where it can be had with a pool. What instances of it take is known once it is loaded, so it is then loaded again.
fn load_artifact(place: Place, options: ComponentOptions, pool: Option<Pool>, file: &File) -> Result<Component> {
    let config = config::loading_component(place, options.fuel);
    let component = map_component(&new_engine(&config)?, file)?;
    let Some(pooling) = pool.and_then(|pool| pool::of(&component, pool)) else { return Ok(component) };
    let mut config = config;
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling));
    // Without the address space for it, or with modules of several memories, instances are made one by one.
    match new_engine(&config) {
        Ok(engine) => map_component(&engine, file).or(Ok(component)),
        Err(_) => Ok(component),
    }
}

/// As [`WasmtimeEngine::map_artifact`], for components, which wasmtime opens by a name only: this one is the descriptor's own.
#[expect(unsafe_code, reason = "mapping native code is what loading an artifact is")]
fn map_component(engine: &Engine, artifact: &File) -> Result<Component> {
    let name = format!("/proc/self/fd/{}", artifact.as_raw_fd());
    // SAFETY: as for modules: `Code::Artifact` obliges the caller to have checked on this very descriptor that its content is what
    // `compile_component` wrote, and the kernel resolves this name to the file of the descriptor, which is open throughout.
    unsafe { Component::deserialize_file(engine, name) }.map_err(|error| {
        Error::new(ErrorKind::Internal, "wasmtime rejects the artifact")
            .with_hint("delete it from the cache; it is made again at the next run")
            .with_source(error)
    })
}

fn new_engine(config: &Config) -> Result<Engine> {
    Engine::new(config).map_err(|error| {
        Error::new(ErrorKind::EngineUnavailable, "wasmtime cannot be set up on this machine").with_source(error)
    })
}

/// The engine in the cell, made first if need be. Two threads may both make one; the first to finish wins.
fn engine_in(cell: &OnceLock<Engine>, config: impl FnOnce() -> Config) -> Result<&Engine> {
    if let Some(engine) = cell.get() {
        return Ok(engine);
    }
    let engine = new_engine(&config())?;
    Ok(cell.get_or_init(|| engine))
}
