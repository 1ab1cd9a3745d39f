//! The shim as a program: what containerd calls it for, and how it becomes the process that stays.

use crate::artifact::Store;
use crate::container::OnDisk;
use crate::errand;
use crate::oci::{self, Config};
use crate::options::RuntimeOptions;
use crate::task::{Setup, TaskService};
use crate::words::sentence;
use async_trait::async_trait;
use containerd_shim::protos::api::{self, DeleteResponse};
use containerd_shim::protos::protobuf::{Message, well_known_types::any::Any};
use containerd_shim::protos::shim::oci::Options as RuncOptions;
use containerd_shim::protos::shim_async::{Client, TaskClient};
use containerd_shim::publisher::RemotePublisher;
use containerd_shim::{Config as ShimConfig, Error as ShimError, ExitSignal, Flags, Shim, StartOpts};
use oci_spec::runtime::Spec;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use wasmrt_model::{EngineChoice, Error, ErrorKind, Result};
use wasmrt_runtime::{CacheConfig, Embedder, EmbedderConfig};

/// What a pod's containers have in common, by the names that CRI implementations give it.
const POD: [&str; 2] = ["io.kubernetes.cri.sandbox-id", "io.containerd.runc.v2.group"];

/// How the process that stays hears where its configuration is.
const CONFIG_VARIABLE: &str = "WASMRT_SHIM_CONFIG";

/// A process that was killed this way was killed by us.
const KILLED: u32 = 137;

/// How long a shim may take to let go of a container.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

/// What is made before there are threads.
static SETUP: OnceLock<Setup> = OnceLock::new();

/// Who serves, once somebody does. Nobody begins to while this is locked.
static SERVING: Mutex<Option<(Handle, TaskService)>> = Mutex::new(None);

/// Does what containerd wants.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    let name = arguments.first().map(|name| Path::new(name).file_name().unwrap_or(name).to_os_string());
    let name = name.unwrap_or_default();
    match try_run(arguments, name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasmrt: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

fn try_run(arguments: &[OsString], name: OsString) -> Result<()> {
    let engine = oci::engine_of_binary(&name)?;
    let flags = containerd_shim::parse(arguments.get(1..).unwrap_or_default())
        .map_err(|error| Error::new(ErrorKind::InvalidInput, error.to_string()))?;
    if flags.action == "start" {
        let started = start(&name, &flags)?;
        return match tell(&started.address) {
            Ok(()) => started.confirm(),
            Err(error) => {
                started.undo();
                Err(error)
            }
        };
    }
    if flags.action == "delete" {
        return reactor()?.block_on(delete(&flags));
    }
    let config = std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from);
    let embedder = if flags.action.is_empty() { Some(become_shim(engine, config.as_deref())?) } else { None };
    let store = Store { address: flags.address.into(), namespace: flags.namespace.clone() };
    let setup = Setup { engine, config, embedder, namespace: flags.namespace, socket: flags.socket, store };
    if SETUP.set(setup).is_err() {
        return Err(Error::new(ErrorKind::Internal, "this program was set up twice"));
    }
    let runtime = reactor()?;
    std::thread::spawn(end_if_unknown);
    let config = ShimConfig { no_reaper: true, ..ShimConfig::default() };
    runtime.block_on(containerd_shim::run::<Service>("io.containerd.wasmrt.v1", Some(config)));
    Ok(())
}

/// Waits until whoever started this shim has told its address to containerd. When that does not come any more the shim ends, unless somebody else
/// knows of it. It may not serve yet, and never will: its log, a named pipe that nobody reads, does not open.
fn end_if_unknown() {
    if std::io::stdin().read_exact(&mut [0]).is_ok() {
        return;
    }
    let serving = SERVING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((reactor, service)) = &*serving {
        reactor.spawn(service.clone().end_unless_used());
    } else {
        // Locked to the end: there is no socket, and there will be none.
        std::process::exit(1);
    }
}

fn remove_socket(address: &str) {
    // It may not be there yet, or any more.
    let _ = std::fs::remove_file(socket_of(address));
}

/// The file of an address.
fn socket_of(address: &str) -> &str {
    address.strip_prefix("unix://").unwrap_or(address)
}

