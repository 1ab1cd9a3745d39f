//! Peers: whom a guest may try to reach, what they do then, and what they saw.

use super::conversation::{self, PATIENCE};
use super::https::{Certificate, Server};
use super::{Protocol, Text};
use crate::Result;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketType};
use serde::Deserialize;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::JoinHandle;

/// Somebody on loopback.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// `{port:NAME}` stands for its port.
    pub name: String,
    /// How it is reached.
    #[serde(default)]
    pub protocol: Protocol,
    /// Its address.
    #[serde(default = "loopback")]
    pub address: IpAddr,
    /// Its name in the file system, below the case's directory, for `unix`.
    pub path: Option<String>,
    /// What it does.
    pub does: Does,
    /// How many connections or datagrams it has to have seen.
    pub reached: Option<u64>,
    /// What it has to have received, over all of them.
    pub received: Option<Text>,
}

fn loopback() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

/// What a peer does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    /// Sends back what it gets.
    Echo,
    /// Takes connections or datagrams, says nothing, reads nothing.
    Silent,
    /// Nobody is at this port, and nobody comes to be.
    Closed,
    /// Its queue is full: it takes no connection, and does not refuse one either.
    Full,
    /// Answers one HTTP request: with its body, or with its first line where it has none.
    Http,
    /// Answers one HTTP request over TLS, in the same way.
    Https(Certificate),
    /// Resets the connection when something came.
    Resets,
    /// Answers each datagram from another port first, and then as `echo`.
    Stranger,
    /// Sends this and ends the connection, before anything came.
    Sends(Text),
    /// Answers this, when something came.
    Answers(Text),
}

/// A peer that is there.
#[derive(Debug)]
pub(super) struct Standing {
    peer: Peer,
    local: Option<SocketAddr>,
    /// What keeps its port, where nobody serves it.
    _held: Vec<OwnedFd>,
    serving: Option<Serving>,
}

#[derive(Debug)]
struct Serving {
    /// Closing it is the sign to end.
    stop: OwnedFd,
    thread: JoinHandle<std::io::Result<Tally>>,
}

/// What a peer saw.
#[derive(Debug, Default)]
struct Tally {
    reached: u64,
    received: Vec<u8>,
}

impl Standing {
    /// Sets a peer up.
    pub(super) fn set(peer: &Peer, root: &Path) -> Result<Self> {
        Self::try_set(peer, root)
            .map_err(|error| format!("the peer {} cannot be had on {}: {error}", peer.name, peer.address))
    }

    fn try_set(peer: &Peer, root: &Path) -> std::io::Result<Self> {
        let mut standing = Self { peer: peer.clone(), local: None, _held: Vec::new(), serving: None };
        let any = SocketAddr::new(peer.address, 0);
        match (peer.protocol, &peer.does) {
            (Protocol::Tcp, Does::Closed) => {
                let family = if any.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
                let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
                rustix::net::bind(&socket, &any)?;
                standing.local = Some(rustix::net::getsockname(&socket)?.try_into()?);
                standing._held.push(socket);
            }
            (Protocol::Tcp, Does::Full) => {
                let listener = TcpListener::bind(any)?;
                rustix::net::listen(&listener, 0)?;
                let local = listener.local_addr()?;
                standing.local = Some(local);
                standing._held = vec![TcpStream::connect(local)?.into(), listener.into()];
            }
            (Protocol::Tcp, Does::Stranger) => return Err(std::io::Error::other("strangers send datagrams")),
            (Protocol::Tcp, Does::Https(certificate)) => {
                let listener = TcpListener::bind(any)?;
                standing.local = Some(listener.local_addr()?);
                let server = Server::new(certificate, root)?;
                standing.serve(move |stop| connections(&listener, move |stream| server.hold(stream), false, stop))?;
            }
            (Protocol::Tcp, does) => {
                let listener = TcpListener::bind(any)?;
                standing.local = Some(listener.local_addr()?);
                let (does, silent) = (does.clone(), *does == Does::Silent);
                let hold = move |stream| conversation::hold(stream, &does);
                standing.serve(move |stop| connections(&listener, hold, silent, stop))?;
            }
            (Protocol::Udp, Does::Closed) => {
                // A socket with one peer, itself, takes nobody else's datagrams.
                let socket = UdpSocket::bind(any)?;
                let local = socket.local_addr()?;
                socket.connect(local)?;
                standing.local = Some(local);
                standing._held.push(socket.into());
            }
            (Protocol::Udp, Does::Echo | Does::Silent | Does::Stranger | Does::Answers(_)) => {
                let socket = UdpSocket::bind(any)?;
                let stranger = UdpSocket::bind(any)?;
                standing.local = Some(socket.local_addr()?);
                let does = peer.does.clone();
                standing.serve(move |stop| datagrams(&socket, &stranger, &does, stop))?;
            }
            (Protocol::Unix, Does::Silent) => {
                let path = peer.path.as_ref().ok_or_else(|| std::io::Error::other("it has no path"))?;
                let listener = UnixListener::bind(root.join(path))?;
                standing.serve(move |stop| names(&listener, stop))?;
            }
            (protocol, does) => {
                return Err(std::io::Error::other(format!("nobody does {does:?} over {protocol:?}")));
            }
        }
        Ok(standing)
    }

