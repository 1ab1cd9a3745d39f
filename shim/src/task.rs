//! containerd's task API.

use crate::artifact::{self, Store, Wanted};
use crate::background;
use crate::bundle::read_spec;
use crate::cgroup::{self, Cgroup};
use crate::container::{Container, INIT, OnDisk};
use crate::errand::{self, Kind, NewProcess, Order, RootfsMount};
use crate::events::{Events, ended_event, out_of_memory};
use crate::failure::{already_exists, not_found, precondition, status};
use crate::oom::{self, OomWatch};
use crate::options::RuntimeOptions;
use crate::process::{Added, Exit, Place, Process, Running, told};
use crate::stats;
use crate::stdio::{self, Named, Streams};
use async_trait::async_trait;
use containerd_shim::protos::api;
use containerd_shim::protos::events::task as events;
use containerd_shim::protos::protobuf::MessageField;
use containerd_shim::publisher::RemotePublisher;
use containerd_shim::{ExitSignal, Task, TtrpcContext, TtrpcResult};
use oci_spec::runtime::Process as OciProcess;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::RwLock;
use wasmrt_model::{EngineChoice, Error, ErrorKind, Result};
use wasmrt_runtime::Embedder;

/// How long it takes at most until the end of a process that was killed has been told.
const TOLD_WITHIN: Duration = Duration::from_secs(3);

/// What this shim is, from its name and its surroundings.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) engine: EngineChoice,
    pub(crate) config: Option<PathBuf>,
    pub(crate) embedder: Embedder,
    pub(crate) namespace: String,
    pub(crate) store: Store,
}

/// All containers of one pod.
#[derive(Clone)]
pub(crate) struct TaskService {
    setup: Setup,
    containers: Arc<Mutex<BTreeMap<String, Container>>>,
    /// Held while a container is made: who ends the shim waits for it.
    making: Arc<RwLock<()>>,
    events: Events,
    exit: Arc<ExitSignal>,
}

impl TaskService {
    pub(crate) fn new(setup: Setup, publisher: RemotePublisher, exit: Arc<ExitSignal>) -> Self {
        let events = Events::new(publisher, setup.namespace.clone());
        Self { setup, containers: Arc::default(), making: Arc::default(), events, exit }
    }

    fn containers(&self) -> MutexGuard<'_, BTreeMap<String, Container>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with a container that there is.
    fn with<T>(&self, id: &str, work: impl FnOnce(&mut Container) -> TtrpcResult<T>) -> TtrpcResult<T> {
        let mut containers = self.containers();
        work(containers.get_mut(id).ok_or_else(|| not_found(&format!("container {id}")))?)
    }

    fn with_process<T>(
        &self,
        id: &str,
        exec: &str,
        work: impl FnOnce(&mut Process) -> TtrpcResult<T>,
    ) -> TtrpcResult<T> {
        self.with(id, |container| {
            work(container.processes.get_mut(exec).ok_or_else(|| not_found(&format!("process {exec} of {id}")))?)
        })
    }

    async fn open(&self, named: &Named, id: &str) -> Result<Streams> {
        let (named, id, namespace) = (named.clone(), id.to_owned(), self.setup.namespace.clone());
        blocking(move || stdio::open(&named, &id, &namespace)).await
    }

    fn on_disk(&self, id: &str) -> TtrpcResult<OnDisk> {
        let bundle = self.with(id, |container| Ok(container.bundle.clone()))?;
        OnDisk::of(bundle, id).map_err(|error| status(&error))
    }