fn reactor() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let built = builder.enable_all().max_blocking_threads(64).build();
    built.map_err(|source| Error::io("cannot start a reactor", source))
}

/// While there is one thread: the process that makes containers.
fn become_shim(engine: EngineChoice, config: Option<&Path>) -> Result<Embedder> {
    let mut embedder = EmbedderConfig::default();
    embedder.runtime.cache = cache(engine, config)?;
    embedder.worker = Some(std::env::current_exe().map_err(|source| Error::io("cannot find this program", source))?);
    embedder.warm = match engine {
        EngineChoice::Named(engine) => vec![engine],
        _ => Vec::new(),
    };
    Embedder::forked(embedder, errand::carry_out)
}

/// Where a shim for this engine keeps artifacts.
///
/// # Errors
/// Those of the configuration.
pub(crate) fn cache(engine: EngineChoice, config: Option<&Path>) -> Result<CacheConfig> {
    let settings = Config::load(config)?.settings(engine);
    let mut cache = CacheConfig::in_directory(settings.cache);
    if let Some(bytes) = settings.cache_max_bytes {
        cache.max_bytes = bytes.0;
    }
    Ok(cache)
}

/// What the crate that speaks to containerd calls.
struct Service {
    exit: Arc<ExitSignal>,
}

#[async_trait]
impl Shim for Service {
    type T = TaskService;

    async fn new(_: &str, _: &Flags, _: &mut ShimConfig) -> Self {
        Self { exit: Arc::default() }
    }

    /// What is over at once is done before this is asked.
    async fn start_shim(&mut self, _: StartOpts) -> Result<String, ShimError> {
        Err(ShimError::Unimplemented("start".to_owned()))
    }

    async fn delete_shim(&mut self) -> Result<DeleteResponse, ShimError> {
        Err(ShimError::Unimplemented("delete".to_owned()))
    }

    async fn wait(&mut self) {
        self.exit.wait().await;
        // The bundle of the first container, where the crate looks for the socket's name, may be gone.
        if let Some(setup) = SETUP.get() {
            remove_socket(&setup.socket);
        }
    }

    async fn create_task_service(&self, publisher: RemotePublisher) -> TaskService {
        let setup = SETUP.get().cloned().unwrap_or_default();
        let service = TaskService::new(setup, publisher, Arc::clone(&self.exit));
        *SERVING.lock().unwrap_or_else(PoisonError::into_inner) = Some((Handle::current(), service.clone()));
        service
    }
}

/// Removes a container whose shim may be dead, and tells containerd how it ended.
async fn delete(flags: &Flags) -> Result<()> {
    let bundle = std::env::current_dir().map_err(|source| Error::io("cannot find the bundle", source))?;
    let on_disk = OnDisk::of(bundle, &flags.id)?;
    let exit = crate::process::Exit { status: KILLED, at: SystemTime::now() };
    end_shim(&on_disk).await;
    on_disk.remove_rest()?;
    let mut response = DeleteResponse::new();
    response.set_exit_status(exit.status);
    response.set_exited_at(exit.timestamp());
    let told = response.write_to_bytes().map_err(std::io::Error::other);
    told.and_then(|bytes| std::io::stdout().write_all(&bytes))
        .map_err(|source| Error::io("cannot tell how the container ended", source))
}

/// A shim that lives still lets go of the container; one that has no others ends. Of one that is dead, the socket is removed.
async fn end_shim(on_disk: &OnDisk) {
    let Ok(address) = std::fs::read_to_string(on_disk.bundle().join("address")) else { return };
    let let_go = async {
        let client = Client::connect(&address).await.ok()?;
        let request =
            api::ShutdownRequest { id: on_disk.id().to_owned(), now: true, ..api::ShutdownRequest::default() };
        let context = containerd_shim::Context::default();
        TaskClient::new(client).shutdown(context, &request).await.ok()
    };
    let heard = tokio::time::timeout(ENDED_WITHIN, let_go).await.ok().flatten();
    if heard.is_none()
        && UnixStream::connect(socket_of(&address))
            .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    {
        remove_socket(&address);
    }
}

/// A pod's shim.
struct Started {
    address: String,
    /// None when it was there already.
    child: Option<Child>,
}

