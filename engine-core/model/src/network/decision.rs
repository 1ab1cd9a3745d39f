//! What the rules say of one address, one name, one port.
//!
//! Addresses that mean this machine, this link or a cloud's metadata service are special: no wildcard, wide network or name covers them, only a
//! rule whose own network lies inside the special one. Asking a name server, and being asked by a guest, are others' business.

use super::{HostPattern, NetworkPolicy, NetworkRule, Protocol, Published, PublishedPort};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What an address stands for, as far as rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressClass {
    /// Any other host, private networks included.
    Ordinary,
    /// This machine. The unspecified address is: connecting to it reaches loopback.
    Loopback,
    /// A neighbour on the link.
    LinkLocal,
    /// A cloud's metadata service.
    Metadata,
    /// Many hosts at once.
    Multicast,
}

/// The special networks. Where one lies inside another, it comes first.
const SPECIAL: &[(IpAddr, u8, AddressClass)] = &[
    // Metadata services: AWS, Azure, Google and most others; Alibaba; Azure's wire server; Oracle; AWS over IPv6; Google over IPv6.
    (v4(169, 254, 169, 254), 32, AddressClass::Metadata),
    (v4(169, 254, 170, 2), 32, AddressClass::Metadata),
    (v4(169, 254, 170, 23), 32, AddressClass::Metadata),
    (v4(100, 100, 100, 200), 32, AddressClass::Metadata),
    (v4(168, 63, 129, 16), 32, AddressClass::Metadata),
    (v4(192, 0, 0, 192), 32, AddressClass::Metadata),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]), 128, AddressClass::Metadata),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]), 128, AddressClass::Metadata),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]), 128, AddressClass::Metadata),
    (v4(127, 0, 0, 0), 8, AddressClass::Loopback),
    (v4(0, 0, 0, 0), 8, AddressClass::Loopback),
    (v6([0, 0, 0, 0, 0, 0, 0, 1]), 128, AddressClass::Loopback),
    (v6([0, 0, 0, 0, 0, 0, 0, 0]), 128, AddressClass::Loopback),
    (v4(169, 254, 0, 0), 16, AddressClass::LinkLocal),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10, AddressClass::LinkLocal),
    (v4(224, 0, 0, 0), 4, AddressClass::Multicast),
    (v4(255, 255, 255, 255), 32, AddressClass::Multicast),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8, AddressClass::Multicast),
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h))
}

impl AddressClass {
    /// The class of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        special(address).map_or(Self::Ordinary, |(_, _, class)| class)
    }

    /// In words, behind "a" or "an".
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary address",
            Self::Loopback => "loopback address",
            Self::LinkLocal => "link-local address",
            Self::Metadata => "cloud metadata address",
            Self::Multicast => "multicast address",
        }
    }
}

/// The smallest special network that an address lies in.
fn special(address: IpAddr) -> Option<(IpAddr, u8, AddressClass)> {
    let address = embedded(address);
    SPECIAL.iter().copied().find(|(network, prefix, _)| contains(*network, *prefix, address))
}

/// The IPv4 address that an IPv6 address leads to, or the address itself.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let segments = v6.segments();
    let bytes = v6.octets();
    let at =
        |start: usize| IpAddr::V4(Ipv4Addr::new(bytes[start], bytes[start + 1], bytes[start + 2], bytes[start + 3]));
    match segments {
        // Mapped, and compatible (but for :: and ::1); translated by NAT64; 6to4.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => at(12),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => at(12),
        [0x2002, ..] => at(2),
        _ => address,
    }
}

/// Whether an address lies in a network. IPv4 addresses in IPv6 clothes are IPv4 addresses.
fn contains(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let ((network, longest), (address, length)) = (bits(network), bits(address));
    let prefix = u32::from(prefix).min(longest);
    longest == length && (prefix == 0 || (network ^ address) >> (128 - prefix) == 0)
}

/// A connect rule that names a host by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRule<'a> {
    /// The name, in lower case.
    pub name: &'a str,
}

impl NameRule<'_> {
    /// Whether the rule covers this address, given that the name has it now.
    #[must_use]
    pub fn covers(self, address: IpAddr) -> bool {
        match AddressClass::of(address) {
            AddressClass::Ordinary => true,
            AddressClass::Loopback => is_localhost(self.name) && !embedded(address).is_unspecified(),
            _ => false,
        }
    }
}