    /// Has a process made in a fork of the zygote, and takes it over.
    async fn make(
        &self,
        mut order: Order,
        place: Place,
        streams: Streams,
        start: Started,
    ) -> Result<(Running, Option<Arc<OomWatch>>)> {
        let service = self.clone();
        blocking(move || {
            let embedder = &service.setup.embedder;
            let Streams { ends, held } = streams;
            let parcel = order.parcel(ends)?;
            let mut made = match embedder.errand(&parcel, NewProcess::read) {
                Err(missed) if errand::misses_its_program(&missed) => {
                    let program = service.program_of_image(&order, missed)?;
                    embedder.errand(&order.parcel_with(program, parcel)?, NewProcess::read)?
                }
                made => {
                    drop(parcel);
                    made?
                }
            };
            if let Some(later) = made.later.take() {
                background::begin(later);
            }
            let oom = match start {
                Started::Created => OomWatch::of(made.pid).map(Arc::new),
                Started::Exec(_) => service.containers().get(&order.container).and_then(|one| one.oom.clone()),
            };
            let pid = made.pid;
            let (id, exec) = (order.container.clone(), start.exec_id());
            let (events, watch) = (service.events.clone(), oom.clone());
            let ended = move |exit: Exit| {
                if let Some(watch) = watch {
                    watch.look(|| events.publish(out_of_memory(&id)));
                }
                events.publish(ended_event(&id, &exec, pid, exit));
            };
            Ok((Running::watch(made, held, place, oom.clone(), ended)?, oom))
        })
        .await
    }

    /// The program that the container's image consists of, since it was missed among its files. Waits for containerd.
    fn program_of_image(&self, order: &Order, missed: Error) -> Result<OwnedFd> {
        let (program, own) = order.program_name()?;
        let wanted = Wanted { container: &order.container, program: &program, own };
        match tokio::runtime::Handle::current().block_on(artifact::find(&self.setup.store, wanted)) {
            Ok(program) => program.ok_or(missed),
            // Most images have files, and what is told of those is that one is missing.
            Err(error) if error.kind() == ErrorKind::Internal => {
                Err(missed.with_hint(format!("whether it is the image itself is not known: {error}")))
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the shim if it has no container, and none is being made.
    pub(crate) async fn end_unless_used(self) {
        let _made = self.making.write().await;
        self.end_if_empty();
    }

    fn end_if_empty(&self) {
        if self.containers().is_empty() {
            self.exit.signal();
        }
    }

    /// Tells of processes that the kernel ends for want of memory, while the container lives.
    fn watch_memory(&self, id: &str, watch: &Arc<OomWatch>) {
        let (id, events, watch) = (id.to_owned(), self.events.clone(), Arc::clone(watch));
        tokio::spawn(async move {
            let Ok(readable) = oom::readable(&watch) else { return };
            // Only this task and the container hold it: when the container is gone, nobody is told any more.
            while let Ok(mut guard) = readable.readable().await {
                if Arc::strong_count(&watch) <= 2 {
                    return;
                }
                watch.look(|| events.publish(out_of_memory(&id)));
                guard.clear_ready();
            }
        });
    }
}

/// What is being made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Started {
    Created,
    Exec(String),
}

impl Started {
    fn exec_id(&self) -> String {
        match self {
            Self::Created => String::new(),
            Self::Exec(id) => id.clone(),
        }
    }
}

/// Work that waits, beside the one thread that answers.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::new(ErrorKind::Internal, format!("the shim failed: {error}"))),
    }
}

#[async_trait]
impl Task for TaskService {
    async fn state(&self, _: &TtrpcContext, request: api::StateRequest) -> TtrpcResult<api::StateResponse> {
        let bundle = self.with(&request.id, |container| Ok(container.bundle.display().to_string()))?;
        self.with_process(&request.id, &request.exec_id, |process| {
            let (exit_status, exited_at) = told(process.exit());
            Ok(api::StateResponse {
                id: request.id.clone(),
                bundle,
                pid: process.pid(),
                status: process.status().into(),
                stdin: process.named.stdin.clone(),
                stdout: process.named.stdout.clone(),
                stderr: process.named.stderr.clone(),
                terminal: process.named.terminal,
                exit_status,
                exited_at,
                exec_id: request.exec_id.clone(),
                ..api::StateResponse::default()
            })
        })
    }

