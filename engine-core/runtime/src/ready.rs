//! From a request and bytes to something that can run: engine, tier, plan, code.
//!
//! `auto` takes the first engine that is there and has what the module needs. A named engine is taken or refused, with a
//! word on who could do it.

use crate::cache::{ArtifactCache, Key};
use crate::compile::{Attention, CompileJob, CompilePlace, compile};
use crate::observer::Note;
use crate::registry::Registry;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;
use wasmrt_guard::{GuardOptions, Meters, OwnMemory, Refusal};
use wasmrt_model::backend::{CompileOptions, WasmEngine};
use wasmrt_model::{
    AotPolicy, Ceiling, Enforcement, EngineChoice, Error, ErrorKind, IsolationLevel, ModuleInfo, Result, RunPlan,
    RunSpec, Tier, resolve,
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
}

/// The code of a [`Ready`] module.
#[derive(Debug)]
pub(crate) enum ReadyCode {
    /// Prepared bytes.
    Wasm(Vec<u8>),
    /// Checked native code.
    Artifact(File),
}

/// What is kept beside an artifact, so that a warm start need not read the module again.
#[derive(Serialize, Deserialize)]
struct ArtifactNote {
    info: ModuleInfo,
    meters: Option<Meters>,
}

/// Makes runs and instances ready.
pub(crate) struct Preparer<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) ceiling: &'a Ceiling,
    pub(crate) cache: Option<&'a ArtifactCache>,
    enforcement: Enforcement,
    own_memories: &'a [OwnMemory],
    /// Refuses a module that nobody can link before minutes are spent on it.
    link: &'a dyn Fn(&ModuleInfo) -> Result<()>,
}

impl<'a> Preparer<'a> {
    /// For a guest in a process of its own, which finds WASI and nothing else.
    pub(crate) fn for_run(registry: &'a Registry, ceiling: &'a Ceiling, cache: Option<&'a ArtifactCache>) -> Self {
        let link = &|info: &ModuleInfo| wasmrt_host::link(info).map(drop);
        Self { registry, ceiling, cache, enforcement: FOR_RUNS, own_memories: &[], link }
    }

    /// For a guest in this process, with these memories to own and whatever `link` knows.
    pub(crate) fn for_instance(
        registry: &'a Registry,
        ceiling: &'a Ceiling,
        cache: Option<&'a ArtifactCache>,
        own_memories: &'a [OwnMemory],
        link: &'a dyn Fn(&ModuleInfo) -> Result<()>,
    ) -> Self {
        Self { registry, ceiling, cache, enforcement: FOR_INSTANCES, own_memories, link }
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
            let features = self.registry.get(*name).map(|engine| engine.capabilities().all_features());
            features.is_ok_and(|features| missing.difference(features).is_empty())
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
        let hit = self.cache?.find(&artifact_key(engine.as_ref(), options, &guard, module))?;
        let note: ArtifactNote = serde_json::from_slice(&hit.note).ok()?;
        Some(Ready {
            engine: Arc::clone(engine),
            tier,
            plan: plan.clone(),
            info: note.info,
            meters: note.meters,
            code: ReadyCode::Artifact(hit.code),
            compile_time: None,
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
        let (code, compile_time) = if tier == Tier::Interpreter {
            (ReadyCode::Wasm(prepared.into_bytes()), None)
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
            (ReadyCode::Artifact(code), elapsed)
        };
        Ok(Ready { engine: Arc::clone(engine), tier, plan: plan.clone(), info, meters, code, compile_time })
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
        AotPolicy::Auto if engine.capabilities().features(Tier::Interpreter).is_some() && plan.optimize().is_none() => {
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
        AotPolicy::Never => Tier::Interpreter,
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

/// The module as given and everything that decides what becomes of it. The guard is a function of its input, options and
/// version, so this stands for the prepared bytes, and a warm start need not prepare them.
fn artifact_key(engine: &dyn WasmEngine, options: CompileOptions, guard: &GuardOptions, module: &[u8]) -> Key {
    let capabilities = engine.capabilities();
    Key::of(&[
        b"wasmrt artifact 1",
        wasmrt_guard::FINGERPRINT.as_bytes(),
        format!("{guard:?}").as_bytes(),
        capabilities.engine.as_str().as_bytes(),
        capabilities.version.as_bytes(),
        engine.fingerprint(options).as_bytes(),
        module,
    ])
}
