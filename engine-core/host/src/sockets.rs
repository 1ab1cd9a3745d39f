//! The guest's sockets: what each is, what it may become, and how many there may be.
//!
//! Two ABIs work on them: WasmEdge's, which opens sockets (`calls`), and preview1's, which only has what it was given (`preview1`). Sockets come
//! from a [`Network`], which knows the rules; here they are only used. No descriptor here ever blocks: waiting is done with the [`Waiter`], so
//! that it ends at the deadline.

mod address;
mod ahead;
mod calls;
mod lookup;
mod options;
mod preview1;
mod transfer;

use crate::errno::{Answer, Errno, Stop};
use crate::network::{DatagramId, Failure, Network};
use crate::wait::Waiter;
use rustix::event::PollFlags;
use rustix::io::Errno as Os;
use rustix::net::SocketFlags;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use wasmrt_model::network::Protocol;
use wasmrt_model::units::Count;
use wasmrt_model::{Limit, LimitKind, Limits};

use crate::Listener;
use crate::resources::Counters;
use crate::volume::Volume;
use ahead::Ahead;
pub(crate) use options::Options;
use transfer::Receive;

/// Sockets have the numbers from here on among all that the host knows; the inner context never gets there.
pub(crate) const FIRST_KEY: u32 = 1 << 31;

/// The family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn of(address: SocketAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Any address and any port.
    pub(crate) fn unspecified(self) -> SocketAddr {
        match self {
            Self::V4 => SocketAddr::from(([0; 4], 0)),
            Self::V6 => SocketAddr::from(([0u16; 8], 0)),
        }
    }
}

/// How far a socket has come.
#[derive(Debug)]
enum State {
    /// It exists for the guest only.
    Fresh,
    /// It may listen here.
    Bound(OwnedFd),
    Listening(OwnedFd),
    /// It is connected, or is being.
    Connected(OwnedFd),
    /// It may send and receive datagrams.
    Datagrams {
        fd: OwnedFd,
        id: DatagramId,
        connected: bool,
    },
}

/// One of the guest's sockets.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) family: Family,
    pub(crate) protocol: Protocol,
    state: State,
    /// Whether the guest asked not to be made to wait.
    nonblocking: bool,
    options: Options,
    ahead: Ahead,
    /// The local address that the guest gave it, where the machine's is another one.
    local: Option<SocketAddr>,
    /// Where its connections come from, once it was bound and has tried to connect.
    from: Option<SocketAddr>,
}

impl Socket {
    fn new(family: Family, protocol: Protocol, state: State) -> Self {
        Self {
            family,
            protocol,
            state,
            nonblocking: false,
            options: Options::default(),
            ahead: Ahead::default(),
            local: None,
            from: None,
        }
    }

    /// The descriptor, once there is one.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Fresh => None,
            State::Bound(fd) | State::Listening(fd) | State::Connected(fd) | State::Datagrams { fd, .. } => {
                Some(fd.as_fd())
            }
        }
    }

    /// The descriptor, if it is connected. What listens may be published, and then is not the guest's to shut down for good.
    fn connected(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Connected(fd) | State::Datagrams { fd, connected: true, .. } => Some(fd.as_fd()),
            _ => None,
        }
    }

    pub(crate) fn is_nonblocking(&self) -> bool {
        self.nonblocking
    }

    pub(crate) fn set_nonblocking(&mut self, nonblocking: bool) {
        self.nonblocking = nonblocking;
    }
}

/// All sockets of a guest.
#[derive(Debug)]
pub(crate) struct Sockets {
    network: Option<Box<dyn Network>>,
    open: BTreeMap<u32, Socket>,
    next_key: u32,
    published: Vec<Listener>,
    limit: Limit<Count>,
    backlog: Limit<Count>,
    received: Volume,
    sent: Volume,
    /// Where bytes are received before it is known how many there are.
    room: Vec<u8>,
}

/// What a call needs besides its socket.
pub(crate) struct Around<'a> {
    pub(crate) waiter: &'a Waiter,
    pub(crate) counters: &'a Counters,
}

