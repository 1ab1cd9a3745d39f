//! Clients: who comes to a port of the guest's, what they say, and what they have to hear.

use super::conversation::{self, PATIENCE};
use super::{Protocol, Text};
use crate::Result;
use serde::Deserialize;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a client waits before it tries a port again.
const PAUSE: Duration = Duration::from_millis(5);

/// Somebody who comes to the guest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The name of the port.
    pub to: String,
    /// How it comes.
    #[serde(default)]
    pub protocol: Protocol,
    /// The address to which it comes.
    #[serde(default = "loopback")]
    pub address: IpAddr,
    /// It comes when standard output contains this; else at once, and again until somebody is there.
    pub when: Option<String>,
    /// What it sends.
    pub sends: Option<Text>,
    /// Whether it says that this was all.
    #[serde(default)]
    pub shuts: bool,
    /// What it has to receive, exactly, until the connection ends.
    pub receives: Option<Text>,
    /// Parts of what it has to receive.
    #[serde(default)]
    pub receives_contains: Vec<String>,
    /// Nobody may be there.
    #[serde(default)]
    pub refused: bool,
}

fn loopback() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

/// What clients wait for.
#[derive(Debug, Default)]
pub(super) struct Cues {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stdout: Vec<u8>,
    over: bool,
}

impl Cues {
    /// The guest has printed this.
    pub(super) fn heard(&self, piece: &[u8]) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stdout.extend_from_slice(piece);
        self.changed.notify_all();
    }

    /// There is no guest any more.
    pub(super) fn finish(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.changed.notify_all();
    }

    /// Waits for the guest to say something; whether it has.
    fn wait_for(&self, text: &[u8]) -> bool {
        let said = |state: &State| state.stdout.windows(text.len()).any(|window| window == text);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state =
            self.changed.wait_while(state, |state| !state.over && !said(state)).unwrap_or_else(PoisonError::into_inner);
        said(&state)
    }

    /// Waits a little; whether it is over.
    fn pause(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(state, PAUSE, |state| !state.over);
        waited.unwrap_or_else(PoisonError::into_inner).0.over
    }

    fn is_over(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).over
    }
}

/// A client on its way.
#[derive(Debug)]
pub struct Running {
    thread: JoinHandle<Result<()>>,
}

/// What a client does, with ports where their names stood.
struct Plan {
    peer: SocketAddr,
    protocol: Protocol,
    when: Option<String>,
    sends: Vec<u8>,
    shuts: bool,
    receives: Option<Vec<u8>>,
    contains: Vec<String>,
    refused: bool,
}

impl Running {
    pub(super) fn start(client: &Client, port: u16, place: &dyn Fn(&str) -> String, cues: &Arc<Cues>) -> Self {
        let plan = Plan {
            peer: SocketAddr::new(client.address, port),
            protocol: client.protocol,
            when: client.when.as_deref().map(place),
            sends: client.sends.as_ref().map(|text| text.bytes(place)).unwrap_or_default(),
            shuts: client.shuts,
            receives: client.receives.as_ref().map(|text| text.bytes(place)),
            contains: client.receives_contains.iter().map(|part| place(part)).collect(),
            refused: client.refused,
        };
        let (name, cues) = (client.to.clone(), Arc::clone(cues));
        let thread = std::thread::spawn(move || {
            plan.carry_out(&cues).map_err(|complaint| format!("the client of {name}: {complaint}"))
        });
        Self { thread }
    }

    /// What came of it.
    pub(super) fn finish(self) -> Result<()> {
        self.thread.join().unwrap_or_else(|_| Err("a client panicked".to_owned()))
    }
}

impl Plan {
    fn carry_out(&self, cues: &Cues) -> Result<()> {
        if let Some(text) = &self.when
            && !cues.wait_for(text.as_bytes())
        {
            return Err(format!("the guest never said '{text}'"));
        }
        let received = match self.protocol {
            Protocol::Tcp => self.connect(cues)?.map(|stream| self.talk(stream)).transpose(),
            Protocol::Udp => self.exchange(cues),
            Protocol::Unix => return Err("guests have no names in the file system".to_owned()),
        };
        let Some(received) = received.map_err(|error| error.to_string())? else { return Ok(()) };
        if let Some(wanted) = &self.receives
            && let Some(complaint) = conversation::differs("it received", wanted, &received)
        {
            return Err(complaint);
        }
        let text = String::from_utf8_lossy(&received);
        match self.contains.iter().find(|part| !text.contains(part.as_str())) {
            Some(part) => Err(format!("{} does not contain {part:?}", conversation::shown(&received))),
            None => Ok(()),
        }
    }

    /// A connection; none where none may be had.
    fn connect(&self, cues: &Cues) -> Result<Option<TcpStream>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(self.peer) {
                Ok(_) if self.refused => return Err(format!("somebody is at {}", self.peer)),
                Ok(stream) => return Ok(Some(stream)),
                Err(error) if error.kind() != ErrorKind::ConnectionRefused => return Err(error.to_string()),
                Err(_) if self.refused => return Ok(None),
                Err(_) if cues.pause() || Instant::now() > deadline => {
                    return Err(format!("nobody is at {}", self.peer));
                }
                Err(_) => {}
            }
        }
    }

    /// Everything that comes over a connection.
    fn talk(&self, mut stream: TcpStream) -> std::io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (mut out, sends, shuts) = (stream.try_clone()?, self.sends.clone(), self.shuts);
        let writer = std::thread::spawn(move || {
            out.write_all(&sends)?;
            if shuts { out.shutdown(Shutdown::Write) } else { Ok(()) }
        });
        let (mut received, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                // A guest that ends with something unread.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => return Err(error),
            }
        }
        // A guest need not take all: what it answers is what counts.
        let _unread = writer.join();
        Ok(received)
    }

    /// Sends a datagram, and waits for one where one is expected.
    fn exchange(&self, cues: &Cues) -> std::io::Result<Option<Vec<u8>>> {
        let any = SocketAddr::new(if self.peer.is_ipv4() { loopback() } else { self.peer.ip() }, 0);
        let socket = UdpSocket::bind(any)?;
        socket.connect(self.peer)?;
        socket.set_read_timeout(Some(PAUSE * 10))?;
        let answered = self.receives.is_some() || !self.contains.is_empty();
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = vec![0; 1 << 16];
        loop {
            // A port where nobody is tells at the next call.
            let sent = socket.send(&self.sends);
            let refused = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
            if !answered && sent.is_ok() {
                return Ok(None);
            }
            loop {
                match socket.recv(&mut buffer) {
                    Ok(length) => return Ok(Some(buffer[..length].to_vec())),
                    Err(error) if refused(&error) => break,
                    Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                        return Err(error);
                    }
                    Err(_) if cues.is_over() || Instant::now() > deadline => {
                        return Err(std::io::Error::other("no datagram came back"));
                    }
                    Err(_) => {}
                }
            }
            if cues.pause() || Instant::now() > deadline {
                return Err(std::io::Error::other(format!("nobody is at {}", self.peer)));
            }
        }
    }
}