    async fn create(&self, _: &TtrpcContext, request: api::CreateTaskRequest) -> TtrpcResult<api::CreateTaskResponse> {
        let making = self.making.read().await;
        if !request.checkpoint.is_empty() {
            return Err(status(&Error::new(ErrorKind::Unsupported, "containers cannot be restored from checkpoints")));
        }
        if self.containers().contains_key(&request.id) {
            return Err(already_exists(&format!("container {}", request.id)));
        }
        let options = RuntimeOptions::read(request.options.as_ref()).map_err(|error| status(&error))?;
        let bundle = PathBuf::from(&request.bundle);
        let on_disk = OnDisk::of(bundle.clone(), &request.id).map_err(|error| status(&error))?;
        let spec = read_spec(&bundle).map_err(|error| status(&error))?;
        cgroup::check(&spec, options.systemd_cgroup).map_err(|error| status(&error))?;
        let cgroup = Cgroup::of(&spec, &request.id);
        let named = Named {
            terminal: request.terminal,
            stdin: request.stdin.clone(),
            stdout: request.stdout.clone(),
            stderr: request.stderr.clone(),
        };
        let mounts = request.rootfs.iter().map(|mount| RootfsMount {
            kind: mount.type_.clone(),
            source: mount.source.clone(),
            options: mount.options.clone(),
        });
        let order = Order {
            container: request.id.clone(),
            bundle: bundle.clone(),
            engine: self.setup.engine,
            config: options.config_path.or_else(|| self.setup.config.clone()),
            terminal: request.terminal,
            program: false,
            kind: Kind::Init { mounts: mounts.collect() },
        };
        let mut process = Process::new(named);
        let place = process.place().ok_or_else(|| Error::new(ErrorKind::Internal, "a new process has no place"));
        let made = match (self.open(&process.named, &request.id).await, place) {
            (Ok(streams), Ok(place)) => self.make(order, place, streams, Started::Created).await,
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        let (running, oom) = match made {
            Ok(made) => made,
            Err(error) => {
                // What could not be made is what is told.
                let _ = blocking(move || on_disk.remove(Some(&cgroup))).await;
                drop(making);
                self.reap_strangers().await;
                return Err(status(&error));
            }
        };
        if let Some(watch) = &oom {
            self.watch_memory(&request.id, watch);
        }
        process.running = Some(running);
        let pid = process.pid();
        let processes = BTreeMap::from([(INIT.to_owned(), process)]);
        self.containers().insert(request.id.clone(), Container { bundle, cgroup, processes, oom });
        self.events.publish(events::TaskCreate {
            container_id: request.id.clone(),
            bundle: request.bundle.clone(),
            rootfs: request.rootfs.clone(),
            io: MessageField::some(events::TaskIO {
                stdin: request.stdin,
                stdout: request.stdout,
                stderr: request.stderr,
                terminal: request.terminal,
                ..events::TaskIO::default()
            }),
            pid,
            ..events::TaskCreate::default()
        });
        Ok(api::CreateTaskResponse { pid, ..api::CreateTaskResponse::default() })
    }

    async fn start(&self, _: &TtrpcContext, request: api::StartRequest) -> TtrpcResult<api::StartResponse> {
        let on_disk = self.on_disk(&request.id)?;
        let pid = if request.exec_id.is_empty() {
            self.start_init(&request.id, on_disk).await?
        } else {
            self.start_exec(&request.id, &request.exec_id, on_disk).await?
        };
        Ok(api::StartResponse { pid, ..api::StartResponse::default() })
    }

    async fn delete(&self, _: &TtrpcContext, request: api::DeleteRequest) -> TtrpcResult<api::DeleteResponse> {
        let (pid, (exit_status, exited_at)) = self.with_process(&request.id, &request.exec_id, |process| {
            let exit = process.exit();
            if exit.is_none() && process.running.is_some() {
                return Err(precondition(format!("{} {} has not ended", request.id, request.exec_id)));
            }
            Ok((process.pid(), told(exit)))
        })?;
        if request.exec_id.is_empty() {
            self.remove(&request.id).await?;
            self.events.publish(events::TaskDelete {
                container_id: request.id.clone(),
                pid,
                exit_status,
                exited_at: exited_at.clone(),
                ..events::TaskDelete::default()
            });
        } else {
            self.with(&request.id, |container| Ok(container.processes.remove(&request.exec_id)))?;
        }
        Ok(api::DeleteResponse { pid, exit_status, exited_at, ..api::DeleteResponse::default() })
    }

    async fn pids(&self, _: &TtrpcContext, request: api::PidsRequest) -> TtrpcResult<api::PidsResponse> {
        let cgroup = self.with(&request.id, |container| Ok(container.cgroup.clone()))?;
        let pids = blocking(move || cgroup.processes()).await.map_err(|error| status(&error))?;
        let processes = pids
            .into_iter()
            .map(|pid| api::ProcessInfo { pid: pid.unsigned_abs(), ..api::ProcessInfo::default() })
            .collect();
        Ok(api::PidsResponse { processes, ..api::PidsResponse::default() })
    }

    async fn pause(&self, _: &TtrpcContext, request: api::PauseRequest) -> TtrpcResult<api::Empty> {
        self.set_paused(&request.id, true).await?;
        let container_id = request.id;
        self.events.publish(events::TaskPaused { container_id, ..events::TaskPaused::default() });
        Ok(api::Empty::default())
    }

    async fn resume(&self, _: &TtrpcContext, request: api::ResumeRequest) -> TtrpcResult<api::Empty> {
        self.set_paused(&request.id, false).await?;
        let container_id = request.id;
        self.events.publish(events::TaskResumed { container_id, ..events::TaskResumed::default() });
        Ok(api::Empty::default())
    }

    async fn checkpoint(&self, _: &TtrpcContext, _: api::CheckpointTaskRequest) -> TtrpcResult<api::Empty> {
        Err(status(&Error::new(ErrorKind::Unsupported, "checkpoints cannot be made: a guest's state is its engine's")))
    }

    async fn kill(&self, _: &TtrpcContext, request: api::KillRequest) -> TtrpcResult<api::Empty> {
        let signal = i32::try_from(request.signal)
            .map_err(|_| status(&Error::new(ErrorKind::InvalidInput, format!("{} is no signal", request.signal))))?;
        let cgroup = self.with(&request.id, |container| Ok(container.cgroup.clone()))?;
        let (reached, ends) = self.with_process(&request.id, &request.exec_id, |process| {
            let running = process.running.as_ref();
            Ok((running.is_some_and(|running| running.signal(signal)), running.is_some_and(|one| one.ends_at(signal))))
        })?;
        let paused = self.with_process(&request.id, INIT, |process| {
            let paused = process.paused;
            process.paused = paused && !ends;
            Ok(paused)
        })?;
        if paused && ends {
            // What is frozen does not even end.
            let cgroup = cgroup.clone();
            blocking(move || cgroup.thaw()).await.map_err(|error| status(&error))?;
        }
        if request.all {
            self.signal_others(&request.id, signal, cgroup).await?;
        } else if !reached {
            return Err(not_found("process already finished"));
        }
        Ok(api::Empty::default())
    }

    async fn exec(&self, _: &TtrpcContext, request: api::ExecProcessRequest) -> TtrpcResult<api::Empty> {
        let spec = request.spec.as_ref().map(|spec| spec.value.as_slice()).unwrap_or_default();
        let process: OciProcess = serde_json::from_slice(spec).map_err(|source| {
            status(&Error::new(ErrorKind::InvalidInput, "this is no process to be executed").with_source(source))
        })?;
        let named = Named {
            terminal: request.terminal,
            stdin: request.stdin.clone(),
            stdout: request.stdout.clone(),
            stderr: request.stderr.clone(),
        };
        let streams = self.open(&named, &request.id).await.map_err(|error| status(&error))?;
        self.with(&request.id, |container| {
            if container.processes.contains_key(&request.exec_id) {
                return Err(precondition(format!("process {} exists already", request.exec_id)));
            }
            let mut added = Process::new(named);
            added.added = Some(Added { process: Box::new(process), streams });
            container.processes.insert(request.exec_id.clone(), added);
            Ok(())
        })?;
        let (container_id, exec_id) = (request.id, request.exec_id);
        self.events.publish(events::TaskExecAdded { container_id, exec_id, ..events::TaskExecAdded::default() });
        Ok(api::Empty::default())
    }

    async fn resize_pty(&self, _: &TtrpcContext, request: api::ResizePtyRequest) -> TtrpcResult<api::Empty> {
        self.with_process(&request.id, &request.exec_id, |process| {
            let io = process.io();
            let Some(terminal) = &io.terminal else { return Ok(()) };
            let (columns, rows) = (u16::try_from(request.width), u16::try_from(request.height));
            let (columns, rows) = (columns.unwrap_or(u16::MAX), rows.unwrap_or(u16::MAX));
            terminal.resize(columns, rows).map_err(|error| status(&error))
        })?;
        Ok(api::Empty::default())
    }

    async fn close_io(&self, _: &TtrpcContext, request: api::CloseIORequest) -> TtrpcResult<api::Empty> {
        self.with_process(&request.id, &request.exec_id, |process| {
            let mut io = process.io();
            io.held.stdin = None;
            if let Some(terminal) = &mut io.terminal {
                terminal.stdin = None;
            }
            Ok(())
        })?;
        Ok(api::Empty::default())
    }

    async fn update(&self, _: &TtrpcContext, request: api::UpdateTaskRequest) -> TtrpcResult<api::Empty> {
        let cgroup = self.with(&request.id, |container| Ok(container.cgroup.clone()))?;
        let resources = request.resources.into_option().unwrap_or_default();
        blocking(move || cgroup.update(&resources)).await.map_err(|error| status(&error))?;
        Ok(api::Empty::default())
    }

    async fn wait(&self, _: &TtrpcContext, request: api::WaitRequest) -> TtrpcResult<api::WaitResponse> {
        let mut exits = self.with_process(&request.id, &request.exec_id, |process| Ok(process.exits()))?;
        let exit = exits.wait_for(Option::is_some).await.map_err(|_| not_found("the process was removed"))?;
        let (exit_status, exited_at) = told(*exit);
        Ok(api::WaitResponse { exit_status, exited_at, ..api::WaitResponse::default() })
    }

    async fn stats(&self, _: &TtrpcContext, request: api::StatsRequest) -> TtrpcResult<api::StatsResponse> {
        let cgroup = self.with(&request.id, |container| Ok(container.cgroup.clone()))?;
        let stats = blocking(move || stats::of(&cgroup)).await.map_err(|error| status(&error))?;
        Ok(api::StatsResponse { stats: MessageField::some(stats), ..api::StatsResponse::default() })
    }

    async fn connect(&self, _: &TtrpcContext, request: api::ConnectRequest) -> TtrpcResult<api::ConnectResponse> {
        let task_pid = self.with_process(&request.id, INIT, |process| Ok(process.pid()))?;
        Ok(api::ConnectResponse {
            shim_pid: std::process::id(),
            task_pid,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..api::ConnectResponse::default()
        })
    }

    async fn shutdown(&self, _: &TtrpcContext, request: api::ShutdownRequest) -> TtrpcResult<api::Empty> {
        if request.now {
            // Nobody but our own clean-up wants it so: this container is to go, however far it is.
            let _made = self.making.write().await;
            if self.containers().contains_key(&request.id) {
                self.remove(&request.id).await?;
            }
        }
        self.end_if_empty();
        Ok(api::Empty::default())
    }
}

impl TaskService {
    /// What was left to this process and belongs to no container that it knows: parts of one that could not be made. Unless somebody hears of their
    /// end, the namespaces that they are in never end.
    async fn reap_strangers(&self) {
        // A process that is being made is no stranger.
        let _made = self.making.write().await;
        let mut known = background::processes();
        known.extend(self.setup.embedder.status().worker.map(u32::cast_signed));
        for container in self.containers().values() {
            known
                .extend(container.processes.values().filter_map(|process| process.running.as_ref()).map(|one| one.pid));
        }
        // Failing means that there are none.
        let _ = blocking(move || {
            crate::process::reap_all_but(&known);
            Ok(())
        })
        .await;
    }