/// The names that mean loopback by definition, RFC 6761.
fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

impl NetworkPolicy {
    /// Whether a rule allows this peer by its address.
    #[must_use]
    pub fn allows_connect(&self, peer: SocketAddr, protocol: Protocol) -> bool {
        self.connect_rules(peer.port(), protocol).any(|host| covers(host, peer.ip()))
    }

    /// The rules that allow a peer with this port if their name has its address.
    pub fn name_rules(&self, port: u16, protocol: Protocol) -> impl Iterator<Item = NameRule<'_>> {
        self.connect_rules(port, protocol).filter_map(|host| match host {
            HostPattern::Name(name) => Some(NameRule { name }),
            _ => None,
        })
    }

    fn connect_rules(&self, port: u16, protocol: Protocol) -> impl Iterator<Item = &HostPattern> {
        self.allow.iter().filter_map(move |rule| match rule {
            NetworkRule::Connect { host, ports, protocol: only }
                if ports.contains(port) && only.is_none_or(|only| only == protocol) =>
            {
                Some(host)
            }
            _ => None,
        })
    }

    /// Whether any peer at all may be connected to with this protocol.
    #[must_use]
    pub fn connects_anywhere(&self, protocol: Protocol) -> bool {
        self.allow.iter().any(|rule| matches!(rule, NetworkRule::Connect { protocol: only, .. } if only.is_none_or(|only| only == protocol)))
    }

    /// Whether the guest may listen here. Port 0 is one that the system chooses, and has to be allowed as such.
    #[must_use]
    pub fn allows_listen(&self, local: SocketAddr, protocol: Protocol) -> bool {
        self.allow.iter().any(|rule| match rule {
            NetworkRule::Listen { address, ports, protocol: only } => {
                ports.contains(local.port())
                    && address.is_none_or(|address| address == local.ip())
                    && only.is_none_or(|only| only == protocol)
            }
            _ => false,
        })
    }

    /// Whether the guest may ask for the addresses of a name: by a rule for that, or because it may connect there.
    #[must_use]
    pub fn allows_resolve(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let same = |other: &str| other.trim_end_matches('.') == name.trim_end_matches('.');
        self.allow.iter().any(|rule| match rule {
            NetworkRule::Resolve { name: None } => true,
            NetworkRule::Resolve { name: Some(allowed) } => same(allowed),
            NetworkRule::Connect { host: HostPattern::Name(allowed), .. } => same(allowed),
            _ => false,
        })
    }

    /// The published port that a guest means when it binds this one, by its place among those that are published.
    #[must_use]
    pub fn published(&self, guest_port: u16, protocol: Protocol) -> Option<usize> {
        self.publish.iter().position(|published| {
            matches!(published, Published::Port(PublishedPort { guest, protocol: its, .. }) if *guest == guest_port && *its == protocol)
        })
    }
}

fn covers(host: &HostPattern, address: IpAddr) -> bool {
    match host {
        HostPattern::Any => special(address).is_none(),
        HostPattern::Name(_) => false,
        HostPattern::Network { address: network, prefix } => {
            let within = |address| {
                contains(*network, *prefix, address) || {
                    let (network, prefix) = leads_to(*network, *prefix);
                    contains(network, prefix, address)
                }
            };
            let named = |(special, longest, _): (IpAddr, u8, AddressClass)| {
                let (network, prefix) = leads_to(*network, *prefix);
                prefix >= longest && contains(special, longest, network)
            };
            let plain =
                if let IpAddr::V6(v6) = address { v6.to_ipv4_mapped().map_or(address, IpAddr::V4) } else { address };
            within(plain) && special(address).is_none_or(named)
        }
    }
}

/// The IPv4 network that an IPv6 network leads to, or the network itself.
fn leads_to(network: IpAddr, prefix: u8) -> (IpAddr, u8) {
    let before = match (network, embedded(network)) {
        (IpAddr::V6(v6), IpAddr::V4(_)) => {
            if v6.segments()[0] == 0x2002 {
                16
            } else {
                96
            }
        }
        _ => return (network, prefix),
    };
    match prefix.checked_sub(before) {
        Some(prefix) => (embedded(network), prefix),
        None => (network, prefix),
    }
}
