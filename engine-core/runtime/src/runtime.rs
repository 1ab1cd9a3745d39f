//! [`Runtime`]: what front-ends hold. It owns the engines and the cache, and nothing of any one run.

use crate::cache::{ArtifactCache, CacheConfig};
use crate::compile::Attention;
use crate::inspect::{self, Inspection};
use crate::instance::{self, Imports, Instance, InstantiateOptions, Watch};
use crate::observer::{Note, Observer, Silent};
use crate::ready::{Preparer, Ready, ReadyCode};
use crate::registry::{EngineStatus, Registry};
use crate::run;
use crate::serve::{self, ServeOptions, Served};
use crate::streams::PipedStreams;
use serde::{Deserialize, Serialize};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;
use wasmrt_model::component::World;
use wasmrt_model::{AotPolicy, Ceiling, EngineName, Error, ErrorKind, ModuleInfo, Outcome, Result, RunSpec, Tier};

/// How a runtime is set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RuntimeConfig {
    /// Where artifacts are kept.
    pub cache: CacheConfig,
    /// What no run may exceed.
    pub ceiling: Ceiling,
}

/// The cache that the environment names, and no ceiling.
impl Default for RuntimeConfig {
    fn default() -> Self {
        Self { cache: CacheConfig::from_environment(), ceiling: Ceiling::default() }
    }
}

/// Engines, cache and ceiling. Cheap to make: engines are loaded when they are needed.
///
/// Runs fork, so the process must have one thread; a run in a process with more is refused: such programs use an
/// [`Embedder`](crate::Embedder). Instances can be made and used on any thread, and the
/// first deadline of one starts a thread that lives as long as the runtime and its instances.
#[derive(Debug)]
pub struct Runtime {
    registry: Registry,
    in_process: Registry,
    config: RuntimeConfig,
    watch: Arc<Watch>,
}

/// How a caller takes part in a run: what it hears, what it passes on, how it ends it.
#[derive(Default)]
#[non_exhaustive]
pub struct RunOptions<'a> {
    /// Hears of compiling and of what is worth a line.
    pub observer: Option<&'a mut dyn Observer>,
    /// Whether the signals that end programs are passed on to the guest instead of ending this process: for callers that
    /// are nothing but the guest's front, such as a command line.
    pub forward_signals: bool,
    /// Becomes readable when the caller wants the run ended.
    pub cancel: Option<BorrowedFd<'a>>,
    /// The descriptors of streams that the spec calls piped.
    pub piped: PipedStreams,
    /// The process group whose terminal the guest reads from, when that is not this process's.
    pub(crate) group: Option<rustix::process::Pid>,
}

impl std::fmt::Debug for RunOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunOptions").field("forward_signals", &self.forward_signals).finish_non_exhaustive()
    }
}

/// What compiling ahead came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Compiled {
    /// The engine whose code it is.
    pub engine: EngineName,
    /// The tier.
    pub tier: Tier,
    /// How long it took. None when it was in the cache already.
    pub elapsed: Option<Duration>,
    /// What the native code takes.
    pub code_bytes: u64,
}

impl Runtime {
    /// A runtime with the engines of this build.
    #[must_use]
    pub fn new(config: RuntimeConfig) -> Self {
        let (registry, in_process) = (Registry::of_this_build(), Registry::for_embedding());
        Self { registry, in_process, config, watch: Watch::new() }
    }

    /// Every engine, with what it can do or why it cannot be had. Loads those that are there.
    #[must_use]
    pub fn engines(&self) -> Vec<EngineStatus> {
        self.registry.statuses()
    }

    /// Whether this build could run guests on it.
    pub(crate) fn has_backend(&self, engine: EngineName) -> bool {
        self.registry.names().any(|name| name == engine)
    }

    /// How it was set up.
    #[must_use]
    pub fn config(&self) -> &RuntimeConfig {
        &self.config
    }

    /// The artifact cache.
    ///
    /// # Errors
    /// As [`ArtifactCache::open`].
    pub fn cache(&self) -> Result<ArtifactCache> {
        ArtifactCache::open(&self.config.cache)
    }

    /// What a module is, and which engines would run it.
    ///
    /// # Errors
    /// `NotWasm`, `InvalidModule` for what no engine runs.
    pub fn inspect(&self, module: &[u8]) -> Result<Inspection> {
        inspect::inspect(&self.registry, module)
    }

