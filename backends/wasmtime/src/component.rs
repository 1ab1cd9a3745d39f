//! Components: wasmtime's WASI 0.2 under the plan of the run.
//!
//! Owns the way from a [`RunPlan`] to a store, what a component may import, and how its calls end. Where bytes go is in `streams` and
//! `files`, what it may take in `sums`, what it may reach in `network`, and how in `sockets` and `http`. Decides no policy: what the plan does not say is not there.

mod body;
mod ending;
mod files;
mod http;
mod network;
pub(crate) mod pool;
mod quota;
mod server;
mod sockets;
mod state;
mod streams;
mod sums;
mod watched;

use state::State;
use std::sync::Arc;
use wasmrt_model::backend::Ending;
use wasmrt_model::component::{ComponentOptions, ComponentResources, ComponentRun, ServerSetup, WasmComponent, World};
use wasmrt_model::{Clock, Entry, Error, ErrorKind, Result, RunPlan};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

/// A component whose code is loaded.
pub(crate) struct WasmtimeComponent {
    component: Component,
    options: ComponentOptions,
}

impl std::fmt::Debug for WasmtimeComponent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasmtimeComponent").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Refuses by name what cannot hold for components.
pub(crate) fn check(plan: &RunPlan) -> Result<()> {
    if let Clock::Fixed { .. } = plan.clock() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a fixed clock cannot be given to a component: what it waits for takes real time",
        )
        .with_hint("leave `clock` out, or build the program as a module for wasm32-wasip1"));
    }
    if let Entry::Invoke { name, .. } = plan.entry() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("'{name}' cannot be invoked: exports of components take values that have no text form here"),
        )
        .with_hint("leave `entry` out to call wasi:cli/run"));
    }
    quota::check_open_files(plan)
}

impl WasmtimeComponent {
    pub(crate) fn new(component: Component, options: ComponentOptions) -> Self {
        Self { component, options }
    }

    /// Everything that components find.
    fn linker(&self) -> Result<Linker<State>> {
        let mut linker = Linker::new(self.component.engine());
        let add = |linker: &mut Linker<State>| {
            wasmtime_wasi::p2::add_to_linker_async(linker)?;
            linker.allow_shadowing(true);
            files::add_to_linker(linker)?;
            sockets::add_to_linker(linker)?;
            linker.allow_shadowing(false);
            wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
        };
        add(&mut linker).map_err(|error: wasmtime::Error| {
            Error::new(ErrorKind::Internal, "the component's host cannot be set up").with_source(error)
        })?;
        Ok(linker)
    }

    /// The component with all that it imports.
    fn linked(&self) -> Result<InstancePre<State>> {
        self.linker()?.instantiate_pre(&self.component).map_err(|error| {
            Error::new(
                ErrorKind::MissingImports,
                format!("the host does not offer what the component imports: {error:#}"),
            )
            .with_hint("components are offered WASI 0.2: wasi:cli, filesystem, clocks, random, io, sockets and http")
        })
    }

    /// Runs it to the end, on a runtime that has no thread but this one.
    fn run_to_end(&self, plan: &RunPlan, resources: ComponentResources) -> Result<ComponentRun, Ending> {
        let command = CommandPre::new(self.linked()?).map_err(|error| {
            Error::new(
                ErrorKind::MissingExport,
                format!("the component has no {}: {error:#}", World::Command.interface()),
            )
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|source| Error::io("cannot prepare waiting for streams and clocks", source))?;
        runtime.block_on(async {
            let streams = streams::Standard::new(resources, state::Place::ProcessOfItsOwn);
            let mut store = state::store(self.component.engine(), plan, &streams, state::Place::ProcessOfItsOwn)?;
            let network = Arc::clone(store.data().network().network());
            let result = network
                .until_over(async {
                    let command = command.instantiate_async(&mut store).await?;
                    command.wasi_cli_run().call_run(&mut store).await
                })
                .await;
            store.data().network().last_writes().await;
            let ended = match result {
                Ok(Ok(())) => Ok(()),
                Ok(Err(())) => Err(Ending::Exit(1)),
                Err(error) => Err(ending::of(error, &mut store)),
            };
            let mut run = ComponentRun::ended(ended);
            run.memory_pages = Some(state::memory_pages(&mut store));
            run.fuel = state::fuel_used(&store, plan);
            run.refusals = store.data().refusals();
            Ok(run)
        })
    }
}

impl WasmComponent for WasmtimeComponent {
    fn run(&self, plan: &RunPlan, resources: ComponentResources) -> ComponentRun {
        self.run_to_end(plan, resources).unwrap_or_else(|ending| ComponentRun::ended(Err(ending)))
    }

    fn serve(&self, plan: &RunPlan, resources: ComponentResources, server: ServerSetup) -> Result<()> {
        let proxy = ProxyPre::new(self.linked()?).map_err(|error| {
            let what = format!("the component has no {}: {error:#}", World::Proxy.interface());
            Error::new(ErrorKind::MissingExport, what)
        })?;
        server::serve(proxy, self.component.engine(), plan, resources, server)
    }
}
