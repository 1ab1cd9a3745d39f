//! Ports of the machine that are a guest's, in docker's form.

use super::{Protocol, split_protocol};
use crate::{Error, ErrorKind, Result};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// What is published. In JSON and on the command line it is a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Published {
    /// A port that is bound for the guest.
    Port(PublishedPort),
    /// Sockets that were passed on to this process, as systemd does it.
    Activated,
}

/// A port of the machine, and what it is to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublishedPort {
    /// Where the machine listens; port 0 lets the system choose.
    pub host: SocketAddr,
    /// The port that the guest may bind to get it.
    pub guest: u16,
    /// Connections or datagrams.
    pub protocol: Protocol,
}

const FORM: &str = "[ADDRESS:][PORT]:GUEST_PORT or GUEST_PORT, with /udp behind it for datagrams, or fd://";
const ACTIVATED: &str = "fd://";

impl FromStr for Published {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == ACTIVATED {
            return Ok(Self::Activated);
        }
        let wrong = |why: &str| {
            Error::new(ErrorKind::InvalidInput, format!("'{text}' is no published port: {why}"))
                .with_hint(format!("the forms are {FORM}"))
        };
        let (ports, protocol) = split_protocol(text);
        let port = |text: &str| {
            if text.is_empty() { "0" } else { text }
                .parse::<u16>()
                .map_err(|_| wrong(&format!("'{text}' is not a port")))
        };
        let (host, guest) = match ports.rsplit_once(':') {
            None => (None, ports),
            Some((host, guest)) => (Some(host), guest),
        };
        let guest = port(guest)?;
        let host = match host {
            // As docker has it: any free port of the machine.
            None => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            Some(host) => match host.rsplit_once(':') {
                None => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port(host)?),
                Some((address, host)) => {
                    SocketAddr::new(parse_address(address).ok_or_else(|| wrong("the address is none"))?, port(host)?)
                }
            },
        };
        if guest == 0 {
            return Err(wrong("the guest's port cannot be 0"));
        }
        Ok(Self::Port(PublishedPort { host, guest, protocol: protocol.unwrap_or(Protocol::Tcp) }))
    }
}

fn parse_address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => text.parse().ok().map(IpAddr::V4),
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activated => f.write_str(ACTIVATED),
            Self::Port(PublishedPort { host, guest, protocol }) => {
                write!(f, "{host}:{guest}")?;
                if *protocol == Protocol::Udp { f.write_str("/udp") } else { Ok(()) }
            }
        }
    }
}

impl Serialize for Published {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Published {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Published {
    fn schema_name() -> Cow<'static, str> {
        "Published".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": FORM })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_read_back_as_they_are_printed() {
        for (text, printed) in [
            ("8080:80", "0.0.0.0:8080:80"),
            ("80", "0.0.0.0:0:80"),
            ("127.0.0.1:8080:80", "127.0.0.1:8080:80"),
            ("[::1]:8080:80", "[::1]:8080:80"),
            ("0:80/tcp", "0.0.0.0:0:80"),
            ("5353:53/udp", "0.0.0.0:5353:53/udp"),
            ("127.0.0.1::80", "127.0.0.1:0:80"),
            ("fd://", "fd://"),
        ] {
            let published: Published = text.parse().unwrap();
            assert_eq!(published.to_string(), printed);
            assert_eq!(printed.parse::<Published>().unwrap(), published);
        }
    }

    #[test]
    fn wrong_ports_are_quoted() {
        for text in [
            "",
            ":",
            "80:",
            "x:80",
            "8080:0",
            "70000:80",
            "1.2.3:8080:80",
            "::1:8080:80",
            "localhost:8080:80",
            "80:80/sctp",
            "8080-8090:80",
        ] {
            let error = text.parse::<Published>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("'{text}'")), "{error}");
        }
    }
}