impl Sockets {
    /// No sockets but those that are published, which come with their keys.
    pub(crate) fn new(
        network: Option<Box<dyn Network>>,
        published: Vec<Listener>,
        limits: &Limits,
    ) -> (Self, Vec<u32>) {
        let mut sockets = Self {
            network,
            open: BTreeMap::new(),
            next_key: FIRST_KEY,
            published: Vec::new(),
            limit: limits.open_sockets,
            backlog: limits.listen_backlog,
            received: Volume::new(limits.received_bytes, LimitKind::ReceivedBytes),
            sent: Volume::new(limits.sent_bytes, LimitKind::SentBytes),
            room: Vec::new(),
        };
        let keys = published.iter().filter_map(|listener| sockets.publish(listener)).collect();
        sockets.published = published;
        (sockets, keys)
    }

    /// The guest's socket for a published port. (One that cannot be copied is missing; there is a descriptor for each of them.)
    fn publish(&mut self, listener: &Listener) -> Option<u32> {
        let fd = rustix::io::fcntl_dupfd_cloexec(&listener.socket, 3).ok()?;
        let family = Family::of(listener.local);
        let state = match listener.datagrams {
            None => State::Listening(fd),
            Some(id) => State::Datagrams { fd, id, connected: false },
        };
        let mut socket = Socket::new(family, listener.protocol(), state);
        socket.local = Some(listener.seen_by_guest());
        Some(self.insert(socket))
    }

    fn insert(&mut self, socket: Socket) -> u32 {
        let key = self.next_key;
        self.next_key = self.next_key.wrapping_add(1).max(FIRST_KEY);
        self.open.insert(key, socket);
        key
    }

    /// Whether there may be another socket.
    fn check_room(&self) -> Answer {
        let count = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        match self.limit.bound() {
            Some(limit) if count >= limit.0 => Err(Errno::NFILE.into()),
            _ => Ok(()),
        }
    }

    /// Adds a socket, if there may be another one.
    fn add(&mut self, socket: Socket) -> Answer<u32> {
        self.check_room()?;
        Ok(self.insert(socket))
    }

    pub(crate) fn get(&self, key: u32) -> Answer<&Socket> {
        self.open.get(&key).ok_or_else(|| Errno::BADF.into())
    }

    pub(crate) fn get_mut(&mut self, key: u32) -> Answer<&mut Socket> {
        self.open.get_mut(&key).ok_or_else(|| Errno::BADF.into())
    }

    /// Closes a socket.
    pub(crate) fn close(&mut self, key: u32) {
        if let Some(Socket { state: State::Datagrams { id, .. }, .. }) = self.open.remove(&key)
            && !self.is_published(id)
            && let Some(network) = &mut self.network
        {
            network.close_datagrams(id);
        }
    }

    /// A published socket is the guest's as long as it lives, however often it closes it.
    fn is_published(&self, id: DatagramId) -> bool {
        self.published.iter().any(|listener| listener.datagrams == Some(id))
    }

    /// Whether the guest had the socket from the start.
    fn is_given(&self, key: u32) -> bool {
        let given = u32::try_from(self.published.len()).unwrap_or(u32::MAX);
        (FIRST_KEY..FIRST_KEY.saturating_add(given)).contains(&key)
    }

    /// Who opens sockets. Where nobody does, there are no rules, so none allows this.
    fn network(&mut self, rule: impl FnOnce() -> String) -> Answer<&mut (dyn Network + 'static)> {
        opener(&mut self.network, rule)
    }

    /// `sock_open`.
    fn open(&mut self, family: Family, protocol: Protocol) -> Answer<u32> {
        self.add(Socket::new(family, protocol, State::Fresh))
    }

