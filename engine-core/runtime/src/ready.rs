//! From a request and bytes to something that can run: engine, tier, plan, code.
//!
//! `auto` takes the first engine that is there and has what the module needs. A named engine is taken or refused, with a
//! word on who could do it.

mod keys;

use crate::cache::{ArtifactCache, Key};
use crate::compile::{Attention, CompileJob, CompilePlace, compile};
use crate::kept::Entry;
use crate::observer::Note;
use crate::registry::Registry;
use crate::run::job::kernel_devices;
use keys::{artifact_key, component_key};
use serde::{Deserialize, Serialize};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use wasmrt_guard::{GuardOptions, Meters, OwnMemory, Refusal};
use wasmrt_host::HostRoot;
use wasmrt_model::backend::{CompileOptions, WasmEngine};
use wasmrt_model::component::{ComponentOptions, World};
use wasmrt_model::network::NetworkRule;
use wasmrt_model::{
    AotPolicy, Ceiling, Enforcement, EngineChoice, Error, ErrorKind, Feature, IsolationLevel, ModuleInfo, Result,
    RunPlan, RunSpec, Tier, resolve,
};

/// What the layers of this build enforce for runs.
const FOR_RUNS: Enforcement = {
    let mut enforcement = Enforcement::NONE;
    enforcement.network = true;
    enforcement
};

/// What they enforce for instances.
const FOR_INSTANCES: Enforcement = {
    let mut enforcement = Enforcement::NONE;
    enforcement.in_process = true;
    enforcement
};

/// Without an artifact, prepared modules up to this size are compiled by themselves when the policy is `auto`: it takes a
/// fraction of a second, once. Larger ones are interpreted until somebody asks.
const AUTO_COMPILE_BYTES: usize = 192 << 10;

/// Everything that a worker needs, but for descriptors.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) engine: Arc<dyn WasmEngine>,
    pub(crate) tier: Tier,
    pub(crate) plan: RunPlan,
    pub(crate) info: ModuleInfo,
    /// How the guest is metered, when it is.
    pub(crate) meters: Option<Meters>,
    pub(crate) code: ReadyCode,
    /// How long compiling took, when that was needed.
    pub(crate) compile_time: Option<Duration>,
    /// What its code was made with, when it is a component.
    pub(crate) component: Option<ComponentOptions>,
    /// Where its native code is in the cache, when it has any there.
    pub(crate) artifact: Option<Key>,
}

/// The code of a [`Ready`] module.
#[derive(Debug)]
pub(crate) enum ReadyCode {
    /// Prepared bytes.
    Wasm(Vec<u8>),
    /// Checked native code.
    Artifact(File),
}

impl ReadyCode {
    /// Lets another user than this one read native code, by a descriptor: engines open that again by its name under /proc. In the cache's directory,
    /// which is its owner's alone, nobody finds it by its own name.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn let_others_read(&self) -> Result<()> {
        let Self::Artifact(file) = self else { return Ok(()) };
        file.set_permissions(Permissions::from_mode(0o644))
            .map_err(|source| Error::io("cannot pass native code on to another user", source))
    }
}

/// What is kept beside an artifact, so that a warm start need not read the module again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ArtifactNote {
    pub(crate) info: ModuleInfo,
    pub(crate) meters: Option<Meters>,
}

/// Makes runs and instances ready.
pub(crate) struct Preparer<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) ceiling: &'a Ceiling,
    pub(crate) cache: Option<&'a ArtifactCache>,
    enforcement: Enforcement,
    /// What components are to be called for.
    world: World,
    own_memories: &'a [OwnMemory],
    /// Refuses a module that nobody can link before minutes are spent on it.
    link: &'a dyn Fn(&ModuleInfo) -> Result<()>,
    /// Whether the plan's paths are paths of this process, and not of a container's that is yet to be made.
    paths_are_here: bool,
}