    async fn set_paused(&self, id: &str, paused: bool) -> TtrpcResult<()> {
        let on_disk = self.on_disk(id)?;
        blocking(move || on_disk.set_paused(paused)).await.map_err(|error| status(&error))?;
        self.with_process(id, INIT, |process| {
            process.paused = paused;
            Ok(())
        })
    }

    async fn start_init(&self, id: &str, on_disk: OnDisk) -> TtrpcResult<u32> {
        let pid = self.with_process(id, INIT, |process| {
            if process.started {
                return Err(precondition(format!("container {id} was started before")));
            }
            if process.exit().is_some() {
                return Err(precondition(format!("container {id} has ended before it was started")));
            }
            process.started = true;
            if let Some(running) = &process.running {
                running.begin();
            }
            // Before anything that may come of it.
            let started = events::TaskStart { container_id: id.to_owned(), pid: process.pid(), ..Default::default() };
            self.events.publish(started);
            Ok(process.pid())
        })?;
        blocking(move || on_disk.start()).await.map_err(|error| status(&error))?;
        Ok(pid)
    }

    async fn start_exec(&self, id: &str, exec: &str, on_disk: OnDisk) -> TtrpcResult<u32> {
        let (terminal, place, Added { process, streams }) = self.with_process(id, exec, |process| {
            let added = process.added.take().zip(process.place());
            let (added, place) = added.ok_or_else(|| precondition(format!("process {exec} was started before")))?;
            Ok((process.named.terminal, place, added))
        })?;
        let init = self.with_process(id, INIT, |process| Ok(process.pid()))?;
        let file = on_disk.bundle().join(format!("exec-{exec}.json"));
        let written = serde_json::to_vec(&process).map_err(std::io::Error::from);
        let written = written.and_then(|json| std::fs::write(&file, json));
        written.map_err(|source| status(&Error::io("cannot pass the process on", source)))?;
        let order = Order {
            container: id.to_owned(),
            bundle: on_disk.bundle().to_owned(),
            engine: self.setup.engine,
            config: self.setup.config.clone(),
            terminal,
            program: false,
            kind: Kind::Exec { process, file: file.clone(), init },
        };
        let made = self.make(order, place, streams, Started::Exec(exec.to_owned())).await;
        let _ = std::fs::remove_file(file);
        let (running, _) = made.map_err(|error| status(&error))?;
        running.begin();
        let pid = running.pid.unsigned_abs();
        self.with_process(id, exec, |process| {
            process.running = Some(running);
            process.started = true;
            Ok(())
        })?;
        let (container_id, exec_id) = (id.to_owned(), exec.to_owned());
        self.events.publish(events::TaskExecStarted { container_id, exec_id, pid, ..Default::default() });
        Ok(pid)
    }

