//! Ports by name: those that are kept free for a guest, and those of peers.
//!
//! A reserved TCP port is bound, by a socket that does not listen: nobody is given it by chance, and who wants to listen there can, as every
//! server may. A UDP port cannot be kept like that; it is taken from below those that the system gives out.

use crate::Result;
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU16, Ordering};

/// Where UDP ports are taken from.
const LOW: u16 = 10_000;
/// How many there are.
const SPAN: u16 = 20_000;

/// A port with a name.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) number: u16,
    _held: Vec<OwnedFd>,
}

impl Port {
    /// A port that somebody has.
    pub(super) fn of(name: &str, number: u16) -> Self {
        Self { name: name.to_owned(), number, _held: Vec::new() }
    }

    /// A port for the guest: `NAME` or `NAME/udp`.
    pub(super) fn reserve(name: &str) -> Result<Self> {
        match name.strip_suffix("/udp") {
            Some(name) => udp().map(|number| Self::of(name, number)),
            None => tcp(name).map_err(|errno| format!("no port for {name}: {errno}")),
        }
    }

    /// What stands for it.
    pub(super) fn placeholder(&self) -> String {
        format!("{{port:{}}}", self.name)
    }

    /// Puts its number where its name is asked for, and those before and after it.
    pub(super) fn place(&self, text: &str) -> String {
        let (name, number) = (&self.name, self.number);
        text.replace(&self.placeholder(), &number.to_string())
            .replace(&format!("{{port:{name}+1}}"), &number.saturating_add(1).to_string())
            .replace(&format!("{{port:{name}-1}}"), &number.saturating_sub(1).to_string())
    }

    /// Puts what stands for it in its place, where it is a number of its own.
    pub(super) fn restore(&self, text: &[u8]) -> Vec<u8> {
        let digits = self.number.to_string().into_bytes();
        let (mut result, mut at) = (Vec::with_capacity(text.len()), 0);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            let after = rest.get(digits.len());
            let alone = [before, after].into_iter().flatten().all(|byte| !byte.is_ascii_digit());
            if alone && rest.starts_with(&digits) {
                result.extend_from_slice(self.placeholder().as_bytes());
                at += digits.len();
            } else {
                result.push(rest[0]);
                at += 1;
            }
        }
        result
    }
}

fn tcp(name: &str) -> rustix::io::Result<Port> {
    let v4 = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    rustix::net::bind(&v4, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    // Only now: a port that is chosen must not be one that somebody else keeps the same way.
    sockopt::set_socket_reuseaddr(&v4, true)?;
    let number = SocketAddr::try_from(rustix::net::getsockname(&v4)?)?.port();
    let mut held = vec![v4];
    let also_v6 = || {
        let v6 = rustix::net::socket(AddressFamily::INET6, SocketType::STREAM, None)?;
        sockopt::set_socket_reuseaddr(&v6, true)?;
        sockopt::set_ipv6_v6only(&v6, true)?;
        rustix::net::bind(&v6, &SocketAddr::from((Ipv6Addr::LOCALHOST, number)))?;
        Ok::<_, rustix::io::Errno>(v6)
    };
    // A machine may have no IPv6; cases that need it say so.
    held.extend(also_v6().ok());
    Ok(Port { name: name.to_owned(), number, _held: held })
}

/// Trials run in processes of their own, whose numbers differ as long as they run at the same time.
fn udp() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id().wrapping_mul(7) % u32::from(SPAN);
    let first = u16::try_from(first).unwrap_or_default();
    for _ in 0..100 {
        let offset = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % SPAN;
        let number = LOW + offset;
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
            return Ok(number);
        }
    }
    Err("there is no free UDP port".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_reserved_port_is_free_for_who_asks_for_it() {
        let port = Port::reserve("web").unwrap();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port.number)).is_err());
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number)).unwrap();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port.number)).is_ok());
    }

    #[test]
    fn only_whole_numbers_are_ports() {
        let port = Port::of("web", 80);
        let restored = port.restore(b"80 180 801 127.0.0.1:80/80");
        assert_eq!(String::from_utf8(restored).unwrap(), "{port:web} 180 801 127.0.0.1:{port:web}/{port:web}");
    }
}