impl<'a> Preparer<'a> {
    /// For a guest in a process of its own, which finds WASI and nothing else.
    pub(crate) fn for_run(registry: &'a Registry, ceiling: &'a Ceiling, cache: Option<&'a ArtifactCache>) -> Self {
        let link = &|info: &ModuleInfo| wasmrt_host::link(info).map(drop);
        Self {
            registry,
            ceiling,
            cache,
            enforcement: FOR_RUNS,
            world: World::Command,
            own_memories: &[],
            link,
            paths_are_here: true,
        }
    }

    /// For a guest in this process, with these memories to own and whatever `link` knows.
    pub(crate) fn for_instance(
        registry: &'a Registry,
        ceiling: &'a Ceiling,
        cache: Option<&'a ArtifactCache>,
        own_memories: &'a [OwnMemory],
        link: &'a dyn Fn(&ModuleInfo) -> Result<()>,
    ) -> Self {
        Self {
            registry,
            ceiling,
            cache,
            enforcement: FOR_INSTANCES,
            world: World::Command,
            own_memories,
            link,
            paths_are_here: true,
        }
    }

    /// For a guest in a process that somebody else makes, where other files are.
    pub(crate) fn for_container(self) -> Self {
        Self { paths_are_here: false, ..self }
    }

    /// Makes this module ready to run as asked.
    pub(crate) fn prepare(&self, module: &[u8], spec: &RunSpec, attention: &mut Attention<'_>) -> Result<Ready> {
        match spec.engine {
            EngineChoice::Named(name) => {
                let engine = self.registry.get(name)?;
                self.prepare_for(&engine, module, spec, attention)
            }
            _ => self.prepare_for_first(module, spec, attention),
        }
    }

