//! A process that opens sockets for the guest's: both ends of their conversation.
//!
//! It is a sequence of whole messages over a pair of local sockets, a request and its reply at a time, with opened sockets passed along.

use super::names::Names;
use super::wire::{LONGEST, LONGEST_DATA, Reply, Request, decode, encode};
use super::{DatagramId, Direct, Failure, Network};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How many names are asked for at once.
const LOOKUPS: usize = 64;

/// What asking for a name takes of a stack, and room to spare.
const LOOKUP_STACK: usize = 256 << 10;

/// The guest's end.
#[derive(Debug)]
pub struct Broker {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Broker {
    /// The two ends of a conversation: the guest's, and the one for [`serve`].
    ///
    /// # Errors
    /// The system's, when there is no descriptor left.
    pub fn pair() -> std::io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = pair()?;
        Ok((Self::new(ours), theirs))
    }

    /// The guest's end over this socket.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, buffer: Vec::new() }
    }

    /// Asks, and waits for the reply.
    fn ask(&mut self, request: &Request, data: &[u8]) -> Result<(Reply, Option<OwnedFd>, &[u8]), Failure> {
        let message = encode(request, data)?;
        // What is longer than any message cannot be sent either: the system says so.
        retry(|| rustix::net::send(&self.socket, &message, SendFlags::NOSIGNAL))?;
        hear(self.socket.as_fd(), &mut self.buffer)
    }

    /// Asks for the addresses of a name, and does not wait for them: they come over the socket, to [`resolved`].
    ///
    /// # Errors
    /// As for all questions.
    pub fn start_resolving(&mut self, name: &str) -> Result<OwnedFd, Failure> {
        self.ask_for_socket(&Request::Resolve { name: name.to_owned() }).map(|(socket, _)| socket)
    }

    fn ask_for_socket(&mut self, request: &Request) -> Result<(OwnedFd, DatagramId), Failure> {
        match self.ask(request, &[])? {
            (Reply::Socket { id }, Some(socket), _) => Ok((socket, id)),
            _ => Err(Errno::IO.into()),
        }
    }

    fn ask_to_do(&mut self, request: &Request, data: &[u8]) -> Result<usize, Failure> {
        match self.ask(request, data)? {
            (Reply::Done { count }, ..) => Ok(count),
            _ => Err(Errno::IO.into()),
        }
    }
}

impl AsFd for Broker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Network for Broker {
    fn connect(&mut self, local: Option<SocketAddr>, peer: SocketAddr) -> Result<OwnedFd, Failure> {
        self.ask_for_socket(&Request::Connect { local, peer }).map(|(socket, _)| socket)
    }

    fn bind(&mut self, local: SocketAddr) -> Result<OwnedFd, Failure> {
        self.ask_for_socket(&Request::Bind { local }).map(|(socket, _)| socket)
    }

    fn datagrams(&mut self, local: SocketAddr) -> Result<(OwnedFd, DatagramId), Failure> {
        self.ask_for_socket(&Request::Datagrams { local })
    }

    fn connect_datagrams(&mut self, id: DatagramId, peer: SocketAddr) -> Result<(), Failure> {
        self.ask_to_do(&Request::ConnectDatagrams { id, peer }, &[]).map(drop)
    }

    fn disconnect_datagrams(&mut self, id: DatagramId) -> Result<(), Failure> {
        self.ask_to_do(&Request::DisconnectDatagrams { id }, &[]).map(drop)
    }

    fn send_to(&mut self, id: DatagramId, data: &[u8], peer: SocketAddr) -> Result<usize, Failure> {
        if data.len() > LONGEST_DATA {
            return Err(Errno::MSGSIZE.into());
        }
        self.ask_to_do(&Request::SendTo { id, peer }, data)
    }

    fn receive_from(&mut self, id: DatagramId, buffer: &mut [u8], peek: bool) -> Result<(usize, SocketAddr), Failure> {
        match self.ask(&Request::ReceiveFrom { id, length: buffer.len(), peek }, &[])? {
            (Reply::Received { length, peer }, _, data) => {
                let count = data.len().min(buffer.len());
                buffer[..count].copy_from_slice(&data[..count]);
                Ok((length, peer))
            }
            _ => Err(Errno::IO.into()),
        }
    }

    fn close_datagrams(&mut self, id: DatagramId) {
        let _gone = self.ask(&Request::CloseDatagrams { id }, &[]);
    }

    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        resolved(&self.start_resolving(name)?)
    }
}