    /// `sock_bind`: to a published port, or wherever the rules allow.
    fn bind(&mut self, key: u32, local: SocketAddr) -> Answer {
        let socket = self.get(key)?;
        if Family::of(local) != socket.family {
            return Err(Errno::AFNOSUPPORT.into());
        }
        if !matches!(socket.state, State::Fresh) || socket.from.is_some() {
            return Err(Errno::INVAL.into());
        }
        let protocol = socket.protocol;
        let (state, local) = match self.published_at(local, protocol)? {
            Some(state) => (state, Some(local)),
            None => (
                match protocol {
                    // A client that binds to nothing in particular: connecting does that anyway.
                    Protocol::Tcp if local.port() == 0 && local.ip().is_unspecified() && self.network.is_some() => {
                        match self.network(|| format!("listen={local}"))?.bind(local) {
                            Ok(fd) => State::Bound(fd),
                            Err(Failure::Denied(_)) => State::Fresh,
                            Err(failure) => return Err(stop(failure)),
                        }
                    }
                    Protocol::Tcp => {
                        State::Bound(self.network(|| format!("listen={local}"))?.bind(local).map_err(stop)?)
                    }
                    Protocol::Udp => {
                        let (fd, id) =
                            self.network(|| format!("listen={local}/udp"))?.datagrams(local).map_err(stop)?;
                        State::Datagrams { fd, id, connected: false }
                    }
                },
                None,
            ),
        };
        let socket = self.get_mut(key)?;
        socket.state = state;
        socket.local = local;
        socket.apply_options();
        Ok(())
    }

    /// What a guest gets that binds a published port.
    fn published_at(&self, local: SocketAddr, protocol: Protocol) -> Answer<Option<State>> {
        let meant = self.published.iter().find(|listener| listener.is_meant_by(local, protocol));
        let Some(listener) = meant else { return Ok(None) };
        let fd = rustix::io::fcntl_dupfd_cloexec(&listener.socket, 3).map_err(Errno::from_os)?;
        Ok(Some(match listener.datagrams {
            None => State::Bound(fd),
            Some(id) => State::Datagrams { fd, id, connected: false },
        }))
    }

    /// `sock_listen`. A longer queue than the limit is as long as the limit, as the system does it.
    fn listen(&mut self, key: u32, backlog: u32) -> Answer {
        let most = self.backlog.bound().map_or(u64::from(u32::MAX), |most| most.0);
        let backlog = i32::try_from(u64::from(backlog).min(most)).unwrap_or(i32::MAX);
        let socket = self.get_mut(key)?;
        if socket.protocol == Protocol::Udp {
            return Err(Errno::NOTSUP.into());
        }
        match std::mem::replace(&mut socket.state, State::Fresh) {
            State::Bound(fd) | State::Listening(fd) => {
                let listening = rustix::net::listen(&fd, backlog).map_err(Errno::from_os);
                socket.state = if listening.is_ok() { State::Listening(fd) } else { State::Bound(fd) };
                Ok(listening?)
            }
            // Listening without an address means any port, which no rule can have named.
            State::Fresh => Err(Errno::DESTADDRREQ.into()),
            other => {
                socket.state = other;
                Err(Errno::INVAL.into())
            }
        }
    }

    /// `sock_accept`: waits for a connection, and gives its key.
    pub(crate) fn accept(&mut self, key: u32, nonblocking: bool, around: &Around<'_>) -> Answer<u32> {
        let socket = self.get(key)?;
        let State::Listening(fd) = &socket.state else { return Err(Errno::INVAL.into()) };
        // Nobody is taken from the queue whom there is no room for.
        self.check_room()?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accepted = socket.until_ready(PollFlags::IN, around.waiter, || rustix::net::accept_with(fd, flags))?;
        let mut accepted = Socket::new(socket.family, Protocol::Tcp, State::Connected(accepted));
        accepted.nonblocking = nonblocking;
        self.add(accepted)
    }

    /// `sock_connect`: waits until the connection is made, unless the guest does not wait.
    fn connect(&mut self, key: u32, peer: SocketAddr, around: &Around<'_>) -> Answer {
        let socket = self.get(key)?;
        if Family::of(peer) != socket.family {
            return Err(Errno::AFNOSUPPORT.into());
        }
        match (&socket.state, socket.protocol) {
            (State::Fresh | State::Bound(_), Protocol::Tcp) => {
                let from = socket.origin()?;
                let fd = self.network(|| format!("connect={peer}"))?.connect(from, peer).map_err(stop)?;
                let socket = self.get_mut(key)?;
                socket.from = from;
                socket.state = State::Connected(fd);
                socket.apply_options();
                socket.finish_connecting(around.waiter)
            }
            (State::Fresh, Protocol::Udp) => {
                let any = socket.family.unspecified();
                let (fd, id) = self.network(|| format!("connect={peer}/udp"))?.datagrams(any).map_err(stop)?;
                self.get_mut(key)?.state = State::Datagrams { fd, id, connected: false };
                self.connect_datagrams(key, id, peer)
            }
            (State::Datagrams { id, .. }, _) => {
                let id = *id;
                self.connect_datagrams(key, id, peer)
            }
            (State::Connected(_), _) => Err(Errno::ISCONN.into()),
            _ => Err(Errno::INVAL.into()),
        }
    }

