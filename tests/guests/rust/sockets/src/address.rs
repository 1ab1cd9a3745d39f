//! Settings from the environment, addresses, and names.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use wasmedge_wasi_socket::socket::{AddressFamily, WasiAddrinfo};

/// The environment variable as a number or whatever is wanted; the default if it is not set. What cannot be read ends the program with code 64.
pub fn setting<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Err(_) => default,
        Ok(text) => text.parse().unwrap_or_else(|_| {
            eprintln!("{name}={text} makes no sense");
            std::process::exit(64);
        }),
    }
}

/// A host, by name or address, and a port.
#[derive(Clone, Debug)]
pub struct HostPort {
    /// The host: an IPv6 address stands without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// HOST and PORT of the environment.
    pub fn from_environment() -> Self {
        Self { host: setting("HOST", "0.0.0.0".to_owned()), port: setting("PORT", 8080) }
    }

    /// The authority of an `http://` URL: `host`, `host:port`, `[v6]` or `[v6]:port`.
    pub fn parse(authority: &str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = port.map_or(Some(80), |port| port.parse().ok())?;
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
    }

    /// The address, where the host is one: nothing is resolved.
    pub fn address(&self) -> io::Result<SocketAddr> {
        let ip: IpAddr = self.host.parse().map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("HOST={} is not an IP address", self.host))
        })?;
        Ok(SocketAddr::new(ip, self.port))
    }
}

/// All addresses of a host: itself if it is one, else what the host's resolver says, through the crate's `sock_getaddrinfo`.
pub fn resolve(host: &HostPort) -> io::Result<Vec<SocketAddr>> {
    const MOST: usize = 16;
    if let Ok(address) = host.address() {
        return Ok(vec![address]);
    }
    let mut hints = WasiAddrinfo::default();
    hints.ai_family = AddressFamily::Unspec;
    let (mut headers, mut buffers, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let port = host.port.to_string();
    let found = WasiAddrinfo::get_addrinfo(&host.host, &port, &hints, MOST, &mut headers, &mut buffers, &mut names)?;
    let mut addresses = Vec::new();
    for (header, bytes) in headers.iter().zip(&buffers).take(found.len()) {
        // The port stands in front; an IPv6 address has its flow in between.
        let ip = match header.family {
            AddressFamily::Inet4 => IpAddr::V4(Ipv4Addr::new(bytes[2], bytes[3], bytes[4], bytes[5])),
            AddressFamily::Inet6 => {
                let mut octets = [0u8; 16];
                octets.copy_from_slice(&bytes[6..22]);
                IpAddr::V6(Ipv6Addr::from(octets))
            }
            AddressFamily::Unspec => continue,
        };
        let address = SocketAddr::new(ip, u16::from_be_bytes([bytes[0], bytes[1]]));
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}
