//! What a guest may reach over the network: nothing, but for what rules name.
//!
//! Owns the forms of rules and published ports. What they mean for an address is in [`decision`](self::decision).

mod decision;
mod listener;
mod publish;

pub use decision::{AddressClass, NameRule};
pub use listener::Listener;
pub use publish::{Published, PublishedPort};

use crate::{Error, ErrorKind, Result};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The rules; none means that every socket operation is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkPolicy {
    /// `connect=HOST|CIDR[:PORTS]`, `listen=ADDRESS:PORT`, `resolve=NAME|*`; with `/tcp` or `/udp` behind it for one of the two only.
    pub allow: Vec<NetworkRule>,
    /// Ports of this machine that are the guest's: `[ADDRESS:]PORT:GUEST_PORT[/udp]`, or `fd://` for sockets that systemd passed on.
    /// They are bound before the guest starts; it finds them from descriptor 3 on, and under their guest ports.
    pub publish: Vec<Published>,
}

impl NetworkPolicy {
    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.allow.is_empty() && self.publish.is_empty()
    }
}

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// As in rules.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is allowed. In JSON and on the command line it is a string.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkRule {
    /// Opening a connection, or sending datagrams, to there.
    Connect {
        /// The peer.
        host: HostPattern,
        /// Its ports.
        ports: PortRange,
        /// The only protocol; None means either.
        protocol: Option<Protocol>,
    },
    /// Accepting connections or datagrams there.
    Listen {
        /// Exactly this local address; None means any.
        address: Option<IpAddr>,
        /// The local ports. 0 is one that the system chooses.
        ports: PortRange,
        /// The only protocol; None means either.
        protocol: Option<Protocol>,
    },
    /// Asking for the addresses of this name; None means any name.
    Resolve {
        /// The name, in lower case.
        name: Option<String>,
    },
}

/// Which peers a connect rule means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostPattern {
    /// Any public address: not loopback, link-local or metadata services, which need a rule that names them.
    Any,
    /// The addresses of this name, at the time of the connect.
    Name(String),
    /// A network, or one address (with the longest prefix).
    Network {
        /// Its address.
        address: IpAddr,
        /// How many leading bits count.
        prefix: u8,
    },
}

/// Ports from first to last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// Whether the port is in it.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

const FORM: &str = "connect=HOST[:PORT|:FIRST-LAST], connect=ADDRESS/PREFIX[:PORTS], listen=ADDRESS[:PORT|:FIRST-LAST] or resolve=NAME, \
                    the first three with /tcp or /udp behind them if only that is meant";

impl FromStr for NetworkRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::InvalidInput, format!("'{text}' is not a network rule: {why}"))
                .with_hint(format!("the forms are {FORM}"))
        };
        let (verb, operand) = text.split_once('=').ok_or_else(|| wrong("there is no '='"))?;
        match verb {
            "connect" => {
                let (host, ports, protocol) = split_operand(operand).map_err(wrong)?;
                let host =
                    parse_host(host).ok_or_else(|| wrong("the host is neither a name, an address nor a network"))?;
                Ok(Self::Connect { host, ports, protocol })
            }
            "listen" => {
                let (address, ports, protocol) = split_operand(operand).map_err(wrong)?;
                let address = match address {
                    "*" => None,
                    address => {
                        Some(address.parse().map_err(|_| wrong("the address is none of this machine's, nor *"))?)
                    }
                };
                Ok(Self::Listen { address, ports, protocol })
            }
            "resolve" if operand == "*" => Ok(Self::Resolve { name: None }),
            "resolve" if is_name(operand) => Ok(Self::Resolve { name: Some(operand.to_ascii_lowercase()) }),
            "resolve" => Err(wrong("this is no host name")),
            _ => Err(wrong(&format!("'{verb}' is neither connect, listen nor resolve"))),
        }
    }
}

