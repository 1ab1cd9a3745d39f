//! A connection and its two streams. Bytes go straight to and from the system; what it does not take at once is kept, and handed over as
//! soon as it does, also when the guest has turned to something else.

use super::super::ending::Reached;
use super::super::network::Network;
use super::super::quota::Place;
use super::super::watched::Watched;
use bytes::Bytes;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmrt_model::LimitKind;
use wasmtime_wasi::p2::bindings::sockets::tcp::ShutdownType;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// The most that is read or taken at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Two ends that talk to each other.
pub(super) struct Connection {
    socket: Watched,
    network: Arc<Network>,
    _place: Arc<Place>,
    /// Whether the guest has had all that it will.
    deaf: Mutex<bool>,
    outgoing: Mutex<Sending>,
}

/// What the guest has written, and the system has not taken yet.
struct Sending {
    rest: Bytes,
    /// What the guest may write without asking again.
    permit: usize,
    end: End,
    /// Whether somebody goes on with the rest.
    driven: bool,
}

/// How far a stream is from its end.
enum End {
    Open,
    /// No more comes; the peer is told when the rest has gone.
    Closing,
    Closed,
    /// The peer is gone.
    Failed(Errno),
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    pub(super) fn new(socket: Watched, network: Arc<Network>, place: Arc<Place>) -> Arc<Self> {
        let outgoing = Sending { rest: Bytes::new(), permit: 0, end: End::Open, driven: false };
        Arc::new(Self { socket, network, _place: place, deaf: Mutex::new(false), outgoing: Mutex::new(outgoing) })
    }

    /// Its streams, for the guest.
    pub(super) fn streams(self: &Arc<Self>) -> (Box<dyn InputStream>, Box<dyn OutputStream>) {
        (Box::new(Incoming(Arc::clone(self))), Box::new(Outgoing(Arc::clone(self))))
    }

    /// Ends one direction or both. Doing so again changes nothing.
    pub(super) fn shut_down(self: &Arc<Self>, what: ShutdownType) {
        if matches!(what, ShutdownType::Receive | ShutdownType::Both) {
            self.end_incoming();
        }
        if matches!(what, ShutdownType::Send | ShutdownType::Both) {
            self.end_outgoing();
        }
    }

    fn end_incoming(&self) {
        if !std::mem::replace(&mut *locked(&self.deaf), true) {
            // A peer that is gone needs not be told.
            let _gone = rustix::net::shutdown(&self.socket, Shutdown::Read);
        }
    }

    fn end_outgoing(self: &Arc<Self>) {
        let mut sending = locked(&self.outgoing);
        if matches!(sending.end, End::Open) {
            sending.end = End::Closing;
            self.push(&mut sending);
            self.drive(&mut sending);
        }
    }