    fn prepare_for_first(&self, module: &[u8], spec: &RunSpec, attention: &mut Attention<'_>) -> Result<Ready> {
        let mut refusal = None;
        for name in self.registry.names() {
            let attempt = self.registry.get(name).and_then(|engine| self.prepare_for(&engine, module, spec, attention));
            match attempt {
                Ok(ready) => return Ok(ready),
                // What one engine lacks another may have; everything else is the same on all of them.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Unsupported | ErrorKind::EngineUnavailable | ErrorKind::Denied
                    ) =>
                {
                    refusal = Some(match refusal {
                        Some(first @ Error { .. }) if error.kind() == ErrorKind::EngineUnavailable => first,
                        _ => error,
                    });
                }
                Err(error) => return Err(error),
            }
        }
        Err(refusal.unwrap_or_else(|| {
            Error::new(ErrorKind::EngineUnavailable, "this build has no engine")
                .with_hint("build it with the feature 'wasmtime' or 'wasmedge'")
        }))
    }

    /// A refusal with who refused and, when another engine has what is missing, who would take it.
    fn explain(&self, refusal: Refusal, engine: &dyn WasmEngine, tier: Tier) -> Error {
        let missing = refusal.missing_features();
        let error = refusal.into_error();
        if missing.is_empty() {
            return error;
        }
        let refused = engine.capabilities().engine;
        let error = error.with_context("engine", refused).with_context("tier", tier);
        let able = self.registry.names().filter(|name| *name != refused).find(|name| {
            self.registry.get(*name).is_ok_and(|engine| {
                let mut features = engine.capabilities().all_features();
                if engine.capabilities().components {
                    features = features.with(Feature::ComponentModel);
                }
                missing.difference(features).is_empty()
            })
        });
        match able {
            Some(name) => error.with_hint(format!("the engine {name} has what it needs")),
            None => error.with_hint("no engine that is here has what it needs"),
        }
    }

    fn prepare_for(
        &self,
        engine: &Arc<dyn WasmEngine>,
        module: &[u8],
        spec: &RunSpec,
        attention: &mut Attention<'_>,
    ) -> Result<Ready> {
        let host_variable = |name: &str| std::env::var(name).ok();
        let plan = resolve(spec, engine.capabilities(), self.enforcement, self.ceiling, &host_variable)?;
        if let Some(bound) = plan.limits().module_bytes.bound()
            && u64::try_from(module.len()).unwrap_or(u64::MAX) > bound.0
        {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("the module has {} bytes, more than {bound}", module.len()),
            ));
        }
        check_os_sandbox(&plan)?;
        if engine.capabilities().components && wasmrt_guard::sniff(module) == wasmrt_guard::Kind::Component {
            return self.prepare_component(engine, plan, module, spec, attention);
        }
        for tier in cached_tiers(engine.as_ref(), &plan) {
            if let Some(ready) = self.find_cached(engine, tier, &plan, module) {
                return Ok(ready);
            }
        }
        self.make(engine, plan, module, attention)
    }

    fn find_cached(&self, engine: &Arc<dyn WasmEngine>, tier: Tier, plan: &RunPlan, module: &[u8]) -> Option<Ready> {
        let guard = self.guard_options(engine.as_ref(), tier, plan)?;
        let options = CompileOptions { tier, optimize: plan.optimize() };
        let key = artifact_key(engine.as_ref(), options, &guard, module);
        let hit = self.cache?.find(&key)?;
        let note: ArtifactNote = serde_json::from_slice(&hit.note).ok()?;
        Some(Ready {
            engine: Arc::clone(engine),
            tier,
            plan: plan.clone(),
            info: note.info,
            meters: note.meters,
            code: ReadyCode::Artifact(hit.code),
            compile_time: None,
            component: None,
            artifact: Some(key),
        })
    }

    fn make(
        &self,
        engine: &Arc<dyn WasmEngine>,
        plan: RunPlan,
        module: &[u8],
        attention: &mut Attention<'_>,
    ) -> Result<Ready> {
        let interprets = engine.capabilities().features(Tier::Interpreter).is_some();
        let may_interpret = interprets && *plan.aot() != AotPolicy::Always;
        let tier = tier_to_make(engine.as_ref(), &plan, module.len());
        match self.make_tier(engine, tier, &plan, module, attention) {
            Err(error) if may_interpret && tier != Tier::Interpreter && falls_back(&error) => {
                if error.kind() == ErrorKind::CompileFailed {
                    attention.observer.note(&Note::InterpretedInstead(&error));
                }
                self.make_tier(engine, Tier::Interpreter, &plan, module, attention)
            }
            made => made,
        }
    }

    fn make_tier(
        &self,
        engine: &Arc<dyn WasmEngine>,
        tier: Tier,
        plan: &RunPlan,
        module: &[u8],
        attention: &mut Attention<'_>,
    ) -> Result<Ready> {
        let guard = self.guard_options(engine.as_ref(), tier, plan).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("{} has no {tier} tier", engine.capabilities().engine))
                .with_hint("leave the optimisation level out, or take another engine")
        })?;
        let prepared =
            wasmrt_guard::prepare(module, &guard).map_err(|refusal| self.explain(refusal, engine.as_ref(), tier))?;
        let info = prepared.info().clone();
        let meters = prepared.meters().cloned();
        let (code, compile_time, artifact) = if tier == Tier::Interpreter {
            (ReadyCode::Wasm(prepared.into_bytes()), None, None)
        } else {
            (self.link)(&info)?;
            let options = CompileOptions { tier, optimize: plan.optimize() };
            let note =
                serde_json::to_vec(&ArtifactNote { info: info.clone(), meters: meters.clone() }).map_err(|source| {
                    Error::new(ErrorKind::Internal, "cannot note what was compiled").with_source(source)
                })?;
            let job = CompileJob {
                engine: engine.as_ref(),
                options,
                component: None,
                module: prepared.bytes(),
                note: &note,
                time_limit: plan.limits().compile_time.bound().map(|span| span.0),
                place: match plan.isolation() {
                    IsolationLevel::InProcess => CompilePlace::Here,
                    _ => CompilePlace::Worker,
                },
            };
            let key = artifact_key(engine.as_ref(), options, &guard, module);
            let (code, elapsed) = compile(&job, &key, self.cache, attention)?;
            (ReadyCode::Artifact(code), elapsed, self.cache.map(|_| key))
        };
        let engine = Arc::clone(engine);
        Ok(Ready { engine, tier, plan: plan.clone(), info, meters, code, compile_time, component: None, artifact })
    }

    /// For a server, whose component answers HTTP requests.
    pub(crate) fn for_server(registry: &'a Registry, ceiling: &'a Ceiling, cache: Option<&'a ArtifactCache>) -> Self {
        Self { world: World::Proxy, ..Self::for_run(registry, ceiling, cache) }
    }

    /// Makes this component ready to answer requests as asked.
    pub(crate) fn prepare_server(&self, bytes: &[u8], spec: &RunSpec, attention: &mut Attention<'_>) -> Result<Ready> {
        if wasmrt_guard::sniff(bytes) == wasmrt_guard::Kind::CoreModule {
            return Err(Error::new(ErrorKind::Unsupported, "this is a module, and servers are made of components")
                .with_hint("start it with `run`, or build it as a component that exports wasi:http/incoming-handler"));
        }
        let timed = [("wall_time", spec.limits.wall_time.is_some()), ("cpu_time", spec.limits.cpu_time.is_some())];
        if let Some((limit, _)) = timed.iter().find(|(_, asked)| *asked) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("limit {limit} cannot be enforced for a server: it runs until it is stopped"),
            )
            .with_hint("bound each request with `request_timeout`, or with `fuel`"));
        }
        if let Some(port) = spec.network.publish.first() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the port {port} cannot be published by a server: its instances come and go with requests"),
            )
            .with_hint(
                "`address` says where requests come from; a program that is started with `run` can have ports",
            ));
        }
        let listens = |rule: &&NetworkRule| matches!(rule, NetworkRule::Listen { .. });
        if let Some(rule) = spec.network.allow.iter().find(listens) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the network rule {rule} cannot hold for a server: its instances come and go with requests"),
            )
            .with_hint("`address` says where requests come from; instances can connect, and resolve names"));
        }
        self.prepare(bytes, spec, attention)
    }

    /// The way of a component: always compiled, and bounded by the engine where the guard meters modules.
    fn prepare_component(
        &self,
        engine: &Arc<dyn WasmEngine>,
        plan: RunPlan,
        bytes: &[u8],
        spec: &RunSpec,
        attention: &mut Attention<'_>,
    ) -> Result<Ready> {
        check_component(&plan, spec, self.ceiling)?;
        let tier = compiled_tier(engine.as_ref(), &plan);
        let code = CompileOptions { tier, optimize: plan.optimize() };
        // A server's guests share a process, where a call that takes too long is interrupted; a run's process is killed.
        let options = ComponentOptions {
            code,
            fuel: plan.limits().fuel.bound().is_some(),
            interruptible: self.world == World::Proxy,
        };
        let mut guard = self.guard_options(engine.as_ref(), tier, &plan).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("{} has no {tier} tier", engine.capabilities().engine))
                .with_hint("leave the optimisation level out, or take another engine")
        })?;
        guard.components = true;
        guard.metering = None;
        let key = component_key(engine.as_ref(), options, &guard, bytes);
        let ready = |info, code, compile_time| Ready {
            engine: Arc::clone(engine),
            tier,
            plan: plan.clone(),
            info,
            meters: None,
            code: ReadyCode::Artifact(code),
            compile_time,
            component: Some(options),
            artifact: self.cache.map(|_| key),
        };
        if let Some(hit) = self.cache.and_then(|cache| cache.find(&key))
            && let Ok(note) = serde_json::from_slice::<ArtifactNote>(&hit.note)
        {
            self.check_world(&note.info)?;
            engine.check_component(&plan, &note.info)?;
            self.check_directories(&plan)?;
            return Ok(ready(note.info, hit.code, None));
        }
        let prepared =
            wasmrt_guard::prepare(bytes, &guard).map_err(|refusal| self.explain(refusal, engine.as_ref(), tier))?;
        let info = prepared.info().clone();
        self.check_world(&info)?;
        engine.check_component(&plan, &info)?;
        self.check_directories(&plan)?;
        let note = serde_json::to_vec(&ArtifactNote { info: info.clone(), meters: None })
            .map_err(|source| Error::new(ErrorKind::Internal, "cannot note what was compiled").with_source(source))?;
        let job = CompileJob {
            engine: engine.as_ref(),
            options: code,
            component: Some(options),
            module: prepared.bytes(),
            note: &note,
            time_limit: plan.limits().compile_time.bound().map(|span| span.0),
            place: CompilePlace::Worker,
        };
        let (code, elapsed) = compile(&job, &key, self.cache, attention)?;
        Ok(ready(info, code, elapsed))
    }

    /// Whether a component can be given its preopens, where that can be told already.
    fn check_directories(&self, plan: &RunPlan) -> Result<()> {
        if !self.paths_are_here {
            return Ok(());
        }
        kernel_devices(plan, HostRoot::Refuse).map(drop)
    }

    /// Whether the component can be called for what it is wanted.
    fn check_world(&self, info: &ModuleInfo) -> Result<()> {
        if self.world.is_exported(info) {
            return Ok(());
        }
        let exports = info.component.as_ref().map(|component| component.exports.as_slice()).unwrap_or_default();
        let error = Error::new(
            ErrorKind::MissingExport,
            format!("the component does not export {}@0.2", self.world.interface()),
        );
        let other = match self.world {
            World::Command => World::Proxy,
            World::Proxy => World::Command,
        };
        Err(match (other.is_exported(info), other) {
            (true, World::Proxy) => error.with_hint("it answers HTTP requests: start it with `serve`"),
            (true, World::Command) => error.with_hint("it is a program that runs once: start it with `run`"),
            (false, _) if exports.is_empty() => error.with_hint("it exports nothing"),
            (false, _) => error.with_hint(format!("it exports {}", first_of(exports))),
        })
    }

    fn guard_options(&self, engine: &dyn WasmEngine, tier: Tier, plan: &RunPlan) -> Option<GuardOptions> {
        let features = engine.capabilities().features(tier)?;
        let mut options = GuardOptions::new(features, plan.limits());
        options.own_memories = self.own_memories.to_vec();
        if plan.isolation() == IsolationLevel::InProcess && engine.capabilities().interrupted_by_global {
            options.metering.get_or_insert_default().interruption = true;
        }
        Some(options)
    }
}