/// What stands before the ports, the ports, and the protocol.
fn split_operand(text: &str) -> Result<(&str, PortRange, Option<Protocol>), &'static str> {
    let (text, protocol) = split_protocol(text);
    let (host, ports) = split_port(text).ok_or("the brackets of an IPv6 address do not match")?;
    let ports = match ports {
        None => PortRange::ALL,
        Some(ports) => parse_ports(ports).ok_or("the ports are neither PORT nor FIRST-LAST")?,
    };
    Ok((host, ports, protocol))
}

/// Takes the protocol off the end.
fn split_protocol(text: &str) -> (&str, Option<Protocol>) {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        if let Some(rest) = text.strip_suffix(protocol.as_str()).and_then(|rest| rest.strip_suffix('/')) {
            return (rest, Some(protocol));
        }
    }
    (text, None)
}

/// Splits `host:ports`, `[v6]:ports`, `v6/prefix` and `host`. None when brackets do not match.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest {
            "" => Some((host, None)),
            rest => Some((host, Some(rest.strip_prefix(':')?))),
        };
    }
    match text.matches(':').count() {
        1 => text.split_once(':').map(|(host, ports)| (host, Some(ports))),
        _ => Some((text, None)),
    }
}

fn parse_host(text: &str) -> Option<HostPattern> {
    if text == "*" {
        return Some(HostPattern::Any);
    }
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
        None => (text, None),
    };
    match address.parse::<IpAddr>() {
        Ok(address) => {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.unwrap_or(longest);
            (prefix <= longest).then_some(HostPattern::Network { address, prefix })
        }
        Err(_) if prefix.is_none() && is_name(text) => Some(HostPattern::Name(text.to_ascii_lowercase())),
        Err(_) => None,
    }
}

fn parse_ports(text: &str) -> Option<PortRange> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = PortRange { first: first.parse().ok()?, last: last.parse().ok()? };
    (range.first <= range.last).then_some(range)
}

/// A DNS name, which also must not look like a number (an address with a typo is not a name).
fn is_name(text: &str) -> bool {
    let labels_ok = text.trim_end_matches('.').split('.').all(|label| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    });
    labels_ok && text.len() <= 253 && !text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

impl fmt::Display for NetworkRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { host, ports, protocol } => {
                f.write_str("connect=")?;
                match host {
                    HostPattern::Any => f.write_str("*")?,
                    HostPattern::Name(name) => f.write_str(name)?,
                    HostPattern::Network { address: IpAddr::V4(v4), prefix: 32 } => write!(f, "{v4}")?,
                    HostPattern::Network { address: IpAddr::V6(v6), prefix: 128 } => write!(f, "[{v6}]")?,
                    HostPattern::Network { address: IpAddr::V4(v4), prefix } => write!(f, "{v4}/{prefix}")?,
                    HostPattern::Network { address: IpAddr::V6(v6), prefix } => write!(f, "[{v6}/{prefix}]")?,
                }
                write_ports(f, *ports)?;
                write_protocol(f, *protocol)
            }
            Self::Listen { address, ports, protocol } => {
                match address {
                    None => f.write_str("listen=*")?,
                    Some(IpAddr::V4(v4)) => write!(f, "listen={v4}")?,
                    Some(IpAddr::V6(v6)) => write!(f, "listen=[{v6}]")?,
                }
                write_ports(f, *ports)?;
                write_protocol(f, *protocol)
            }
            Self::Resolve { name } => write!(f, "resolve={}", name.as_deref().unwrap_or("*")),
        }
    }
}

fn write_ports(f: &mut fmt::Formatter<'_>, ports: PortRange) -> fmt::Result {
    match ports {
        PortRange::ALL => Ok(()),
        PortRange { first, last } if first == last => write!(f, ":{first}"),
        PortRange { first, last } => write!(f, ":{first}-{last}"),
    }
}

fn write_protocol(f: &mut fmt::Formatter<'_>, protocol: Option<Protocol>) -> fmt::Result {
    protocol.map_or(Ok(()), |protocol| write!(f, "/{protocol}"))
}

impl Serialize for NetworkRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NetworkRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for NetworkRule {
    fn schema_name() -> Cow<'static, str> {
        "NetworkRule".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(connect|listen|resolve)=", "description": FORM })
    }
}

#[cfg(test)]
mod tests;
