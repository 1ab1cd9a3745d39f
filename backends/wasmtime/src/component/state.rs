//! A component's store: WASI as the plan says, and what bounds it.

use super::files::QuotaView;
use super::http::Requests;
use super::network::{self, GuestNetwork};
use super::quota::{Bytes, OpenFiles};
use super::sockets::SocketsView;
use super::streams::Standard;
use super::sums::Sums;
use std::sync::Arc;
use wasmrt_backend::PAGE_BYTES;
use wasmrt_host::{FixedRandom, KernelFiles, Refusals};
use wasmrt_model::{Access, Error, ErrorKind, Preopen, Random, Result, RunPlan};
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// What a guest may hold of the host at a time, beside files: streams, pollables, requests. One more is a trap.
const MOST_RESOURCES: usize = 16 << 10;

/// Whose time a call takes that the operating system makes wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The only thread's: the process is the guest's, and no other is ever started.
    ProcessOfItsOwn,
    /// That of threads for it, since other guests want to go on.
    Server,
}

/// What a component's store carries.
pub(super) struct State {
    ctx: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    network: GuestNetwork,
    requests: Requests,
    pub(super) sums: Sums,
    written: Arc<Bytes>,
    open: Arc<OpenFiles>,
    regular_files_only: bool,
    kernel_files: KernelFiles,
    refusals: Refusals,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.requests, table: &mut self.table, ctx: &mut self.http }
    }
}

impl State {
    /// The file system with its quotas.
    pub(super) fn files(&mut self) -> QuotaView<'_> {
        let (written, open, refusals) = (Arc::clone(&self.written), &self.open, &self.refusals);
        let inner = WasiFilesystemCtxView { ctx: self.ctx.filesystem(), table: &mut self.table };
        let kernel_files = &self.kernel_files;
        QuotaView { inner, written, open, regular_files_only: self.regular_files_only, kernel_files, refusals }
    }

    /// The sockets.
    pub(super) fn sockets(&mut self) -> SocketsView<'_> {
        SocketsView { table: &mut self.table, network: self.network.network() }
    }

    /// What sockets and requests have in common.
    pub(super) fn network(&self) -> &GuestNetwork {
        &self.network
    }

    /// What was refused.
    pub(super) fn refusals(&self) -> Vec<String> {
        self.refusals.lines()
    }
}

/// A store for one guest.
pub(super) fn store(engine: &Engine, plan: &RunPlan, streams: &Standard, place: Place) -> Result<Store<State>> {
    let inline = place == Place::ProcessOfItsOwn;
    let mut builder = WasiCtx::builder();
    builder.allow_blocking_current_thread(inline).args(plan.args()).envs(plan.env());
    streams.apply(&mut builder, plan);
    network::apply(&mut builder);
    match *plan.random() {
        Random::Real => {}
        Random::Fixed { seed } => {
            builder.secure_random(FixedRandom::new(seed)).insecure_random(FixedRandom::new(seed));
            builder.insecure_random_seed(u128::from(seed));
        }
        other => {
            return Err(Error::new(ErrorKind::Unsupported, format!("components do not know the randomness {other:?}")));
        }
    }
    for preopen in plan.preopens() {
        open(preopen, &mut builder)?;
    }
    let mut table = ResourceTable::new();
    table.set_max_capacity(MOST_RESOURCES);
    let usage = streams.usage();
    let (open, refusals) = (Arc::new(OpenFiles::new(plan)), Refusals::default());
    let network = streams.network(plan, &open, refusals.clone());
    let state = State {
        ctx: builder.build(),
        table,
        http: WasiHttpCtx::new(),
        requests: Requests::new(Arc::clone(network.network()), Arc::clone(streams.trust())),
        network,
        sums: Sums::new(plan, Arc::clone(usage)),
        written: Arc::new(Bytes::files(plan, Arc::clone(usage))),
        open,
        regular_files_only: !inline,
        kernel_files: streams.kernel_files().clone(),
        refusals,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.sums);
    if let Some(fuel) = plan.limits().fuel.bound() {
        store.set_fuel(fuel.0).map_err(|source| {
            Error::new(ErrorKind::Internal, "the component's code does not count fuel").with_source(source)
        })?;
    }
    Ok(store)
}

fn open(preopen: &Preopen, builder: &mut wasmtime_wasi::WasiCtxBuilder) -> Result<()> {
    let permissions = match preopen.access {
        Access::ReadOnly => FsPerms::ReadOnly,
        Access::ReadWrite => FsPerms::ReadWrite,
    };
    builder.preopened_dir(&preopen.host, &preopen.guest, permissions).map(drop).map_err(|error| {
        let what = format!("cannot give '{}' to the guest as '{}'", preopen.host.display(), preopen.guest);
        match error.downcast::<std::io::Error>() {
            Ok(source) => Error::io(what, source),
            Err(error) => Error::new(ErrorKind::Internal, what).with_source(error),
        }
        .with_operation("open preopen")
    })
}

/// Pages of all memories; the heap of objects, which is bounded with them, is none.
pub(super) fn memory_pages(store: &mut Store<State>) -> u64 {
    let heap = u64::try_from(store.gc_heap_capacity()).unwrap_or(u64::MAX);
    store.data().sums.bytes().saturating_sub(heap).div_ceil(PAGE_BYTES)
}

/// Fuel that was used, where it is counted.
pub(super) fn fuel_used(store: &Store<State>, plan: &RunPlan) -> Option<u64> {
    let given = plan.limits().fuel.bound()?.0;
    store.get_fuel().ok().map(|left| given.saturating_sub(left))
}
