//! `wasi:sockets/udp`. What has one peer sends and receives here; the datagrams of all others go through the process that knows the rules.

use super::options::Options;
use super::{SocketsView, address, borrowed, check_family, check_peer, check_unicast, code, handle, kept, of_system};
use crate::component::ending::Reached;
use crate::component::network::Network;
use crate::component::quota::Place;
use crate::component::watched::Watched;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use wasmrt_host::network::{DatagramId, Failure};
use wasmrt_model::LimitKind;
use wasmrt_model::network::Protocol;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress};
use wasmtime_wasi::p2::bindings::sockets::udp::{
    self, HostIncomingDatagramStream, HostOutgoingDatagramStream, HostUdpSocket, IncomingDatagram,
    IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream,
};
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket;
use wasmtime_wasi::p2::{
    DynPollable, Network as NetworkHandle, Pollable, SocketError, SocketResult, UdpSocket, subscribe,
};

/// Datagrams that go with one call at most.
const MOST_DATAGRAMS: usize = 16;

/// The longest datagram there is.
const LONGEST: usize = 1 << 16;

/// Bytes of datagrams after which no other one is received with the same call.
const ENOUGH_BYTES: usize = 1 << 16;

/// One of the guest's sockets for datagrams.
struct Udp {
    family: IpAddressFamily,
    network: Arc<Network>,
    place: Arc<Place>,
    options: Options,
    bound: Option<Arc<Datagrams>>,
    /// Whether it was bound, and the guest does not know it yet.
    binding: bool,
}

/// A socket that is bound.
struct Datagrams {
    family: IpAddressFamily,
    socket: Watched,
    id: DatagramId,
    network: Arc<Network>,
    _place: Arc<Place>,
    /// The local address that the guest gave it, when it is a published one: then it outlives the guest's use of it.
    published: Option<SocketAddr>,
    peer: Mutex<Option<SocketAddr>>,
    /// How often streams were made: only the last ones work.
    streams: AtomicU64,
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.network.close_datagrams(self.id, self.published.is_some());
    }
}