/// The answer of [`Broker::start_resolving`], once it is there.
///
/// # Errors
/// [`Failure::NoName`], or the system's.
pub fn resolved(answer: &impl AsFd) -> Result<Vec<IpAddr>, Failure> {
    match hear(answer.as_fd(), &mut Vec::new())? {
        (Reply::Addresses(addresses), ..) => Ok(addresses),
        _ => Err(Errno::IO.into()),
    }
}

/// An answer that is no failure, with what came with it.
fn hear<'b>(socket: BorrowedFd<'_>, buffer: &'b mut Vec<u8>) -> Result<(Reply, Option<OwnedFd>, &'b [u8]), Failure> {
    buffer.resize(LONGEST, 0);
    let (length, sent) = receive(socket, buffer)?;
    let (reply, data) = decode::<Reply>(&buffer[..length]).ok_or(Errno::IO)?;
    match reply {
        Reply::Denied(why) => Err(Failure::Denied(why)),
        Reply::System(errno) => Err(Failure::System(errno)),
        Reply::NoName => Err(Failure::NoName),
        reply => Ok((reply, sent, data)),
    }
}

fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Answers the guest's end until that is closed. A message that is none ends the conversation.
pub fn serve(socket: &OwnedFd, network: &mut Direct) {
    let mut buffer = vec![0; LONGEST];
    let mut data = vec![0; LONGEST_DATA];
    while let Ok((length, _)) = receive(socket.as_fd(), &mut buffer) {
        let Some((request, sent)) = decode::<Request>(&buffer[..length]) else { return };
        let (reply, opened, received) = match answer(network, request, sent, &mut data) {
            Ok(answer) => answer,
            Err(failure) => (failure.into(), None, 0),
        };
        let Ok(message) = encode(&reply, &data[..received]) else { return };
        if send(socket.as_fd(), &message, opened.as_ref()).is_err() {
            return;
        }
    }
}

type Answered = (Reply, Option<OwnedFd>, usize);

fn answer(network: &mut Direct, request: Request, sent: &[u8], data: &mut [u8]) -> Result<Answered, Failure> {
    let done = |count| (Reply::Done { count }, None, 0);
    Ok(match request {
        Request::Connect { local, peer } => (Reply::Socket { id: 0 }, Some(network.connect(local, peer)?), 0),
        Request::Bind { local } => (Reply::Socket { id: 0 }, Some(network.bind(local)?), 0),
        Request::Datagrams { local } => {
            let (socket, id) = network.datagrams(local)?;
            (Reply::Socket { id }, Some(socket), 0)
        }
        Request::ConnectDatagrams { id, peer } => done(network.connect_datagrams(id, peer).map(|()| 0)?),
        Request::DisconnectDatagrams { id } => done(network.disconnect_datagrams(id).map(|()| 0)?),
        Request::SendTo { id, peer } => done(network.send_to(id, sent, peer)?),
        Request::ReceiveFrom { id, length, peek } => {
            let room = length.min(data.len());
            let (length, peer) = network.receive_from(id, &mut data[..room], peek)?;
            (Reply::Received { length, peer }, None, length.min(room))
        }
        Request::CloseDatagrams { id } => {
            network.close_datagrams(id);
            done(0)
        }
        Request::Resolve { name } => (Reply::Socket { id: 0 }, Some(look_up(network.names_for(&name)?, name)?), 0),
    })
}

/// Begins to ask for a name beside everything else. The answer comes over the socket.
fn look_up(names: &Names, name: String) -> Result<OwnedFd, Failure> {
    let (ours, theirs) = pair()?;
    let asking = names.clone();
    let ask = move || {
        let reply = asking.ask(&name).map_or_else(Reply::from, Reply::Addresses);
        if let Ok(message) = encode(&reply, &[]) {
            // Whoever asked may be gone.
            let _ = send(ours.as_fd(), &message, None);
        }
    };
    // Of many that nobody answers, the others wait their turn, and everything else with them.
    if names.askers() <= LOOKUPS {
        std::thread::Builder::new().stack_size(LOOKUP_STACK).spawn(ask).map_err(|_| Errno::AGAIN)?;
    } else {
        ask();
    }
    Ok(theirs)
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

fn send(socket: BorrowedFd<'_>, message: &[u8], passed: Option<&OwnedFd>) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let passed = passed.map(AsFd::as_fd);
    if let Some(passed) = &passed {
        control.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(passed)));
    }
    retry(|| rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL)).map(drop)
}

/// One message, and the descriptor that came with it. An end is an error: there is nobody to ask.
fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Option<OwnedFd>), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry(|| {
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut *buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let passed = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut passed) => passed.next(),
        _ => None,
    });
    if received.bytes == 0 { Err(Errno::CONNRESET) } else { Ok((received.bytes, passed)) }
}
