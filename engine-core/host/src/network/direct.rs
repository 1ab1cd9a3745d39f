//! Opening sockets in this process, as far as the rules go.

use super::names::{Names, same};
use super::{DatagramId, Failure, Network};
use crate::refusals::harmless;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use wasmrt_model::NetworkPolicy;
use wasmrt_model::network::{AddressClass, Protocol};

/// How many addresses are remembered that the guest has had.
const BOUND: usize = 256;

/// How many peers of a socket are remembered that may be answered without a rule.
const PEERS: usize = 4096;

/// How many sockets for datagrams there may be, whatever the guest's limit.
const DATAGRAM_SOCKETS: usize = 4096;

/// The rules, and what has to be remembered for them.
#[derive(Debug)]
pub struct Direct {
    policy: NetworkPolicy,
    datagrams: BTreeMap<DatagramId, Datagrams>,
    next: DatagramId,
    names: Names,
    /// Where sockets for connections were bound, lately.
    bound: VecDeque<SocketAddr>,
}

/// A socket for datagrams.
#[derive(Debug)]
struct Datagrams {
    socket: OwnedFd,
    /// Whether a rule or a published port makes it a server's: anybody may send to it, and be answered.
    serves: bool,
    /// Who has sent something lately.
    peers: VecDeque<SocketAddr>,
}

impl Direct {
    /// For a guest with these rules. `published` are the sockets for datagrams among its published ports: they have the numbers from 0.
    #[must_use]
    pub fn new(policy: NetworkPolicy, published: Vec<OwnedFd>) -> Self {
        let served = |socket| Datagrams { socket, serves: true, peers: VecDeque::new() };
        let datagrams: BTreeMap<DatagramId, Datagrams> = (0..).zip(published.into_iter().map(served)).collect();
        let next = u32::try_from(datagrams.len()).unwrap_or(u32::MAX);
        Self { policy, datagrams, next, names: Names::default(), bound: VecDeque::new() }
    }

    /// Refuses a peer that no rule covers.
    fn check_peer(&self, peer: SocketAddr, protocol: Protocol) -> Result<(), Failure> {
        if self.policy.allows_connect(peer, protocol) || self.is_named(peer, protocol) {
            return Ok(());
        }
        let rule = SocketAddr::new(peer.ip(), peer.port());
        Err(Failure::Denied(match AddressClass::of(peer.ip()) {
            AddressClass::Ordinary => format!("no rule allows {peer}/{protocol}; `connect={rule}` would"),
            class => {
                format!("{peer} is a {}, which only a rule of its own allows: `connect={rule}`", class.description())
            }
        }))
    }

    /// Whether a rule allows the peer by a name that has its address.
    fn is_named(&self, peer: SocketAddr, protocol: Protocol) -> bool {
        let address = peer.ip();
        let rules = self.policy.name_rules(peer.port(), protocol).filter(|rule| rule.covers(address));
        self.names.have(&rules.map(|rule| rule.name).collect::<Vec<_>>(), address)
    }

    /// Whom to ask for a name, which may take a while, if the rules allow that.
    ///
    /// # Errors
    /// [`Failure::Denied`].
    pub(super) fn names_for(&self, name: &str) -> Result<&Names, Failure> {
        if !self.policy.allows_resolve(name) {
            return Err(Failure::Denied(format!("no rule allows to resolve {0}; `resolve={0}` would", harmless(name))));
        }
        Ok(&self.names)
    }

    /// Refuses an address for connections that no rule covers, and that the guest has not had either: where a rule says any port, the system
    /// has chosen it.
    fn check_local(&self, local: SocketAddr) -> Result<(), Failure> {
        if self.policy.allows_listen(local, Protocol::Tcp) || self.bound.contains(&local) {
            return Ok(());
        }
        Err(Failure::Denied(format!("no rule allows to listen there; `listen={local}` would")))
    }

    fn datagrams_of(&mut self, id: DatagramId) -> Result<&mut Datagrams, Failure> {
        self.datagrams.get_mut(&id).ok_or_else(|| Errno::BADF.into())
    }
}