    fn serve(&mut self, work: impl FnOnce(&OwnedFd) -> std::io::Result<Tally> + Send + 'static) -> std::io::Result<()> {
        let (end, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        self.serving = Some(Serving { stop, thread: std::thread::spawn(move || work(&end)) });
        Ok(())
    }

    /// Its port, where it has one.
    pub(super) fn port(&self) -> Option<u16> {
        self.local.map(|local| local.port())
    }

    /// Ends it: how often it was reached, and what is not as expected.
    pub(super) fn finish(&mut self, place: &dyn Fn(&str) -> String) -> (u64, Vec<String>) {
        let tally = match self.serving.take() {
            None => Tally::default(),
            Some(Serving { stop, thread }) => {
                drop(stop);
                match thread.join() {
                    Ok(Ok(tally)) => tally,
                    Ok(Err(error)) => return (0, vec![format!("the peer {} failed: {error}", self.peer.name)]),
                    Err(_) => return (0, vec![format!("the peer {} panicked", self.peer.name)]),
                }
            }
        };
        let mut wrong = Vec::new();
        if let Some(wanted) = self.peer.reached
            && wanted != tally.reached
        {
            wrong.push(format!("the peer {} was reached {} times instead of {wanted}", self.peer.name, tally.reached));
        }
        if let Some(wanted) = &self.peer.received {
            wrong.extend(conversation::differs(
                &format!("the peer {} received", self.peer.name),
                &wanted.bytes(place),
                &tally.received,
            ));
        }
        (tally.reached, wrong)
    }
}

/// Waits until somebody comes or it is time to end; whether it is.
fn wait(socket: impl AsFd, stop: &OwnedFd) -> std::io::Result<bool> {
    let mut polled = [PollFd::new(&socket, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
    loop {
        match poll(&mut polled, None) {
            Ok(_) => return Ok(!polled[1].revents().is_empty()),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn connections(
    listener: &TcpListener,
    hold: impl Fn(TcpStream) -> Vec<u8> + Clone + Send + 'static,
    is_silent: bool,
    stop: &OwnedFd,
) -> std::io::Result<Tally> {
    listener.set_nonblocking(true)?;
    let (mut tally, mut silent, mut talking) = (Tally::default(), Vec::new(), Vec::new());
    loop {
        let over = wait(listener, stop)?;
        // Also when it is over: somebody may have come just before.
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            tally.reached += 1;
            if is_silent {
                silent.push(stream);
                continue;
            }
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            let hold = hold.clone();
            talking.push(std::thread::spawn(move || hold(stream)));
        }
        if over {
            break;
        }
    }
    for thread in talking {
        tally.received.extend(thread.join().map_err(|_| std::io::Error::other("a conversation panicked"))?);
    }
    Ok(tally)
}

fn datagrams(socket: &UdpSocket, stranger: &UdpSocket, does: &Does, stop: &OwnedFd) -> std::io::Result<Tally> {
    socket.set_nonblocking(true)?;
    let mut tally = Tally::default();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let over = wait(socket, stop)?;
        loop {
            let (length, from) = match socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // What an earlier answer met with.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            };
            tally.reached += 1;
            tally.received.extend_from_slice(&buffer[..length]);
            // Who does not wait for an answer does not get one.
            let _gone = match does {
                Does::Echo => socket.send_to(&buffer[..length], from),
                Does::Stranger => {
                    stranger.send_to(b"stranger", from).and_then(|_| socket.send_to(&buffer[..length], from))
                }
                Does::Answers(text) => socket.send_to(&text.bytes(&str::to_owned), from),
                _ => Ok(0),
            };
        }
        if over {
            return Ok(tally);
        }
    }
}

fn names(listener: &UnixListener, stop: &OwnedFd) -> std::io::Result<Tally> {
    listener.set_nonblocking(true)?;
    let (mut tally, mut silent) = (Tally::default(), Vec::new());
    loop {
        let over = wait(listener, stop)?;
        while let Ok((stream, _)) = listener.accept() {
            tally.reached += 1;
            silent.push(stream);
        }
        if over {
            return Ok(tally);
        }
    }
}