/// Code that was found before, for a run with another spec that wants the same.
///
/// # Errors
/// Whatever the plan refuses; who gets one does better to prepare the run from its beginning, which tells more.
pub(crate) fn ready_again(entry: &Entry, registry: &Registry, ceiling: &Ceiling, spec: &RunSpec) -> Result<Ready> {
    let engine = registry.get(entry.engine)?;
    let host_variable = |name: &str| std::env::var(name).ok();
    let plan = resolve(spec, engine.capabilities(), FOR_RUNS, ceiling, &host_variable)?;
    check_os_sandbox(&plan)?;
    if entry.component.is_some() {
        check_component(&plan, spec, ceiling)?;
        engine.check_component(&plan, &entry.note.info)?;
    }
    let code = entry.code.try_clone().map_err(|source| Error::io("cannot hold on to the artifact", source))?;
    Ok(Ready {
        engine,
        tier: entry.tier,
        plan,
        info: entry.note.info.clone(),
        meters: entry.note.meters.clone(),
        code: ReadyCode::Artifact(code),
        compile_time: None,
        component: entry.component,
        artifact: None,
    })
}

/// Refuses a plan that wants more of an OS sandbox than this kernel has. Who does not ask, does not pay for the question.
fn check_os_sandbox(plan: &RunPlan) -> Result<()> {
    if !plan.require_os_sandbox() {
        return Ok(());
    }
    let has = crate::worker::confine::available();
    if has.is_complete() {
        return Ok(());
    }
    let missing = has.missing().join(" and no ");
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("the OS sandbox that was required is not complete: this kernel has no {missing}"),
    )
    .with_hint("wasm-run doctor tells more; without the requirement what there is would be used"))
}

