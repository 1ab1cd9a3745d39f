//! `wasi:sockets/tcp`: how a socket comes from nothing to a connection or a queue of them. The bytes are `connection`'s.

use super::connection::Connection;
use super::options::Options;
use super::{
    SocketsView, address, borrowed, check_family, check_peer, check_unicast, code, handle, is_any, kept, of_system,
};
use crate::component::network::Network;
use crate::component::quota::Place;
use crate::component::watched::Watched;
use futures::FutureExt;
use futures::future::BoxFuture;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use wasmrt_host::network::Failure;
use wasmrt_model::network::Protocol;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress};
use wasmtime_wasi::p2::bindings::sockets::tcp::{self, HostTcpSocket, ShutdownType};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, Network as NetworkHandle, Pollable, SocketResult, TcpSocket,
    subscribe,
};

/// How long a queue is that nobody has asked to be longer or shorter.
const USUAL_BACKLOG: u64 = 128;

/// One of the guest's sockets for connections.
struct Tcp {
    family: IpAddressFamily,
    network: Arc<Network>,
    place: Arc<Place>,
    options: Options,
    backlog: u64,
    state: State,
    /// What was started and is not finished.
    under_way: Option<Operation>,
    /// The local address that the guest gave it, where the machine's is another one.
    local: Option<SocketAddr>,
}

/// What comes in two halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Bind,
    Connect,
    Listen,
}

/// How far a socket has come.
enum State {
    /// It exists for the guest only.
    Fresh,
    /// As before: a client that binds to nothing in particular has what connecting would give it anyway.
    BoundToAny(SocketAddr),
    /// It may listen here.
    Bound(OwnedFd),
    Listening(Watched),
    Connecting(Attempt),
    Connected(Arc<Connection>),
    /// No connection came of it, and none will.
    Closed(ErrorCode),
}

/// A connection that is being made.
enum Attempt {
    Pending(BoxFuture<'static, Result<Watched, ErrorCode>>),
    Over(Result<Watched, ErrorCode>),
}

impl Attempt {
    /// Goes on with it, without waiting.
    fn try_it(&mut self) {
        if let Self::Pending(attempt) = self
            && let Some(over) = attempt.now_or_never()
        {
            *self = Self::Over(over);
        }
    }

    /// Waits until it is over.
    async fn over(&mut self) {
        if let Self::Pending(attempt) = self {
            let over = attempt.await;
            *self = Self::Over(over);
        }
    }
}

impl Tcp {
    fn new(family: IpAddressFamily, network: Arc<Network>, place: Place) -> Self {
        Self {
            family,
            network,
            place: Arc::new(place),
            options: Options::new(family),
            backlog: USUAL_BACKLOG,
            state: State::Fresh,
            under_way: None,
            local: None,
        }
    }

