//! The process that stays: it forks its zygote first of all, while it has one thread, and then answers containerd until it has no container.

use crate::artifact::Store;
use crate::oci::Config;
use crate::socket;
use crate::task::{Setup, TaskService};
use crate::words::sentence;
use crate::{command_line, errand};
use containerd_shim::protos::protobuf::{Message, well_known_types::any::Any};
use containerd_shim::protos::shim::oci::Options as RuncOptions;
use containerd_shim::protos::shim_async::create_task;
use containerd_shim::protos::ttrpc::r#async::{Server, transport::Listener};
use containerd_shim::publisher::RemotePublisher;
use containerd_shim::{ExitSignal, Flags, logger};
use futures::stream::{self, StreamExt};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use wasmrt_model::{EngineChoice, Error, Result};
use wasmrt_runtime::{CacheConfig, Embedder, EmbedderConfig};

/// What a shim says to the process that it is a copy of: that it answers, or that another one does.
pub(crate) const SERVING: &str = "serving\n";
pub(crate) const ELSEWHERE: &str = "elsewhere\n";

/// How long it takes containerd at most to connect to a shim that it knows of.
const MET_WITHIN: Duration = Duration::from_secs(10);

/// Where containerd takes events, as it says itself.
const EVENTS: &str = "TTRPC_ADDRESS";

/// How much of what happens is logged, unless containerd or RUST_LOG wants more.
const LOGGED: &str = "info";

/// A pod's shim.
pub(crate) struct Shim {
    pub(crate) engine: EngineChoice,
    /// Where its configuration is.
    pub(crate) config: Option<PathBuf>,
    /// Where it keeps artifacts.
    pub(crate) cache: CacheConfig,
    pub(crate) flags: Flags,
    /// What containerd passes on of its own configuration.
    pub(crate) options: Any,
    /// Where it answers.
    pub(crate) address: String,
}

/// Who answers, once somebody does. Nobody begins to while this is locked.
type Answering = Mutex<Option<(Handle, TaskService)>>;

impl Shim {
    /// Lives until its last container is gone; what is returned is its exit code. `known` has a byte once containerd has heard of it, and `says` hears
    /// either that it [answers](SERVING) or what keeps it from that.
    pub(crate) fn live(self, known: PipeReader, says: PipeWriter) -> i32 {
        let mut says = Some(says);
        let Err(error) = self.try_live(known, &mut says) else { return 0 };
        log::error!("{}", sentence(&error));
        tell(&mut says, &sentence(&error));
        1
    }

    fn try_live(&self, known: PipeReader, says: &mut Option<PipeWriter>) -> Result<()> {
        self.take_place()?;
        let zygote = self.zygote()?;
        let reactor = reactor()?;
        let answering = Arc::new(Answering::default());
        let watched = Arc::clone(&answering);
        let (met, meets) = channel();
        std::thread::spawn(move || end_if_unknown(known, &meets, &watched));
        reactor.block_on(self.answer(zygote, &answering, says, met))
    }

    /// A process group of its own, listed as a shim, in the control group that containerd has for shims, and a little more likely to be ended by the
    /// kernel than containerd. What a container leaves behind is left to it.
    fn take_place(&self) -> Result<()> {
        let alone = rustix::process::setpgid(None, None);
        alone.map_err(|errno| Error::io("cannot make a process group", errno.into()))?;
        let heir = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        heir.map_err(|errno| Error::io("cannot take over what containers leave", errno.into()))?;
        let Flags { namespace, id, address, .. } = &self.flags;
        let name = std::env::args_os().next().unwrap_or_default();
        let listed =
            [&name.to_string_lossy(), "-namespace", namespace, "-id", id, "-address", address].map(str::to_owned);
        command_line::show(&listed).map_err(|source| Error::io("cannot be listed as a shim", source))?;
        let options = RuncOptions::parse_from_bytes(&self.options.value).ok();
        let cgroup = options.filter(|_| self.options.type_url.contains("runc")).map(|options| options.shim_cgroup);
        let pid = std::process::id();
        if let Some(cgroup) = cgroup.filter(|cgroup| !cgroup.is_empty()) {
            containerd_shim::cgroup::add_task_to_cgroup(&cgroup, pid)
                .map_err(|error| crate::failure::with_causes("cannot put the shim into its control group", &error))?;
        }
        // Not everybody may, and it is better to live than not to.
        let _ = containerd_shim::cgroup::adjust_oom_score(pid);
        Ok(())
    }

