//! The one place where a component's wish to reach something is asked about. Without rules everything is refused.
//!
//! Rules are kept by the process that opens sockets ([`Opener`]); what it has opened is used by `sockets` and `http`. Here lies what both
//! share for one guest: how many sockets it has, how much goes over them, and what was refused.

mod opener;
mod traffic;

use super::ending::Reached;
use super::quota::{OpenFiles, OpenSockets, Place};
use super::watched::Watched;
use futures::future::{Either, select};
use opener::Opener;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::task::JoinSet;
use traffic::Traffic;
use wasmrt_host::Refusals;
use wasmrt_host::network::{DatagramId, Failure, Network as _, resolved};
use wasmrt_model::component::UsageCounter;
use wasmrt_model::network::{Listener, Protocol};
use wasmrt_model::units::Count;
use wasmrt_model::{Limit, RunPlan};
use wasmtime_wasi::WasiCtxBuilder;

/// How long bytes are still handed to the system that a guest has written before it ended.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Closes wasmtime-wasi's own way to the network, in whose place others are put: no address passes, and no name is looked up.
pub(super) fn apply(builder: &mut WasiCtxBuilder) {
    builder
        .socket_addr_check(|_, _| Box::pin(async { false }))
        .allow_ip_name_lookup(false)
        .allow_tcp(false)
        .allow_udp(false);
}

/// What all guests of a process share of the network.
pub(super) struct Wire {
    opener: Opener,
    listeners: Arc<[Listener]>,
}

impl Wire {
    pub(super) fn new(broker: Option<OwnedFd>, listeners: Vec<Listener>, offload: bool) -> Self {
        Self { opener: Opener::new(broker, offload), listeners: listeners.into() }
    }

    /// The network of one guest.
    pub(super) fn of_guest(
        &self,
        plan: &RunPlan,
        usage: Arc<dyn UsageCounter>,
        files: &Arc<OpenFiles>,
        refusals: Refusals,
    ) -> GuestNetwork {
        let writes = Arc::default();
        let network = Network {
            opener: self.opener.clone(),
            listeners: Arc::clone(&self.listeners),
            sockets: OpenSockets::new(plan, Arc::clone(files)),
            traffic: Traffic::new(plan, usage),
            backlog: plan.limits().listen_backlog,
            refusals,
            writes: Arc::downgrade(&writes),
        };
        GuestNetwork { network: Arc::new(network), writes }
    }
}

/// Writes that the system has not taken yet, and whoever goes on with them.
type Writes = Mutex<JoinSet<()>>;

/// A guest's network, and what goes on for as long as the guest is there.
pub(super) struct GuestNetwork {
    network: Arc<Network>,
    writes: Arc<Writes>,
}

impl GuestNetwork {
    /// What sockets and requests work with.
    pub(super) fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// Hands over what the guest has written and the system has not taken yet, for a while.
    pub(super) fn last_writes(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut writes = std::mem::take(&mut *self.writes.lock().unwrap_or_else(PoisonError::into_inner));
        async move {
            let all = async { while writes.join_next().await.is_some() {} };
            let _or_nobody_reads_it = tokio::time::timeout(LAST_WRITES, all).await;
        }
    }
}

/// What the sockets and requests of one guest have in common.
pub(super) struct Network {
    opener: Opener,
    listeners: Arc<[Listener]>,
    sockets: OpenSockets,
    pub(super) traffic: Traffic,
    backlog: Limit<Count>,
    refusals: Refusals,
    writes: Weak<Writes>,
}

impl Network {
    /// Keeps a line about what the rules do not allow, and says nothing of other failures.
    pub(super) fn note(&self, what: &str, failure: &Failure) {
        if let Failure::Denied(why) = failure {
            self.refusals.add(|| format!("{what}: {why}"));
        }
    }

    /// Keeps a line for whoever wonders why the guest fails.
    pub(super) fn note_line(&self, line: impl FnOnce() -> String) {
        self.refusals.add(line);
    }

    /// A place for one more socket; None when the guest has all that it may.
    pub(super) fn place(&self, what: &str) -> Option<Place> {
        let place = self.sockets.take();
        place.map_err(|limit| self.refusals.add(|| format!("{what}: {limit} is reached"))).ok()
    }

    /// The published port that a guest means which binds this.
    pub(super) fn published(&self, local: SocketAddr, protocol: Protocol) -> Option<&Listener> {
        self.listeners.iter().find(|listener| listener.is_meant_by(local, protocol))
    }

    /// How many connections may wait, of as many. A longer queue than the limit is as long as the limit, as the system does it.
    pub(super) fn backlog(&self, wanted: u64) -> i32 {
        let most = self.backlog.bound().map_or(u64::MAX, |most| most.0);
        i32::try_from(wanted.min(most)).unwrap_or(i32::MAX)
    }