impl Network for Direct {
    fn connect(&mut self, local: Option<SocketAddr>, peer: SocketAddr) -> Result<OwnedFd, Failure> {
        self.check_peer(peer, Protocol::Tcp)?;
        let socket = open(peer, SocketType::STREAM)?;
        if let Some(local) = local {
            self.check_local(local)?;
            bind(&socket, local)?;
        }
        match net::connect(&socket, &peer) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error.into()),
        }
    }

    fn bind(&mut self, local: SocketAddr) -> Result<OwnedFd, Failure> {
        self.check_local(local)?;
        let socket = open(local, SocketType::STREAM)?;
        bind(&socket, local)?;
        if self.bound.len() >= BOUND {
            self.bound.pop_front();
        }
        self.bound.push_back(net::getsockname(&socket)?.try_into()?);
        Ok(socket)
    }

    fn datagrams(&mut self, local: SocketAddr) -> Result<(OwnedFd, DatagramId), Failure> {
        let serves = self.policy.allows_listen(local, Protocol::Udp);
        // Who may send to somebody needs a socket to do so, and nothing that anybody could send to.
        let sends = local.port() == 0 && local.ip().is_unspecified() && self.policy.connects_anywhere(Protocol::Udp);
        if !serves && !sends {
            return Err(Failure::Denied(format!("no rule allows datagrams there; `listen={local}/udp` would")));
        }
        if self.datagrams.len() >= DATAGRAM_SOCKETS {
            return Err(Errno::NFILE.into());
        }
        let socket = open(local, SocketType::DGRAM)?;
        net::bind(&socket, &local)?;
        let copy = rustix::io::fcntl_dupfd_cloexec(&socket, 3)?;
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.datagrams.insert(id, Datagrams { socket: copy, serves, peers: VecDeque::new() });
        Ok((socket, id))
    }

    fn connect_datagrams(&mut self, id: DatagramId, peer: SocketAddr) -> Result<(), Failure> {
        let known = self.datagrams_of(id)?.knows(peer);
        if !known {
            self.check_peer(peer, Protocol::Udp)?;
        }
        let datagrams = self.datagrams_of(id)?;
        net::connect(&datagrams.socket, &peer)?;
        // What is sent from now on does not come by here, and its answers have to be let through all the same.
        datagrams.remember(peer);
        Ok(())
    }

    fn disconnect_datagrams(&mut self, id: DatagramId) -> Result<(), Failure> {
        Ok(net::connect_unspec(&self.datagrams_of(id)?.socket)?)
    }

    fn send_to(&mut self, id: DatagramId, data: &[u8], peer: SocketAddr) -> Result<usize, Failure> {
        let known = self.datagrams_of(id)?.knows(peer);
        if !known {
            self.check_peer(peer, Protocol::Udp)?;
        }
        let datagrams = self.datagrams_of(id)?;
        let sent = net::sendto(&datagrams.socket, data, SendFlags::NOSIGNAL | SendFlags::DONTWAIT, &peer)?;
        datagrams.remember(peer);
        Ok(sent)
    }

    fn receive_from(&mut self, id: DatagramId, buffer: &mut [u8], peek: bool) -> Result<(usize, SocketAddr), Failure> {
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC | if peek { RecvFlags::PEEK } else { RecvFlags::empty() };
        loop {
            let datagrams = self.datagrams_of(id)?;
            let (_, length, peer) = net::recvfrom(&datagrams.socket, &mut *buffer, flags)?;
            let peer: SocketAddr = peer.ok_or(Errno::NOTCONN)?.try_into()?;
            if datagrams.serves {
                datagrams.remember(peer);
            } else if !datagrams.knows(peer) {
                // Nobody whom the guest has sent to: it is not for the guest, and out of its way.
                if peek {
                    let _dropped = net::recvfrom(&datagrams.socket, &mut [0u8; 0][..], RecvFlags::DONTWAIT);
                }
                continue;
            }
            return Ok((length, peer));
        }
    }

    fn close_datagrams(&mut self, id: DatagramId) {
        self.datagrams.remove(&id);
    }

    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        self.names_for(name)?.ask(name)
    }
}

impl Datagrams {
    fn knows(&self, peer: SocketAddr) -> bool {
        self.peers.iter().any(|known| same(known.ip(), peer.ip()) && known.port() == peer.port())
    }

    fn remember(&mut self, peer: SocketAddr) {
        if self.peers.back() != Some(&peer) && !self.knows(peer) {
            if self.peers.len() >= PEERS {
                self.peers.pop_front();
            }
            self.peers.push_back(peer);
        }
    }
}

/// Binds a socket for connections as every server does: a port is free again as soon as nobody listens there.
fn bind(socket: &OwnedFd, local: SocketAddr) -> Result<(), Errno> {
    sockopt::set_socket_reuseaddr(socket, true)?;
    net::bind(socket, &local)
}

/// A socket of the address's family. IPv6 sockets are for IPv6 alone, but for an IPv4 address in IPv6 clothes.
fn open(address: SocketAddr, kind: SocketType) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    if let IpAddr::V6(v6) = address.ip() {
        let only = v6.to_ipv4_mapped().is_none() || v6 == Ipv6Addr::UNSPECIFIED;
        sockopt::set_ipv6_v6only(&socket, only)?;
    }
    Ok(socket)
}