    fn connect_datagrams(&mut self, key: u32, id: DatagramId, peer: SocketAddr) -> Answer {
        self.network(|| format!("connect={peer}/udp"))?.connect_datagrams(id, peer).map_err(stop)?;
        let socket = self.get_mut(key)?;
        if let State::Datagrams { connected, .. } = &mut socket.state {
            *connected = true;
        }
        socket.apply_options();
        Ok(())
    }
}

/// Who opens sockets, or the refusal that names the rule which would allow it.
fn opener(
    network: &mut Option<Box<dyn Network>>,
    rule: impl FnOnce() -> String,
) -> Answer<&mut (dyn Network + 'static)> {
    network
        .as_deref_mut()
        .ok_or_else(|| Stop::Denied(format!("there are no network rules; `{}` would allow it", rule())))
}

impl Socket {
    /// Carries out a call that does not block, again and again until it does not have to wait any more.
    fn until_ready<T>(&self, ready: PollFlags, waiter: &Waiter, mut call: impl FnMut() -> Result<T, Os>) -> Answer<T> {
        loop {
            match call() {
                Ok(value) => return Ok(value),
                Err(Os::INTR | Os::CONNABORTED) => {}
                Err(Os::AGAIN) => self.wait(ready, waiter)?,
                Err(error) => return Err(Errno::from_os(error).into()),
            }
        }
    }

    /// Waits until the socket is ready, for as long as the guest wants that.
    fn wait(&self, ready: PollFlags, waiter: &Waiter) -> Answer {
        if self.nonblocking {
            return Err(Errno::AGAIN.into());
        }
        let Some(fd) = self.fd() else { return Err(Errno::NOTCONN.into()) };
        let patience: Option<Duration> =
            if ready.contains(PollFlags::IN) { self.options.receive_timeout } else { self.options.send_timeout };
        let until = patience.and_then(|patience| Instant::now().checked_add(patience));
        let happened = waiter.poll(&[(fd, ready)], until)?;
        if happened.iter().all(|flags| flags.is_empty()) { Err(Errno::AGAIN.into()) } else { Ok(()) }
    }

    /// Where a connection is to come from. What is bound here cannot be connected: whoever opens sockets binds another one to the same address,
    /// which is free for that as long as nobody listens.
    fn origin(&self) -> Answer<Option<SocketAddr>> {
        match &self.state {
            // A published port is for those who come.
            State::Bound(_) if self.local.is_some() => Err(Errno::INVAL.into()),
            State::Bound(fd) => {
                let local = rustix::net::getsockname(fd).and_then(SocketAddr::try_from).map_err(Errno::from_os)?;
                Ok(Some(local))
            }
            _ => Ok(self.from),
        }
    }

    /// Waits for a connection that is being made.
    fn finish_connecting(&mut self, waiter: &Waiter) -> Answer {
        let Some(fd) = self.fd() else { return Err(Errno::NOTCONN.into()) };
        if self.nonblocking {
            let ready = waiter.poll(&[(fd, PollFlags::OUT)], Some(Instant::now()))?;
            if ready.iter().all(|flags| flags.is_empty()) {
                return Err(Errno::INPROGRESS.into());
            }
        } else {
            self.wait(PollFlags::OUT, waiter)?;
        }
        let failure = rustix::net::sockopt::socket_error(fd).map_err(Errno::from_os)?;
        failure.map_err(|error| {
            // It can be tried again.
            self.state = State::Fresh;
            Errno::from_os(error).into()
        })
    }
}

/// What a failure of the network is to the guest.
fn stop(failure: Failure) -> Stop {
    match failure {
        Failure::Denied(why) => Stop::Denied(why),
        Failure::System(errno) => Errno::from_os(Os::from_raw_os_error(errno)).into(),
        Failure::NoName => Errno::AINONAME.into(),
    }
}