    /// What a module says of itself. No engine is asked, so none is loaded.
    ///
    /// # Errors
    /// `NotWasm`, `InvalidModule` for what no engine runs.
    pub fn describe(&self, module: &[u8]) -> Result<ModuleInfo> {
        inspect::describe(module)
    }

    /// Runs a module to its end.
    ///
    /// # Errors
    /// Whatever kept it from starting, and failures of ours; what the guest does to itself is an [`Outcome`].
    pub fn run(&self, module: &[u8], spec: &RunSpec, options: RunOptions<'_>) -> Result<Outcome> {
        self.run_and_tell(module, spec, options, &mut |_| {})
    }

    /// As [`run`](Self::run), telling what it comes to before it starts.
    pub(crate) fn run_and_tell(
        &self,
        module: &[u8],
        spec: &RunSpec,
        options: RunOptions<'_>,
        tell: &mut dyn FnMut(&Ready),
    ) -> Result<Outcome> {
        let RunOptions { observer, forward_signals, cancel, piped, group } = options;
        let mut silent = Silent;
        let mut attention = Attention { observer: observer.unwrap_or(&mut silent), forward_signals, cancel, group };
        let (ready, cache) = self.prepare(module, spec, &mut attention)?;
        tell(&ready);
        let engine = ready.plan.engine();
        let result = run::run(ready, piped, &mut attention);
        // An engine that was only known, and is not there when it is needed, has to be looked for next time.
        if let (Some(cache), Err(ErrorKind::EngineUnavailable)) = (&cache, result.as_ref().map_err(Error::kind)) {
            cache.forget(engine.as_str());
        }
        result
    }

    /// Everything that comes before a run: finds the engine, prepares the module, compiles it where a run would.
    pub(crate) fn prepare(
        &self,
        module: &[u8],
        spec: &RunSpec,
        attention: &mut Attention<'_>,
    ) -> Result<(Ready, Option<ArtifactCache>)> {
        let cache = self.usable_cache(attention.observer);
        let preparer = Preparer::for_run(&self.registry, &self.config.ceiling, cache.as_ref());
        let ready = self.prepare_by(&preparer, module, spec, attention)?;
        Ok((ready, cache))
    }

    /// As [`prepare`](Self::prepare), under this ceiling, for a guest that finds other files than this process does.
    pub(crate) fn prepare_for_container(
        &self,
        ceiling: &Ceiling,
        module: &[u8],
        spec: &RunSpec,
        attention: &mut Attention<'_>,
    ) -> Result<Ready> {
        let cache = self.usable_cache(attention.observer);
        let preparer = Preparer::for_run(&self.registry, ceiling, cache.as_ref()).for_container();
        self.prepare_by(&preparer, module, spec, attention)
    }

    /// As [`prepare_for_container`](Self::prepare_for_container), for a server.
    pub(crate) fn prepare_server_for_container(
        &self,
        ceiling: &Ceiling,
        component: &[u8],
        spec: &RunSpec,
        attention: &mut Attention<'_>,
    ) -> Result<Ready> {
        let cache = self.usable_cache(attention.observer);
        let preparer = Preparer::for_server(&self.registry, ceiling, cache.as_ref()).for_container();
        self.learning(preparer.cache, || preparer.prepare_server(component, spec, attention))
    }

    fn prepare_by(
        &self,
        preparer: &Preparer<'_>,
        module: &[u8],
        spec: &RunSpec,
        attention: &mut Attention<'_>,
    ) -> Result<Ready> {
        self.learning(preparer.cache, || preparer.prepare(module, spec, attention))
    }

    /// Works with what the cache knows of engines, and tells it what is known now.
    fn learning<T>(&self, cache: Option<&ArtifactCache>, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if let Some(cache) = cache {
            self.registry.learn(cache);
        }
        let done = work()?;
        if let Some(cache) = cache {
            self.registry.tell(cache);
        }
        Ok(done)
    }