    /// A socket whose connection is being made.
    pub(super) async fn start_connecting(
        &self,
        local: Option<SocketAddr>,
        peer: SocketAddr,
    ) -> Result<OwnedFd, Failure> {
        self.opener.ask(|| format!("connect={peer}"), move |broker| broker.connect(local, peer)).await
    }

    /// A connection, from an address of this machine if one is named.
    pub(super) async fn connect(&self, local: Option<SocketAddr>, peer: SocketAddr) -> Result<Watched, Failure> {
        let socket = self.start_connecting(local, peer).await?;
        let socket = Watched::socket(socket).map_err(|error| system(&error))?;
        socket.writable().await;
        match rustix::net::sockopt::socket_error(&socket)? {
            Ok(()) => Ok(socket),
            Err(errno) => Err(errno.into()),
        }
    }

    /// A socket for connections, bound.
    pub(super) async fn bind(&self, local: SocketAddr) -> Result<OwnedFd, Failure> {
        self.opener.ask(|| format!("listen={local}"), move |broker| broker.bind(local)).await
    }

    /// A socket for datagrams, bound.
    pub(super) async fn datagrams(&self, local: SocketAddr) -> Result<(OwnedFd, DatagramId), Failure> {
        self.opener.ask(|| format!("listen={local}/udp"), move |broker| broker.datagrams(local)).await
    }

    /// Lets a socket for datagrams have this peer alone, or any.
    pub(super) async fn set_peer(&self, id: DatagramId, peer: Option<SocketAddr>) -> Result<(), Failure> {
        let rule = || peer.map_or_else(|| "listen".to_owned(), |peer| format!("connect={peer}/udp"));
        let set = move |broker: &mut wasmrt_host::network::Broker| match peer {
            Some(peer) => broker.connect_datagrams(id, peer),
            None => broker.disconnect_datagrams(id),
        };
        self.opener.ask(rule, set).await
    }

    /// Sends a datagram; None when it has to be tried again.
    pub(super) fn send_to(&self, id: DatagramId, data: &[u8], peer: SocketAddr) -> Option<Result<usize, Failure>> {
        self.opener.ask_now(|| format!("connect={peer}/udp"), |broker| broker.send_to(id, data, peer))
    }

    /// Receives a datagram, if one is there; None when it has to be tried again.
    pub(super) fn receive_from(
        &self,
        id: DatagramId,
        buffer: &mut [u8],
    ) -> Option<Result<(usize, SocketAddr), Failure>> {
        self.opener.ask_now(|| "listen".to_owned(), |broker| broker.receive_from(id, buffer, false))
    }

    /// Waits until datagrams can be asked for.
    pub(super) async fn free(&self) {
        self.opener.free().await;
    }

    /// The socket for datagrams is not needed any more; `keep` when it is published, and only has no peer any more.
    pub(super) fn close_datagrams(&self, id: DatagramId, keep: bool) {
        let close = move |broker: &mut wasmrt_host::network::Broker| {
            if keep {
                return broker.disconnect_datagrams(id);
            }
            broker.close_datagrams(id);
            Ok(())
        };
        // Without a runtime everything ends, and the conversation with it.
        if self.opener.ask_now(String::new, close).is_none()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let opener = self.opener.clone();
            runtime.spawn(async move { opener.ask(String::new, close).await });
        }
    }

    /// The addresses of a name.
    pub(super) async fn resolve(&self, name: String) -> Result<Vec<IpAddr>, Failure> {
        let rule = format!("resolve={}", wasmrt_host::quoted(&name));
        let answer = self.opener.ask(|| rule, move |broker| broker.start_resolving(&name)).await?;
        let answer = Watched::socket(answer).map_err(|error| system(&error))?;
        answer.readable().await;
        resolved(&answer)
    }

    /// Lets the guest run, until it has ended or is to end for what went over its connections.
    pub(super) async fn until_over<T>(&self, guest: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
        match select(pin!(guest), pin!(self.traffic.over())).await {
            Either::Left((ended, _)) => ended,
            Either::Right((limit, _)) => Err(wasmtime::Error::new(Reached(limit))),
        }
    }

    /// Goes on with a write for as long as the guest is there.
    pub(super) fn go_on(&self, write: impl Future<Output = ()> + Send + 'static) {
        if let Some(writes) = self.writes.upgrade() {
            let mut writes = writes.lock().unwrap_or_else(PoisonError::into_inner);
            while writes.try_join_next().is_some() {}
            writes.spawn(write);
        }
    }
}

/// The system's failure.
pub(super) fn system(error: &std::io::Error) -> Failure {
    Failure::System(error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error()))
}
