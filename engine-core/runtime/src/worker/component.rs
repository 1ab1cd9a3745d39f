//! Running a component inside a worker: load, confine, run, account. The engine links and calls; only it knows components.

use super::confine::{Guest, Wall};
use super::report::Report;
use std::os::fd::AsFd;
use wasmrt_model::backend::{Code, Ending, WasmEngine};
use wasmrt_model::component::{ComponentOptions, ComponentResources, ComponentRun, Pool, WasmComponent};
use wasmrt_model::{ExitStatus, OsSandbox, RunPlan};

/// Everything that a worker needs to run a component; made before the fork.
pub(crate) struct ComponentWork<'a> {
    pub(crate) engine: &'a dyn WasmEngine,
    pub(crate) guest: Guest,
    pub(crate) code: Code<'a>,
    pub(crate) options: ComponentOptions,
    pub(crate) pool: Option<Pool>,
    pub(crate) plan: &'a RunPlan,
    pub(crate) os_sandbox: OsSandbox,
}

/// Runs the component to its end.
pub(crate) fn run(work: ComponentWork<'_>, resources: ComponentResources) -> Report {
    let plan = work.plan;
    let ComponentRun { ended, memory_pages, fuel, refusals, .. } = match load(work) {
        Ok(component) => component.run(plan, resources),
        Err(ending) => return Report::of(ending),
    };
    let mut report = match ended {
        Ok(()) => Report::ended(ExitStatus::Exited { code: 0 }),
        Err(ending) => Report::of(ending),
    };
    report.memory_pages = memory_pages;
    report.fuel = fuel;
    report.refusals = refusals;
    report
}

/// Loads it between the two stages of the wall.
pub(crate) fn load(work: ComponentWork<'_>) -> Result<Box<dyn WasmComponent>, Ending> {
    let ComponentWork { engine, guest, code, options, pool, plan, os_sandbox } = work;
    engine.warm()?;
    engine.prepare_for_components()?;
    let artifact = match &code {
        Code::Artifact(file) => {
            Some(file.try_clone().map_err(|source| wasmrt_model::Error::io("cannot hold on to the artifact", source))?)
        }
        Code::Wasm(_) => None,
    };
    let artifact = artifact.as_ref().map(AsFd::as_fd);
    Wall { preopens: plan.preopens(), artifact, guest }.before_code(os_sandbox)?;
    let component = engine.load_component(code, options, pool)?;
    Wall::before_guest(os_sandbox)?;
    Ok(component)
}