/// Whether native code may run where the plan says.
fn runs_native(engine: &dyn WasmEngine, plan: &RunPlan) -> bool {
    plan.isolation() != IsolationLevel::InProcess
        || engine.capabilities().in_process.iter().any(|tier| *tier != Tier::Interpreter)
}

/// The tiers whose artifacts would do, best first.
fn cached_tiers(engine: &dyn WasmEngine, plan: &RunPlan) -> Vec<Tier> {
    match plan.aot() {
        _ if !runs_native(engine, plan) => Vec::new(),
        AotPolicy::Never => Vec::new(),
        AotPolicy::Auto | AotPolicy::Cached
            if engine.capabilities().features(Tier::Interpreter).is_some() && plan.optimize().is_none() =>
        {
            vec![Tier::Optimized, Tier::Baseline]
        }
        _ => vec![compiled_tier(engine, plan)],
    }
}

/// The tier that is made when no artifact is there.
fn tier_to_make(engine: &dyn WasmEngine, plan: &RunPlan, module_bytes: usize) -> Tier {
    let interprets = engine.capabilities().features(Tier::Interpreter).is_some();
    match plan.aot() {
        _ if !runs_native(engine, plan) => Tier::Interpreter,
        _ if !interprets => compiled_tier(engine, plan),
        AotPolicy::Never | AotPolicy::Cached => Tier::Interpreter,
        AotPolicy::Auto if plan.optimize().is_none() => {
            if module_bytes <= AUTO_COMPILE_BYTES {
                Tier::Baseline
            } else {
                Tier::Interpreter
            }
        }
        _ => compiled_tier(engine, plan),
    }
}