    /// Removes a container, whatever it does. Who waits for one of its processes hears of that one's end: a shim without containers goes.
    async fn remove(&self, id: &str) -> TtrpcResult<()> {
        let on_disk = self.on_disk(id)?;
        let (cgroup, exits) = self.with(id, |container| {
            let made = container.processes.values().filter(|process| process.running.is_some());
            Ok((container.cgroup.clone(), made.map(Process::exits).collect::<Vec<_>>()))
        })?;
        blocking(move || on_disk.remove(Some(&cgroup))).await.map_err(|error| status(&error))?;
        let told = async {
            for mut exit in exits {
                // A thread that is gone tells nobody.
                let _ = exit.wait_for(Option::is_some).await;
            }
        };
        let _ = tokio::time::timeout(TOLD_WITHIN, told).await;
        self.containers().remove(id);
        Ok(())
    }

    /// Every process of the container that is not one of those that were asked for by name.
    async fn signal_others(&self, id: &str, signal: i32, cgroup: Cgroup) -> TtrpcResult<()> {
        let named: Vec<i32> = self.with(id, |container| {
            let running: Vec<_> = container.processes.values().filter_map(|process| process.running.as_ref()).collect();
            for running in &running {
                running.signal(signal);
            }
            Ok(running.iter().map(|running| running.pid).collect())
        })?;
        let others = blocking(move || cgroup.processes()).await.unwrap_or_default();
        for pid in others.into_iter().filter(|pid| !named.contains(pid)) {
            crate::signal::send_unnamed(pid, signal);
        }
        Ok(())
    }
}