    /// Hands over as much of the rest as the system takes.
    fn push(&self, sending: &mut Sending) {
        while !sending.rest.is_empty() {
            match rustix::net::send(&self.socket, &sending.rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) => drop(sending.rest.split_to(count.min(sending.rest.len()))),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(errno) => {
                    sending.rest.clear();
                    sending.end = End::Failed(errno);
                    return;
                }
            }
        }
        if matches!(sending.end, End::Closing) {
            let _gone = rustix::net::shutdown(&self.socket, Shutdown::Write);
            sending.end = End::Closed;
        }
    }

    /// Lets somebody go on with the rest, if there is any.
    fn drive(self: &Arc<Self>, sending: &mut Sending) {
        if sending.rest.is_empty() || std::mem::replace(&mut sending.driven, true) {
            return;
        }
        let connection = Arc::clone(self);
        self.network.go_on(async move { connection.pushed(true).await });
    }

    /// Waits until the system has taken everything. `driving`: as the one who goes on with the rest, and then does not any more.
    async fn pushed(&self, driving: bool) {
        loop {
            {
                let mut sending = locked(&self.outgoing);
                self.push(&mut sending);
                if sending.rest.is_empty() {
                    sending.driven &= !driving;
                    return;
                }
            }
            self.socket.writable().await;
        }
    }

    fn reached(limit: LimitKind) -> StreamError {
        StreamError::Trap(wasmtime::Error::new(Reached(limit)))
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What comes in.
struct Incoming(Arc<Connection>);

impl Incoming {
    /// Receives what is there; None when nothing is.
    fn receive(&self, buffer: &mut [u8], flags: RecvFlags) -> StreamResult<Option<usize>> {
        loop {
            match rustix::net::recv(&self.0.socket, &mut *buffer, flags | RecvFlags::DONTWAIT) {
                Ok((count, _)) => return Ok(Some(count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(errno) => {
                    *locked(&self.0.deaf) = true;
                    return Err(StreamError::LastOperationFailed(io::Error::from(errno).into()));
                }
            }
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Incoming {
    async fn ready(&mut self) {
        if !*locked(&self.0.deaf) {
            self.0.socket.readable().await;
        }
    }
}

impl InputStream for Incoming {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if *locked(&self.0.deaf) {
            return Err(StreamError::Closed);
        }
        if size == 0 {
            return Ok(Bytes::new());
        }
        let traffic = &self.0.network.traffic;
        let allowed = match traffic.may_receive(size.min(CHUNK_BYTES)) {
            Ok(allowed) => allowed,
            // That the peer has ended is no byte, and can be told to a guest that has had all of its bytes.
            Err(limit) => match self.receive(&mut [0], RecvFlags::PEEK)? {
                None => return Ok(Bytes::new()),
                Some(0) => 0,
                Some(_) => return Err(Connection::reached(limit)),
            },
        };
        let mut buffer = vec![0; allowed];
        let received = if allowed == 0 { Some(0) } else { self.receive(&mut buffer, RecvFlags::empty())? };
        match received {
            None => Ok(Bytes::new()),
            Some(0) => {
                *locked(&self.0.deaf) = true;
                Err(StreamError::Closed)
            }
            Some(count) => {
                traffic.received(count);
                buffer.truncate(count);
                Ok(buffer.into())
            }
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.0.end_incoming();
    }
}

/// What goes out.
struct Outgoing(Arc<Connection>);

#[async_trait::async_trait]
impl Pollable for Outgoing {
    async fn ready(&mut self) {
        self.0.pushed(false).await;
        if matches!(locked(&self.0.outgoing).end, End::Open) {
            self.0.socket.writable().await;
        }
    }
}

#[async_trait::async_trait]
impl OutputStream for Outgoing {
    /// What the limit allows is sent before it ends the guest.
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut sending = locked(&self.0.outgoing);
        if !matches!(sending.end, End::Open) {
            return Err(StreamError::Closed);
        }
        if bytes.len() > sending.permit {
            return Err(StreamError::trap("more was written than check-write allowed"));
        }
        let traffic = &self.0.network.traffic;
        let allowed = traffic.may_send(bytes.len()).map_err(Connection::reached)?;
        sending.permit -= bytes.len();
        sending.rest = if sending.rest.is_empty() {
            bytes.slice(..allowed)
        } else {
            [&sending.rest[..], &bytes[..allowed]].concat().into()
        };
        traffic.sent(allowed);
        self.0.push(&mut sending);
        self.0.drive(&mut sending);
        if allowed < bytes.len() { Err(Connection::reached(LimitKind::SentBytes)) } else { Ok(()) }
    }

    fn flush(&mut self) -> StreamResult<()> {
        match locked(&self.0.outgoing).end {
            End::Open => Ok(()),
            _ => Err(StreamError::Closed),
        }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let mut sending = locked(&self.0.outgoing);
        self.0.push(&mut sending);
        match sending.end {
            End::Open => {}
            // It is told once; a broken pipe is an end.
            End::Failed(errno) if errno != Errno::PIPE => {
                sending.end = End::Closed;
                return Err(StreamError::LastOperationFailed(io::Error::from(errno).into()));
            }
            _ => return Err(StreamError::Closed),
        }
        let free = sending.rest.is_empty() && self.0.socket.is_ready(PollFlags::OUT);
        sending.permit = if free { CHUNK_BYTES } else { 0 };
        Ok(sending.permit)
    }

    /// What was written is not lost because the stream is closed.
    async fn cancel(&mut self) {
        self.0.pushed(false).await;
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.0.end_outgoing();
    }
}
