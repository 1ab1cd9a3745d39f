//! A listening socket that knows when it had better wait.

use crate::{Connection, HostPort, Interest, local_address};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use wasmedge_wasi_socket::socket::{AddressFamily, Socket, SocketOptLevel, SocketOptName, SocketType};

/// A non-blocking listener.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    exhausted: bool,
}

impl Listener {
    /// Binds and listens, and says where on standard output: with port 0 nobody else would know.
    pub fn bind(at: &HostPort) -> io::Result<Self> {
        let at = at.address()?;
        let socket = Socket::new(AddressFamily::from(&at), SocketType::Stream)?;
        socket.setsockopt(SocketOptLevel::SolSocket, SocketOptName::SoReuseaddr, 1i32)?;
        socket.bind(&at)?;
        socket.listen(1024)?;
        socket.set_nonblocking(true)?;
        println!("listening on {}", local_address(&socket)?);
        Ok(Self { socket, exhausted: false })
    }

    /// Whether connections can be taken: false while descriptors are used up.
    pub fn open(&self) -> bool {
        !self.exhausted
    }

    /// A connection has closed, so there is room for another.
    pub fn room(&mut self) {
        self.exhausted = false;
    }

    /// The listener's interest.
    pub fn interest(&self, token: usize) -> Interest {
        Interest { token, fd: self.socket.as_raw_fd(), read: true, write: false }
    }

    /// A connection that waits, if there is one. When descriptors are used up it is left waiting.
    pub fn accept(&mut self) -> io::Result<Option<Connection>> {
        const EXHAUSTED: [i32; 4] = [33, 41, 42, 48]; // mfile, nfile, nobufs, nomem
        match self.socket.accept(true) {
            Ok(socket) => Ok(Some(Connection::new(socket))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            // It was gone before it was taken: that is the peer's affair.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => Ok(None),
            Err(error) if error.raw_os_error().is_some_and(|number| EXHAUSTED.contains(&number)) => {
                self.exhausted = true;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