    /// The system's socket, once there is one.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Bound(fd) => Some(fd.as_fd()),
            State::Listening(socket) => Some(socket.as_fd()),
            State::Connected(connection) => Some(connection.as_fd()),
            State::Fresh | State::BoundToAny(_) | State::Connecting(_) | State::Closed(_) => None,
        }
    }

    /// Refuses another operation while one is under way.
    fn start(&self) -> SocketResult<()> {
        if self.under_way.is_some() { Err(ErrorCode::ConcurrencyConflict.into()) } else { Ok(()) }
    }

    fn finish(&mut self, operation: Operation) -> SocketResult<()> {
        if self.under_way != Some(operation) {
            return Err(ErrorCode::NotInProgress.into());
        }
        self.under_way = None;
        Ok(())
    }

    /// The error of a socket that was closed.
    fn check_open(&self) -> SocketResult<()> {
        if let State::Closed(error) = self.state { Err(error.into()) } else { Ok(()) }
    }

    async fn bind(&mut self, local: SocketAddr) -> SocketResult<()> {
        check_family(self.family, local)?;
        check_unicast(local)?;
        if !matches!(self.state, State::Fresh) {
            return Err(ErrorCode::InvalidState.into());
        }
        let state = if let Some(listener) = self.network.published(local, Protocol::Tcp) {
            let fd = rustix::io::fcntl_dupfd_cloexec(&listener.socket, 3)?;
            self.local = Some(local);
            State::Bound(fd)
        } else {
            match self.network.bind(local).await {
                Ok(fd) => State::Bound(fd),
                Err(Failure::Denied(_)) if is_any(local) => State::BoundToAny(local),
                Err(failure) => return Err(code(&self.network, "tcp bind", &failure).into()),
            }
        };
        self.state = state;
        if let Some(fd) = self.fd() {
            self.options.apply(fd);
        }
        Ok(())
    }

    fn connect(&mut self, peer: SocketAddr) -> SocketResult<()> {
        let local = match &self.state {
            State::Fresh | State::BoundToAny(_) => None,
            // A published port is for those who come.
            State::Bound(_) if self.local.is_some() => return Err(ErrorCode::NotSupported.into()),
            State::Bound(fd) => Some(address(rustix::net::getsockname(fd))?),
            _ => return Err(ErrorCode::InvalidState.into()),
        };
        check_unicast(peer)?;
        check_peer(self.family, peer)?;
        let network = Arc::clone(&self.network);
        // What is bound cannot be connected in this process: another one is bound to the same address, which this one keeps until then.
        let bound = std::mem::replace(&mut self.state, State::Fresh);
        let attempt = async move {
            let connected = network.connect(local, peer).await;
            drop(bound);
            connected.map_err(|failure| match code(&network, "tcp connect", &failure) {
                // Connecting binds to a port of the system's choice, of which there is none left.
                ErrorCode::AddressNotBindable => ErrorCode::AddressInUse,
                code => code,
            })
        };
        let mut attempt = Attempt::Pending(attempt.boxed());
        attempt.try_it();
        self.state = State::Connecting(attempt);
        Ok(())
    }

    fn connected(&mut self) -> SocketResult<Arc<Connection>> {
        let State::Connecting(attempt) = &mut self.state else { return Err(ErrorCode::NotInProgress.into()) };
        attempt.try_it();
        match std::mem::replace(&mut self.state, State::Closed(ErrorCode::InvalidState)) {
            State::Connecting(Attempt::Over(Ok(socket))) => {
                self.options.apply(socket.as_fd());
                let connection = Connection::new(socket, Arc::clone(&self.network), Arc::clone(&self.place));
                self.state = State::Connected(Arc::clone(&connection));
                self.local = None;
                Ok(connection)
            }
            State::Connecting(Attempt::Over(Err(error))) => {
                self.state = State::Closed(error);
                Err(error.into())
            }
            pending => {
                self.state = pending;
                Err(ErrorCode::WouldBlock.into())
            }
        }
    }

    fn listen(&mut self) -> SocketResult<()> {
        match std::mem::replace(&mut self.state, State::Fresh) {
            State::Bound(fd) => {
                if let Err(errno) = rustix::net::listen(&fd, self.network.backlog(self.backlog)) {
                    self.state = State::Bound(fd);
                    return Err(errno.into());
                }
                self.state = State::Listening(Watched::socket(fd)?);
                Ok(())
            }
            State::BoundToAny(local) => {
                self.state = State::BoundToAny(local);
                let why = format!("no rule allows to listen there; `listen={local}` would");
                Err(code(&self.network, "tcp listen", &Failure::Denied(why)).into())
            }
            other => {
                self.state = other;
                self.check_open()?;
                Err(ErrorCode::InvalidState.into())
            }
        }
    }

    fn accept(&self) -> SocketResult<Self> {
        let State::Listening(socket) = &self.state else { return Err(ErrorCode::InvalidState.into()) };
        if !socket.is_ready(PollFlags::IN) {
            return Err(ErrorCode::WouldBlock.into());
        }
        // Nobody is taken from the queue whom there is no room for.
        let place = self.network.place("tcp accept").ok_or(ErrorCode::NewSocketLimit)?;
        let accepted = match rustix::net::accept_with(socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(accepted) => accepted,
            Err(Errno::AGAIN | Errno::INTR) => return Err(ErrorCode::WouldBlock.into()),
            Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => return Err(errno.into()),
            // Linux tells here what became of a connection before anybody took it.
            Err(_) => return Err(ErrorCode::ConnectionAborted.into()),
        };
        let mut tcp = Self { options: self.options, ..Self::new(self.family, Arc::clone(&self.network), place) };
        let socket = Watched::socket(accepted).map_err(|error| of_system(&error))?;
        tcp.state = State::Connected(Connection::new(socket, Arc::clone(&tcp.network), Arc::clone(&tcp.place)));
        Ok(tcp)
    }

    fn local_address(&self) -> SocketResult<SocketAddr> {
        if let State::BoundToAny(local) = self.state {
            return Ok(local);
        }
        self.check_open()?;
        let fd = self.fd().ok_or(ErrorCode::InvalidState)?;
        self.local.map_or_else(|| address(rustix::net::getsockname(fd)), Ok)
    }

    fn remote_address(&self) -> SocketResult<SocketAddr> {
        self.check_open()?;
        let State::Connected(connection) = &self.state else { return Err(ErrorCode::InvalidState.into()) };
        let peer = rustix::net::getpeername(connection.as_fd())?.ok_or(ErrorCode::InvalidState)?;
        address(Ok(peer))
    }

    fn set_backlog(&mut self, length: u64) -> SocketResult<()> {
        self.check_open()?;
        if length == 0 {
            return Err(ErrorCode::InvalidArgument.into());
        }
        match &self.state {
            State::Connecting(_) | State::Connected(_) => return Err(ErrorCode::InvalidState.into()),
            State::Listening(socket) => rustix::net::listen(socket, self.network.backlog(length))?,
            _ => {}
        }
        self.backlog = length;
        Ok(())
    }
}

