//! Sockets that were bound for a guest before it started.

use super::Protocol;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// A socket that was bound for the guest.
#[derive(Debug)]
pub struct Listener {
    /// It: listening, or bound for datagrams. It never blocks.
    pub socket: OwnedFd,
    /// Where the machine listens.
    pub local: SocketAddr,
    /// The port that the guest may bind to get it; None means that it has to know its descriptor.
    pub guest_port: Option<u16>,
    /// Its number among the sockets for datagrams that whoever opens sockets has; None means that it is for connections.
    pub datagrams: Option<u32>,
}

impl Listener {
    /// What goes over it.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        if self.datagrams.is_some() { Protocol::Udp } else { Protocol::Tcp }
    }

    /// Whether a guest that binds this means it. It may name all addresses, or the one that was published.
    #[must_use]
    pub fn is_meant_by(&self, local: SocketAddr, protocol: Protocol) -> bool {
        self.protocol() == protocol
            && self.guest_port == Some(local.port())
            && self.local.is_ipv4() == local.is_ipv4()
            && (local.ip().is_unspecified() || local.ip() == self.local.ip())
    }

    /// Where the guest finds it by its own count: the machine's address, with the guest's port.
    #[must_use]
    pub fn seen_by_guest(&self) -> SocketAddr {
        SocketAddr::new(self.local.ip(), self.guest_port.unwrap_or(self.local.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn a_published_port_is_meant_by_its_port_family_and_protocol() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        let listener = Listener { socket: socket.into(), local, guest_port: Some(53), datagrams: Some(0) };
        for (bound, protocol, meant) in [
            ("0.0.0.0:53", Protocol::Udp, true),
            ("127.0.0.1:53", Protocol::Udp, true),
            ("127.0.0.2:53", Protocol::Udp, false),
            ("0.0.0.0:54", Protocol::Udp, false),
            ("[::]:53", Protocol::Udp, false),
            ("0.0.0.0:53", Protocol::Tcp, false),
        ] {
            assert_eq!(listener.is_meant_by(bound.parse().unwrap(), protocol), meant, "{bound}/{protocol}");
        }
        assert_eq!(listener.seen_by_guest(), "127.0.0.1:53".parse().unwrap());
    }
}
