//! An HTTP server over listeners that it was given, with nothing but preview1: `p1-listener [--nonblocking]`.
//!
//! LISTEN_FDS (default 1) says how many listeners there are, from descriptor 3 on. `/health` answers `ok`, `/echo` what was sent. After
//! MAX_REQUESTS answers it ends with code 0. As it is, one listener is served, one connection after the other; with `--nonblocking` all of
//! them at once, by one `poll_oneoff`. It ends with 2 when a listener is not one.

use guest_http::{Taken, response_head, take_request};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::process::ExitCode;

#[path = "p1-listener/poll.rs"]
mod poll;

/// Where preview1 puts the first descriptor that is neither standard input nor an output.
const FIRST: i32 = 3;

fn main() -> ExitCode {
    let setting = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or(default),
        Err(_) => default,
    };
    let count = i32::try_from(setting("LISTEN_FDS", 1)).unwrap_or(1).max(1);
    // SAFETY: these descriptors were handed to this program for it to use; nothing else here owns them.
    let listeners: Vec<_> = (FIRST..FIRST + count).map(|fd| unsafe { TcpListener::from_raw_fd(fd) }).collect();
    let mut server = Server { left: setting("MAX_REQUESTS", u64::MAX) };
    let served = match std::env::args().nth(1).as_deref() {
        None => server.one_by_one(&listeners[0]),
        Some("--nonblocking") => server.all_at_once(&listeners),
        Some(other) => {
            eprintln!("p1-listener: {other} is not --nonblocking");
            return ExitCode::from(64);
        }
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("p1-listener: {error}");
            ExitCode::from(2)
        }
    }
}

/// What is still to be done.
struct Server {
    left: u64,
}

/// A client with what it sent and what it is owed.
struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    closing: bool,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        Self { stream, input: Vec::new(), output: Vec::new(), closing: false }
    }

    /// Reads and writes as far as it goes. False: this client is done.
    fn attend(&mut self, server: &mut Server) -> bool {
        let mut buffer = [0u8; 16 << 10];
        loop {
            server.answer(self);
            while !self.output.is_empty() {
                match self.stream.write(&self.output) {
                    Ok(0) => return false,
                    Ok(count) => drop(self.output.drain(..count)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return false,
                }
            }
            if self.closing || server.left == 0 {
                return false;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }
}

impl Server {
    fn one_by_one(&mut self, listener: &TcpListener) -> std::io::Result<()> {
        // Whoever made the listener may have left it non-blocking.
        listener.set_nonblocking(false)?;
        while self.left > 0 {
            let (stream, _) = listener.accept()?;
            let mut client = Client::new(stream);
            while client.attend(self) {}
        }
        Ok(())
    }

    fn all_at_once(&mut self, listeners: &[TcpListener]) -> std::io::Result<()> {
        for listener in listeners {
            listener.set_nonblocking(true)?;
        }
        let mut clients: Vec<Client> = Vec::new();
        while self.left > 0 || clients.iter().any(|client| !client.output.is_empty()) {
            let accepting = if self.left > 0 { listeners } else { &[] };
            let listening = accepting.iter().map(|listener| (listener.as_raw_fd(), poll::READ));
            let waiting = clients.iter().map(|client| {
                (client.stream.as_raw_fd(), if client.output.is_empty() { poll::READ } else { poll::WRITE })
            });
            let ready = poll::wait(listening.chain(waiting))?;
            // From the back, so that one that goes does not move those that are still to come.
            for index in ready.into_iter().rev() {
                match accepting.get(index) {
                    Some(listener) => match listener.accept() {
                        Ok((stream, _)) => {
                            stream.set_nonblocking(true)?;
                            clients.push(Client::new(stream));
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error),
                    },
                    None => {
                        let index = index - accepting.len();
                        if !clients[index].attend(self) {
                            clients.swap_remove(index);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Answers what the client has asked so far.
    fn answer(&mut self, client: &mut Client) {
        while self.left > 0 && !client.closing {
            let (status, kind, body, keep) = match take_request(&mut client.input) {
                Taken::Incomplete(false) => return,
                Taken::Incomplete(true) => {
                    client.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    return;
                }
                Taken::Refused(status) => (status, "text/plain", Vec::new(), false),
                Taken::Request(request) => {
                    let keep = request.keep_alive && self.left > 1;
                    match (request.method.as_str(), request.path.as_str()) {
                        ("GET", "/health") => (200, "text/plain", b"ok\n".to_vec(), keep),
                        ("POST" | "PUT", "/echo") => (200, "application/octet-stream", request.body, keep),
                        (_, "/health" | "/echo") => (405, "text/plain", Vec::new(), keep),
                        _ => (404, "text/plain", Vec::new(), keep),
                    }
                }
            };
            client.output.extend_from_slice(&response_head(status, kind, body.len() as u64, keep));
            client.output.extend_from_slice(&body);
            client.closing = !keep;
            self.left -= 1;
        }
    }
}