#[async_trait::async_trait]
impl Pollable for Tcp {
    async fn ready(&mut self) {
        match &mut self.state {
            State::Connecting(attempt) => attempt.over().await,
            State::Listening(socket) if self.under_way.is_none() => socket.readable().await,
            _ => {}
        }
    }
}

impl SocketsView<'_> {
    fn tcp(&mut self, this: &Resource<TcpSocket>) -> SocketResult<&mut Tcp> {
        Ok(self.table.get_mut(&borrowed::<Tcp>(this))?)
    }

    fn push_streams(
        &mut self,
        connection: &Arc<Connection>,
    ) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let (input, output) = connection.streams();
        Ok((self.table.push(input)?, self.table.push(output)?))
    }
}

/// Options, of which the system has the say as soon as it has the socket.
macro_rules! options {
    ($($get:ident => $option:ident, $set:ident => $set_option:ident: $kind:ty;)*) => {
        $(
            fn $get(&mut self, this: Resource<TcpSocket>) -> SocketResult<$kind> {
                let tcp = self.tcp(&this)?;
                tcp.check_open()?;
                tcp.options.$option(tcp.fd())
            }

            fn $set(&mut self, this: Resource<TcpSocket>, value: $kind) -> SocketResult<()> {
                let tcp = self.tcp(&this)?;
                tcp.check_open()?;
                let mut options = tcp.options;
                options.$set_option(tcp.fd(), value)?;
                tcp.options = options;
                Ok(())
            }
        )*
    };
}

impl tcp::Host for SocketsView<'_> {}