impl Started {
    /// Lets the shim know that it is known. One that never hears of it ends by itself.
    fn confirm(self) -> Result<()> {
        let Some(mut stdin) = self.child.and_then(|child| child.stdin) else { return Ok(()) };
        stdin.write_all(b"\n").map_err(|source| Error::io("the shim ended at once", source))
    }

    /// Ends a shim that nobody knows of.
    fn undo(mut self) {
        if let Some(child) = &mut self.child {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
            remove_socket(&self.address);
        }
    }
}

fn tell(address: &str) -> Result<()> {
    let mut stdout = std::io::stdout();
    stdout
        .write_all(address.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|source| Error::io("cannot tell the shim's address", source))
}

/// Finds the pod's shim, or starts it. Its address is what containerd wants to know.
fn start(name: &OsStr, options: &Flags) -> Result<Started> {
    let failed = |source| Error::io("cannot start the shim", source);
    let mut given = Vec::new();
    std::io::stdin().read_to_end(&mut given).map_err(failed)?;
    let given = Any::parse_from_bytes(&given).map_err(|source| {
        Error::new(ErrorKind::InvalidInput, "containerd's options cannot be read").with_source(source)
    })?;
    let runtime_options = RuntimeOptions::read(Some(&given))?;
    // What is wrong with it is told here: where it is used nobody would see it.
    Config::load(runtime_options.config_path.as_deref())?;
    let bundle = std::env::current_dir().map_err(failed)?;
    let group = group_of(&bundle).unwrap_or_else(|| options.id.clone());
    let address = containerd_shim::socket_address(&options.address, &options.namespace, &group);
    write_address(&bundle, &address)?;
    if answers(&address) {
        return Ok(Started { address, child: None });
    }
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg0(name).current_dir(&bundle).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.args([
        "-namespace",
        &options.namespace,
        "-id",
        &options.id,
        "-address",
        &options.address,
        "-socket",
        &address,
    ]);
    if options.debug {
        command.arg("-debug");
    }
    if let Some(path) = &runtime_options.config_path {
        command.env(CONFIG_VARIABLE, path);
    }
    let mut child = command.spawn().map_err(failed)?;
    let placed = place(child.id(), &given);
    // It closes its end once it serves, and also when it ends before.
    if let Some(mut output) = child.stdout.take() {
        output.read_to_end(&mut Vec::new()).map_err(failed)?;
    }
    let ended = child.try_wait().map_err(failed)?;
    let started = Started { address, child: Some(child) };
    match (placed, ended) {
        (Ok(()), None) => Ok(started),
        (Err(error), _) => {
            started.undo();
            Err(error)
        }
        // Another one was quicker.
        (Ok(()), Some(status)) if status.success() && answers(&started.address) => {
            Ok(Started { child: None, ..started })
        }
        (Ok(()), Some(status)) => Err(Error::new(ErrorKind::Internal, format!("the shim ended at once: {status}"))
            .with_hint("containerd's log has what it said")),
    }
}

/// Into the control group that containerd has for shims, and a little more likely to be ended by the kernel than containerd.
fn place(pid: u32, options: &Any) -> Result<()> {
    let cgroup = RuncOptions::parse_from_bytes(&options.value).ok().map(|options| options.shim_cgroup);
    if let Some(cgroup) = cgroup.filter(|cgroup| !cgroup.is_empty() && options.type_url.contains("runc")) {
        containerd_shim::cgroup::add_task_to_cgroup(&cgroup, pid)
            .map_err(|error| crate::failure::with_causes("cannot put the shim into its control group", &error))?;
    }
    if let Err(error) = containerd_shim::cgroup::adjust_oom_score(pid) {
        log::warn!("cannot set the shim's OOM score: {error}");
    }
    Ok(())
}

fn group_of(bundle: &Path) -> Option<String> {
    let spec = Spec::load(bundle.join("config.json")).ok()?;
    let annotations = spec.annotations().as_ref()?;
    POD.iter().find_map(|name| annotations.get(*name)).cloned()
}

/// Where whoever cleans up looks for it.
fn write_address(bundle: &Path, address: &str) -> Result<()> {
    std::fs::write(bundle.join("address"), address)
        .map_err(|source| Error::io("cannot write down the shim's address", source))
}

fn answers(address: &str) -> bool {
    UnixStream::connect(socket_of(address)).is_ok()
}
