//! Opening sockets for a guest: the only place where one comes into being, an address is bound or a peer is reached.
//!
//! [`Direct`] asks the rules and then the system. [`Broker`] asks a process of its own that does so ([`serve`]): the guest's process then needs no
//! right to open a socket at all, and whatever gets out of the engine in there is still held by the rules. What guests see of
//! sockets, and what they do with those that they have, is `sockets`' business.

mod broker;
mod direct;
mod names;
mod wire;

pub use broker::{Broker, resolved, serve};
pub use direct::Direct;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

/// The most that a guest may make the system buffer for one socket, each way.
pub const LARGEST_BUFFER: u32 = 4 << 20;

/// The number of a datagram socket, as the one who opened it counts.
pub type DatagramId = u32;

/// Opens sockets for one guest. They do not block, whatever the guest wants: waiting is its host's part.
pub trait Network: fmt::Debug + Send {
    /// A connection that is being made, from an address of this machine if one is named; when it is writable it has been, or has failed.
    ///
    /// # Errors
    /// [`Failure`], as for all of these.
    fn connect(&mut self, local: Option<SocketAddr>, peer: SocketAddr) -> Result<OwnedFd, Failure>;

    /// A socket for connections, bound but not listening yet.
    fn bind(&mut self, local: SocketAddr) -> Result<OwnedFd, Failure>;

    /// A socket for datagrams, bound. Its descriptor is for waiting, and once it is connected for everything.
    fn datagrams(&mut self, local: SocketAddr) -> Result<(OwnedFd, DatagramId), Failure>;

    /// Lets a socket for datagrams have one peer only.
    fn connect_datagrams(&mut self, id: DatagramId, peer: SocketAddr) -> Result<(), Failure>;

    /// Lets a socket for datagrams have any peer again.
    fn disconnect_datagrams(&mut self, id: DatagramId) -> Result<(), Failure>;

    /// Sends one datagram.
    fn send_to(&mut self, id: DatagramId, data: &[u8], peer: SocketAddr) -> Result<usize, Failure>;

    /// Receives one datagram, if one is there: its whole length, and whose it is. What does not fit is lost, unless it is peeked at.
    fn receive_from(&mut self, id: DatagramId, buffer: &mut [u8], peek: bool) -> Result<(usize, SocketAddr), Failure>;

    /// The socket for datagrams is not needed any more.
    fn close_datagrams(&mut self, id: DatagramId);

    /// The addresses of a name, in the system's order.
    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, Failure>;
}

/// Why a socket was not opened, or did nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The rules do not allow it; with the reason.
    Denied(String),
    /// The system's error number.
    System(i32),
    /// The name has no address, or nobody could be asked.
    NoName,
}

impl From<rustix::io::Errno> for Failure {
    fn from(error: rustix::io::Errno) -> Self {
        Self::System(error.raw_os_error())
    }
}