impl HostTcpSocket for SocketsView<'_> {
    async fn start_bind(
        &mut self,
        this: Resource<TcpSocket>,
        network: Resource<NetworkHandle>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        self.check(&network)?;
        let tcp = self.tcp(&this)?;
        tcp.start()?;
        tcp.bind(local.into()).await?;
        tcp.under_way = Some(Operation::Bind);
        Ok(())
    }

    fn finish_bind(&mut self, this: Resource<TcpSocket>) -> SocketResult<()> {
        self.tcp(&this)?.finish(Operation::Bind)
    }

    fn start_connect(
        &mut self,
        this: Resource<TcpSocket>,
        network: Resource<NetworkHandle>,
        peer: IpSocketAddress,
    ) -> SocketResult<()> {
        self.check(&network)?;
        let tcp = self.tcp(&this)?;
        tcp.start()?;
        tcp.connect(peer.into())?;
        tcp.under_way = Some(Operation::Connect);
        Ok(())
    }

    fn finish_connect(
        &mut self,
        this: Resource<TcpSocket>,
    ) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let tcp = self.tcp(&this)?;
        if tcp.under_way != Some(Operation::Connect) {
            return Err(ErrorCode::NotInProgress.into());
        }
        let connected = tcp.connected();
        if !matches!(tcp.state, State::Connecting(_)) {
            tcp.under_way = None;
        }
        self.push_streams(&connected?)
    }

    async fn start_listen(&mut self, this: Resource<TcpSocket>) -> SocketResult<()> {
        let tcp = self.tcp(&this)?;
        tcp.start()?;
        tcp.listen()?;
        tcp.under_way = Some(Operation::Listen);
        Ok(())
    }

    fn finish_listen(&mut self, this: Resource<TcpSocket>) -> SocketResult<()> {
        self.tcp(&this)?.finish(Operation::Listen)
    }

    fn accept(
        &mut self,
        this: Resource<TcpSocket>,
    ) -> SocketResult<(Resource<TcpSocket>, Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let tcp = self.tcp(&this)?;
        tcp.start()?;
        let accepted = tcp.accept()?;
        let State::Connected(connection) = &accepted.state else { return Err(ErrorCode::Unknown.into()) };
        let connection = Arc::clone(connection);
        let accepted = handle(&self.table.push(accepted)?);
        let (input, output) = self.push_streams(&connection)?;
        Ok((accepted, input, output))
    }

    fn local_address(&mut self, this: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        Ok(self.tcp(&this)?.local_address()?.into())
    }

    fn remote_address(&mut self, this: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        Ok(self.tcp(&this)?.remote_address()?.into())
    }

    fn is_listening(&mut self, this: Resource<TcpSocket>) -> wasmtime::Result<bool> {
        let tcp = self.table.get(&borrowed::<Tcp>(&this))?;
        Ok(matches!(tcp.state, State::Listening(_)) && tcp.under_way.is_none())
    }

    fn address_family(&mut self, this: Resource<TcpSocket>) -> wasmtime::Result<IpAddressFamily> {
        Ok(self.table.get(&borrowed::<Tcp>(&this))?.family)
    }

    fn set_listen_backlog_size(&mut self, this: Resource<TcpSocket>, value: u64) -> SocketResult<()> {
        self.tcp(&this)?.set_backlog(value)
    }

    options! {
        keep_alive_enabled => keep_alive, set_keep_alive_enabled => set_keep_alive: bool;
        keep_alive_idle_time => idle, set_keep_alive_idle_time => set_idle: u64;
        keep_alive_interval => interval, set_keep_alive_interval => set_interval: u64;
        keep_alive_count => probes, set_keep_alive_count => set_probes: u32;
        hop_limit => hops, set_hop_limit => set_hops: u8;
        receive_buffer_size => receive_buffer, set_receive_buffer_size => set_receive_buffer: u64;
        send_buffer_size => send_buffer, set_send_buffer_size => set_send_buffer: u64;
    }

    fn subscribe(&mut self, this: Resource<TcpSocket>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, borrowed::<Tcp>(&this))
    }

    fn shutdown(&mut self, this: Resource<TcpSocket>, what: ShutdownType) -> SocketResult<()> {
        let tcp = self.tcp(&this)?;
        tcp.check_open()?;
        let State::Connected(connection) = &tcp.state else { return Err(ErrorCode::InvalidState.into()) };
        connection.shut_down(what);
        Ok(())
    }

    fn drop(&mut self, this: Resource<TcpSocket>) -> wasmtime::Result<()> {
        self.table.delete(kept::<Tcp>(&this))?;
        Ok(())
    }
}

impl tcp_create_socket::Host for SocketsView<'_> {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        let place = self.network.place("create-tcp-socket").ok_or(ErrorCode::NewSocketLimit)?;
        let tcp = Tcp::new(family, Arc::clone(self.network), place);
        Ok(handle(&self.table.push(tcp)?))
    }
}