/// Optimized, unless it was asked otherwise or the engine has nothing but a baseline.
fn compiled_tier(engine: &dyn WasmEngine, plan: &RunPlan) -> Tier {
    let has = |tier| engine.capabilities().features(tier).is_some();
    match plan.optimize() {
        Some(0) => Tier::Baseline,
        None if has(Tier::Baseline) && !has(Tier::Optimized) => Tier::Baseline,
        _ => Tier::Optimized,
    }
}

/// Whether a guest that could not be compiled may be interpreted: not when it, or the user, is the reason.
fn falls_back(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::CompileFailed | ErrorKind::Unsupported)
}

/// What holds for modules by code that the guard injects, and for components not at all, is refused when it was asked for.
fn check_component(plan: &RunPlan, spec: &RunSpec, ceiling: &Ceiling) -> Result<()> {
    if plan.isolation() != IsolationLevel::Process {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("isolation {} cannot be had for components: they run in a process of their own", plan.isolation()),
        )
        .with_hint("take isolation process"));
    }
    let asked = spec.limits.call_depth.and_then(wasmrt_model::Limit::bound).or(ceiling.limits.call_depth.bound());
    if let Some(depth) = asked {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("limit call_depth {depth} cannot be enforced: calls in components are bounded by their stack, not counted"),
        )
        .with_hint("leave it out: a component that uses up its stack of 4 MiB traps"));
    }
    Ok(())
}

/// The first few of a list, as a list.
fn first_of(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = if names.len() > SHOWN { " and more" } else { "" };
    format!("{}{more}", shown.join(", "))
}