    /// Loads an engine for guests, as earlier processes know it or else as it is found.
    ///
    /// # Errors
    /// `EngineUnavailable`.
    pub(crate) fn warm(&self, engine: EngineName) -> Result<()> {
        self.learning(self.cache().ok().as_ref(), || self.registry.get(engine)?.warm())
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Serves HTTP with a component that exports `wasi:http/incoming-handler`, until this process is asked to stop: by SIGTERM, SIGINT, SIGQUIT or
    /// SIGHUP, which it takes for as long as this lasts.
    ///
    /// Each request gets an instance of its own, under the limits of the spec. They run in a worker, which is started again when it dies.
    ///
    /// # Errors
    /// Whatever keeps the server from starting: `MissingExport` for a component that is no proxy, `NotWasm` and `Unsupported` for what is no component,
    /// and an error of the system when the address cannot be had.
    pub fn serve(
        &self,
        component: &[u8],
        spec: &RunSpec,
        options: ServeOptions<'_>,
        observer: Option<&mut dyn Observer>,
    ) -> Result<Served> {
        let listeners = serve::listen(options.address, options.health)?;
        let mut silent = Silent;
        let observer = observer.unwrap_or(&mut silent);
        let cache = self.usable_cache(observer);
        let mut attention = Attention { observer, forward_signals: true, cancel: None, group: None };
        let preparer = Preparer::for_server(&self.registry, &self.config.ceiling, cache.as_ref());
        let ready = preparer.prepare_server(component, spec, &mut attention)?;
        serve::serve(ready, &listeners, options)
    }

    /// Makes an instance of a module inside the caller's process, and lets it start up. The spec has to ask for isolation in-process.
    ///
    /// Native code is taken from the cache, or compiled on the calling thread. `auto` takes an engine that runs native code here before one that
    /// interprets. Limits of fuel and wall time in the spec hold for each call.
    ///
    /// A start-up that ends the guest is no error: the instance is then [spent](Instance::spent).
    ///
    /// # Errors
    /// Whatever keeps the instance from being made; `Unsupported`, by name, for what cannot hold in the caller's process; `MissingImports`
    /// for what neither `imports` nor WASI offers.
    pub fn instantiate(
        &self,
        module: &[u8],
        spec: &RunSpec,
        imports: Imports,
        options: InstantiateOptions<'_>,
    ) -> Result<Instance> {
        instance::instantiate(self, module, spec, imports, options)
    }

    pub(crate) fn in_process(&self) -> &Registry {
        &self.in_process
    }

    pub(crate) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// Makes native code and puts it into the cache, for later runs with the same engine and limits.
    ///
    /// # Errors
    /// `Unsupported` when the engine cannot compile it, `CompileFailed` when it does not come to an end, `PermissionDenied` and the like when
    /// there is no usable cache.
    pub fn compile(&self, module: &[u8], spec: &RunSpec, options: RunOptions<'_>) -> Result<Compiled> {
        self.compile_below(&self.config.ceiling, module, spec, options)
    }

    /// As [`compile`](Self::compile), under this ceiling.
    pub(crate) fn compile_below(
        &self,
        ceiling: &Ceiling,
        module: &[u8],
        spec: &RunSpec,
        options: RunOptions<'_>,
    ) -> Result<Compiled> {
        let RunOptions { observer, forward_signals, cancel, .. } = options;
        let mut silent = Silent;
        let cache = self.cache()?;
        let mut spec = spec.clone();
        spec.aot = AotPolicy::Always;
        let mut attention =
            Attention { observer: observer.unwrap_or(&mut silent), forward_signals, cancel, group: None };
        let preparer = if is_only_a_proxy(module) {
            Preparer::for_server(&self.registry, ceiling, Some(&cache))
        } else {
            Preparer::for_run(&self.registry, ceiling, Some(&cache))
        };
        let ready = preparer.prepare(module, &spec, &mut attention)?;
        let code_bytes = match &ready.code {
            ReadyCode::Artifact(file) => file.metadata().map(|metadata| metadata.len()),
            ReadyCode::Wasm(_) => {
                return Err(Error::new(ErrorKind::Internal, "the engine interprets what it was to compile"));
            }
        };
        let code_bytes = code_bytes.map_err(|source| Error::io("cannot look at the artifact", source))?;
        let engine = ready.engine.capabilities().engine;
        Ok(Compiled { engine, tier: ready.tier, elapsed: ready.compile_time, code_bytes })
    }

    /// The cache, or none and a note to the observer.
    pub(crate) fn usable_cache(&self, observer: &mut dyn Observer) -> Option<ArtifactCache> {
        self.config.cache.directory.as_ref()?;
        match self.cache() {
            Ok(cache) => Some(cache),
            Err(error) => {
                observer.note(&Note::CacheUnusable(&error));
                None
            }
        }
    }
}

/// Whether a server is all that this could be compiled for.
pub(crate) fn is_only_a_proxy(module: &[u8]) -> bool {
    wasmrt_guard::sniff(module) == wasmrt_guard::Kind::Component
        && wasmrt_guard::inspect(module, &wasmrt_guard::StructureCaps::default())
            .is_ok_and(|info| World::Proxy.is_exported(&info) && !World::Command.is_exported(&info))
}