impl Datagrams {
    fn peer(&self) -> Option<SocketAddr> {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives a datagram, if one is there.
    fn receive(&self, buffer: &mut [u8]) -> Result<Option<(usize, SocketAddr)>, Failure> {
        let Some(peer) = self.peer() else {
            return match self.network.receive_from(self.id, buffer) {
                None => Ok(None),
                Some(Err(Failure::System(errno))) if errno == Errno::AGAIN.raw_os_error() => Ok(None),
                Some(received) => received.map(Some),
            };
        };
        loop {
            match rustix::net::recvfrom(&self.socket, &mut *buffer, RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
                // What had come before there was a peer is nobody's.
                Ok((_, length, from)) => match from.and_then(|from| SocketAddr::try_from(from).ok()) {
                    Some(from) if from == peer => return Ok(Some((length, from))),
                    _ => {}
                },
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Sends a datagram; None when the system does not take it now.
    fn send(&self, data: &[u8], to: Option<SocketAddr>) -> Result<Option<()>, Failure> {
        let sent = match to {
            Some(to) => self.network.send_to(self.id, data, to),
            None => Some(
                rustix::net::send(&self.socket, data, SendFlags::NOSIGNAL | SendFlags::DONTWAIT).map_err(Failure::from),
            ),
        };
        match sent {
            None => Ok(None),
            Some(Err(Failure::System(errno))) if errno == Errno::AGAIN.raw_os_error() => Ok(None),
            Some(sent) => sent.map(|_| Some(())),
        }
    }
}

/// One of the last pair of streams, or an older one.
struct Stream {
    datagrams: Arc<Datagrams>,
    number: u64,
    /// Datagrams that the guest may send without asking again.
    permit: usize,
}

impl Stream {
    /// The socket, if this is one of its last streams.
    fn current(&self) -> SocketResult<&Arc<Datagrams>> {
        if self.datagrams.streams.load(Ordering::Relaxed) == self.number {
            Ok(&self.datagrams)
        } else {
            Err(ErrorCode::InvalidState.into())
        }
    }
}

/// What comes in.
struct Incoming(Stream);

/// What goes out.
struct Outgoing(Stream);

#[async_trait::async_trait]
impl Pollable for Udp {
    /// Nothing that it does takes time.
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl Pollable for Incoming {
    async fn ready(&mut self) {
        if let Ok(datagrams) = self.0.current() {
            datagrams.socket.readable().await;
            datagrams.network.free().await;
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Outgoing {
    async fn ready(&mut self) {
        if let Ok(datagrams) = self.0.current() {
            datagrams.socket.writable().await;
            datagrams.network.free().await;
        }
    }
}

impl Udp {
    fn bound(&self) -> SocketResult<&Arc<Datagrams>> {
        self.bound.as_ref().filter(|_| !self.binding).ok_or_else(|| ErrorCode::InvalidState.into())
    }

    async fn bind(&mut self, local: SocketAddr) -> SocketResult<()> {
        check_family(self.family, local)?;
        check_unicast(local)?;
        if self.bound.is_some() {
            return Err(ErrorCode::InvalidState.into());
        }
        let published = self.network.published(local, Protocol::Udp).and_then(|listener| {
            let socket = rustix::io::fcntl_dupfd_cloexec(&listener.socket, 3);
            listener.datagrams.map(|id| (socket, id))
        });
        let is_published = published.is_some();
        let (socket, id) = match published {
            Some((socket, id)) => (socket?, id),
            None => {
                let opened = self.network.datagrams(local).await;
                opened.map_err(|failure| code(&self.network, "udp bind", &failure))?
            }
        };
        self.options.apply(socket.as_fd());
        let socket = Watched::socket(socket).map_err(|error| of_system(&error))?;
        self.bound = Some(Arc::new(Datagrams {
            family: self.family,
            socket,
            id,
            network: Arc::clone(&self.network),
            _place: Arc::clone(&self.place),
            published: is_published.then_some(local),
            peer: Mutex::new(None),
            streams: AtomicU64::new(0),
        }));
        Ok(())
    }

    async fn stream(&mut self, peer: Option<SocketAddr>) -> SocketResult<(Incoming, Outgoing)> {
        let datagrams = Arc::clone(self.bound()?);
        if let Some(peer) = peer {
            check_peer(self.family, peer)?;
        }
        if peer.is_some() || datagrams.peer().is_some() {
            let set = self.network.set_peer(datagrams.id, peer).await;
            set.map_err(|failure| code(&self.network, "udp connect", &failure))?;
            *datagrams.peer.lock().unwrap_or_else(PoisonError::into_inner) = peer;
        }
        let number = datagrams.streams.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let stream = || Stream { datagrams: Arc::clone(&datagrams), number, permit: 0 };
        Ok((Incoming(stream()), Outgoing(stream())))
    }
}

impl Incoming {
    fn receive(&self, most: usize) -> SocketResult<Vec<IncomingDatagram>> {
        let datagrams = self.0.current()?;
        let traffic = &datagrams.network.traffic;
        let (mut received, mut bytes) = (Vec::new(), 0);
        if most == 0 {
            return Ok(received);
        }
        let mut buffer = vec![0; LONGEST];
        while received.len() < most && bytes < ENOUGH_BYTES {
            let (length, from) = match datagrams.receive(&mut buffer) {
                Ok(Some(datagram)) => datagram,
                Ok(None) => break,
                Err(_) if !received.is_empty() => break,
                Err(failure) => return Err(code(&datagrams.network, "udp receive", &failure).into()),
            };
            let length = length.min(buffer.len());
            if length > traffic.may_receive(length).unwrap_or(0) {
                return Err(reached(LimitKind::ReceivedBytes));
            }
            traffic.received(length);
            bytes += length;
            received.push(IncomingDatagram { data: buffer[..length].to_vec(), remote_address: from.into() });
        }
        Ok(received)
    }
}

impl Outgoing {
    fn send(&mut self, sent: Vec<OutgoingDatagram>) -> SocketResult<u64> {
        if sent.len() > self.0.permit {
            let why = wasmtime::Error::msg("more datagrams were sent than check-send allowed");
            return Err(SocketError::trap(why));
        }
        if !sent.is_empty() {
            self.0.permit = 0;
        }
        let datagrams = self.0.current()?;
        let mut count = 0;
        for OutgoingDatagram { data, remote_address } in sent {
            match send(datagrams, &data, remote_address.map(SocketAddr::from)) {
                Ok(Some(())) => count += 1,
                Ok(None) => break,
                Err(error) => match error.downcast() {
                    // What has gone is told first.
                    Ok(_) if count > 0 => break,
                    Ok(code) => return Err(code.into()),
                    Err(trap) => return Err(SocketError::trap(trap)),
                },
            }
        }
        Ok(count)
    }
}

/// Sends one datagram to whom it may go.
fn send(datagrams: &Datagrams, data: &[u8], to: Option<SocketAddr>) -> SocketResult<Option<()>> {
    let to = match (datagrams.peer(), to) {
        (Some(peer), Some(to)) if peer != to => return Err(ErrorCode::InvalidArgument.into()),
        (Some(_), _) => None,
        (None, None) => return Err(ErrorCode::InvalidArgument.into()),
        (None, Some(to)) => {
            check_peer(datagrams.family, to)?;
            Some(to)
        }
    };
    let traffic = &datagrams.network.traffic;
    if traffic.may_send(data.len()).map_err(reached)? < data.len() {
        return Err(reached(LimitKind::SentBytes));
    }
    let sent = datagrams.send(data, to).map_err(|failure| code(&datagrams.network, "udp send", &failure))?;
    if sent.is_some() {
        traffic.sent(data.len());
    }
    Ok(sent)
}

fn reached(limit: LimitKind) -> SocketError {
    SocketError::trap(wasmtime::Error::new(Reached(limit)))
}

impl SocketsView<'_> {
    fn udp(&mut self, this: &Resource<UdpSocket>) -> SocketResult<&mut Udp> {
        Ok(self.table.get_mut(&borrowed::<Udp>(this))?)
    }
}

/// Options, of which the system has the say as soon as it has the socket.
macro_rules! options {
    ($($get:ident => $option:ident, $set:ident => $set_option:ident: $kind:ty;)*) => {
        $(
            fn $get(&mut self, this: Resource<UdpSocket>) -> SocketResult<$kind> {
                let udp = self.udp(&this)?;
                udp.options.$option(udp.bound.as_ref().map(|bound| bound.socket.as_fd()))
            }

            fn $set(&mut self, this: Resource<UdpSocket>, value: $kind) -> SocketResult<()> {
                let udp = self.udp(&this)?;
                udp.options.$set_option(udp.bound.as_ref().map(|bound| bound.socket.as_fd()), value)
            }
        )*
    };
}

impl udp::Host for SocketsView<'_> {}

impl HostUdpSocket for SocketsView<'_> {
    async fn start_bind(
        &mut self,
        this: Resource<UdpSocket>,
        network: Resource<NetworkHandle>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        self.check(&network)?;
        let udp = self.udp(&this)?;
        if udp.binding {
            return Err(ErrorCode::ConcurrencyConflict.into());
        }
        udp.bind(local.into()).await?;
        udp.binding = true;
        Ok(())
    }

    fn finish_bind(&mut self, this: Resource<UdpSocket>) -> SocketResult<()> {
        let udp = self.udp(&this)?;
        if std::mem::take(&mut udp.binding) { Ok(()) } else { Err(ErrorCode::NotInProgress.into()) }
    }

    async fn stream(
        &mut self,
        this: Resource<UdpSocket>,
        peer: Option<IpSocketAddress>,
    ) -> SocketResult<(Resource<IncomingDatagramStream>, Resource<OutgoingDatagramStream>)> {
        let (incoming, outgoing) = self.udp(&this)?.stream(peer.map(SocketAddr::from)).await?;
        Ok((handle(&self.table.push(incoming)?), handle(&self.table.push(outgoing)?)))
    }

    fn local_address(&mut self, this: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        let bound = self.udp(&this)?.bound()?;
        let local = bound.published.map_or_else(|| address(rustix::net::getsockname(&bound.socket)), Ok)?;
        Ok(local.into())
    }

    fn remote_address(&mut self, this: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        let peer = self.udp(&this)?.bound()?.peer();
        peer.map(IpSocketAddress::from).ok_or_else(|| ErrorCode::InvalidState.into())
    }

    fn address_family(&mut self, this: Resource<UdpSocket>) -> wasmtime::Result<IpAddressFamily> {
        Ok(self.table.get(&borrowed::<Udp>(&this))?.family)
    }

    options! {
        unicast_hop_limit => hops, set_unicast_hop_limit => set_hops: u8;
        receive_buffer_size => receive_buffer, set_receive_buffer_size => set_receive_buffer: u64;
        send_buffer_size => send_buffer, set_send_buffer_size => set_send_buffer: u64;
    }

    fn subscribe(&mut self, this: Resource<UdpSocket>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, borrowed::<Udp>(&this))
    }

    fn drop(&mut self, this: Resource<UdpSocket>) -> wasmtime::Result<()> {
        self.table.delete(kept::<Udp>(&this))?;
        Ok(())
    }
}

impl HostIncomingDatagramStream for SocketsView<'_> {
    fn receive(&mut self, this: Resource<IncomingDatagramStream>, most: u64) -> SocketResult<Vec<IncomingDatagram>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(MOST_DATAGRAMS);
        self.table.get(&borrowed::<Incoming>(&this))?.receive(most)
    }

    fn subscribe(&mut self, this: Resource<IncomingDatagramStream>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, borrowed::<Incoming>(&this))
    }

    fn drop(&mut self, this: Resource<IncomingDatagramStream>) -> wasmtime::Result<()> {
        self.table.delete(kept::<Incoming>(&this))?;
        Ok(())
    }
}

impl HostOutgoingDatagramStream for SocketsView<'_> {
    fn check_send(&mut self, this: Resource<OutgoingDatagramStream>) -> SocketResult<u64> {
        let stream = &mut self.table.get_mut(&borrowed::<Outgoing>(&this))?.0;
        let ready = stream.current()?.socket.is_ready(PollFlags::OUT);
        stream.permit = if ready { MOST_DATAGRAMS } else { 0 };
        Ok(u64::try_from(stream.permit).unwrap_or(u64::MAX))
    }

    fn send(&mut self, this: Resource<OutgoingDatagramStream>, sent: Vec<OutgoingDatagram>) -> SocketResult<u64> {
        self.table.get_mut(&borrowed::<Outgoing>(&this))?.send(sent)
    }

    fn subscribe(&mut self, this: Resource<OutgoingDatagramStream>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, borrowed::<Outgoing>(&this))
    }

    async fn drop(&mut self, this: Resource<OutgoingDatagramStream>) -> wasmtime::Result<()> {
        self.table.delete(kept::<Outgoing>(&this))?;
        Ok(())
    }
}

impl udp_create_socket::Host for SocketsView<'_> {
    async fn create_udp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        let place = Arc::new(self.network.place("create-udp-socket").ok_or(ErrorCode::NewSocketLimit)?);
        let (network, options) = (Arc::clone(self.network), Options::new(family));
        let udp = Udp { family, network, place, options, bound: None, binding: false };
        Ok(handle(&self.table.push(udp)?))
    }
}
