//! A connection with what was read and not yet understood, and what is to be written and was not yet taken.

use crate::{Interest, imports};
use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use wasmedge_wasi_socket::socket::{AddressFamily, Socket, SocketType};

thread_local! {
    /// Room to read into: one for all connections, since in an interpreter clearing it takes longer than a request.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 << 10]);
}

/// What came of reading or writing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// As much as there was, or as there was room for.
    Blocked,
    /// The peer has said all it will say; or everything was written.
    Done,
    /// The connection is of no use any more.
    Broken,
}

/// A non-blocking connection.
#[derive(Debug)]
pub struct Connection {
    /// The socket.
    pub socket: Socket,
    /// Read, and not yet used.
    pub input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
}

impl Connection {
    /// A connection over this socket, which has to be non-blocking.
    pub fn new(socket: Socket) -> Self {
        Self { socket, input: Vec::new(), output: Vec::new(), written: 0 }
    }

    /// Queues bytes for writing.
    pub fn queue(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// How much is still to be written.
    pub fn queued(&self) -> usize {
        self.output.len() - self.written
    }

    /// Reads what there is, at most 64 KiB: one busy peer must not starve the others.
    pub fn read(&mut self) -> Progress {
        SCRATCH.with_borrow_mut(|buffer| {
            loop {
                match self.socket.recv(buffer) {
                    Ok(0) => return Progress::Done,
                    Ok(count) => {
                        self.input.extend_from_slice(&buffer[..count]);
                        return Progress::Blocked;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Blocked,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return Progress::Broken,
                }
            }
        })
    }

    /// Writes what the socket takes.
    pub fn write(&mut self) -> Progress {
        while self.written < self.output.len() {
            match self.socket.send(&self.output[self.written..]) {
                Ok(0) => return Progress::Broken,
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Blocked,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Progress::Broken,
            }
        }
        self.output.clear();
        self.written = 0;
        // A thousand idle connections are to cost little.
        if self.output.capacity() > 64 << 10 {
            self.output.shrink_to(4 << 10);
        }
        Progress::Done
    }

    /// The interest of this connection.
    pub fn interest(&self, token: usize, read: bool, write: bool) -> Interest {
        Interest { token, fd: self.socket.as_raw_fd(), read, write }
    }
}

/// A blocking connection, over IPv4 or IPv6.
pub fn connect(to: &SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(AddressFamily::from(to), SocketType::Stream)?;
    imports::connect(&socket, to)?;
    Ok(socket)
}

/// Begins to connect without waiting: writable once it is settled, and then `take_error` tells.
pub fn start_connecting(to: &SocketAddr) -> io::Result<Socket> {
    const INPROGRESS: i32 = 26;
    let socket = Socket::new(AddressFamily::from(to), SocketType::Stream)?;
    socket.set_nonblocking(true)?;
    match imports::connect(&socket, to) {
        Err(error) if error.raw_os_error() != Some(INPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}