    /// The process that makes containers.
    fn zygote(&self) -> Result<Embedder> {
        let mut embedder = EmbedderConfig::default();
        embedder.runtime.cache = self.cache.clone();
        embedder.worker =
            Some(std::env::current_exe().map_err(|source| Error::io("cannot find this program", source))?);
        embedder.warm = match self.engine {
            EngineChoice::Named(engine) => vec![engine],
            _ => Vec::new(),
        };
        // A shim that is killed before containerd has come to it is removed by nobody else.
        Embedder::forked(embedder, errand::carry_out, || socket::remove_stale(&self.address))
    }

    async fn answer(
        &self,
        zygote: Embedder,
        answering: &Answering,
        says: &mut Option<PipeWriter>,
        met: Sender<()>,
    ) -> Result<()> {
        let failed = |source| Error::io("cannot answer containerd", source);
        // To be asked to end is no reason to: containers would be left to nobody.
        let _asked = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
        let Flags { namespace, id, address, debug, .. } = &self.flags;
        logger::init(*debug, LOGGED, namespace, id)
            .map_err(|error| crate::failure::with_causes("cannot open the shim's log", &error))?;
        let events = std::env::var(EVENTS).unwrap_or_else(|_| format!("{address}.ttrpc"));
        let publisher = RemotePublisher::new(&events)
            .await
            .map_err(|error| crate::failure::with_causes("cannot tell containerd of events", &error))?;
        let setup = Setup {
            engine: self.engine,
            config: self.config.clone(),
            embedder: zygote,
            namespace: namespace.clone(),
            store: Store { address: address.into(), namespace: namespace.clone() },
        };
        let exit = Arc::<ExitSignal>::default();
        let service = TaskService::new(setup, publisher, Arc::clone(&exit));
        *answering.lock().unwrap_or_else(PoisonError::into_inner) = Some((Handle::current(), service.clone()));
        // As late as can be: nobody removes the socket of a shim that is killed before containerd knows of it.
        let Some(listener) = socket::listen(&self.address)? else {
            tell(says, ELSEWHERE);
            return Ok(());
        };
        listener.set_nonblocking(true).map_err(failed)?;
        let clients = stream::unfold(UnixListener::from_std(listener).map_err(failed)?, async |listener| {
            let client = listener.accept().await.map(|(client, _)| client);
            Some((client, listener))
        });
        let clients = clients.inspect(move |_| {
            // It may have heard enough.
            let _ = met.send(());
        });
        let mut server =
            Server::new().add_listener(Listener::new(clients)).register_service(create_task(Arc::new(service)));
        server.start().await.map_err(|error| failed(std::io::Error::other(error)))?;
        tell(says, SERVING);
        exit.wait().await;
        socket::remove(&self.address);
        server.shutdown().await.map_err(|error| failed(std::io::Error::other(error)))
    }
}

/// Says the one thing that is heard.
fn tell(says: &mut Option<PipeWriter>, what: &str) {
    if let Some(mut says) = says.take() {
        // Whoever listens may be gone, which is noticed elsewhere.
        let _ = says.write_all(what.as_bytes());
    }
}

/// Waits until whoever started this shim has told its address to containerd, and then until somebody comes. When that does not happen any more (it was
/// killed before, or after) the shim ends, unless it has a container. It may not answer yet, and never will: its log, a named pipe that nobody reads,
/// does not open.
fn end_if_unknown(mut known: PipeReader, meets: &Receiver<()>, answering: &Answering) {
    if known.read_exact(&mut [0]).is_ok() && meets.recv_timeout(MET_WITHIN).is_ok() {
        return;
    }
    let answering = answering.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((reactor, service)) = &*answering {
        reactor.spawn(service.clone().end_unless_used());
    } else {
        // Locked to the end: nobody has been answered, and nobody will be.
        std::process::exit(1);
    }
}

/// What waits for everything that a shim waits for.
pub(crate) fn reactor() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let built = builder.enable_all().max_blocking_threads(64).build();
    built.map_err(|source| Error::io("cannot start a reactor", source))
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
