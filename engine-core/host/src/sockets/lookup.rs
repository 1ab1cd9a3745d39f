//! `sock_getaddrinfo`: names to addresses, into a list that the guest has made.
//!
//! The layout is WasmEdge's, and so is where it writes beyond what its structures say: 26 bytes for an IPv6 address. It is the guest's
//! memory, and checked to be.

use super::{Sockets, address, stop};
use crate::errno::{Answer, Errno};
use crate::memory::{aligned, range, read_u8, read_u16, read_u32, text, write_u32};
use crate::refusals::harmless;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const INFO: u32 = 28;
const SOCKADDR: u32 = 12;

mod flag {
    pub(super) const PASSIVE: u16 = 1;
    pub(super) const CANONICAL_NAME: u16 = 1 << 1;
    pub(super) const NUMERIC_HOST: u16 = 1 << 2;
    pub(super) const NUMERIC_SERVICE: u16 = 1 << 3;
    pub(super) const ALL: u16 = 0x7f;
}

/// The services that programs name; anything else is a number.
const SERVICES: &[(&str, u16)] = &[
    ("ftp", 21),
    ("ssh", 22),
    ("smtp", 25),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("ntp", 123),
    ("imap", 143),
    ("https", 443),
    ("submission", 587),
    ("imaps", 993),
    ("mysql", 3306),
    ("postgresql", 5432),
    ("redis", 6379),
];

const STREAM: u8 = 2;
const DATAGRAM: u8 = 1;
const TCP: u8 = 1;
const UDP: u8 = 2;

/// What is asked for.
struct Hints {
    flags: u16,
    family: u8,
    kind: u8,
    protocol: u8,
}

impl Hints {
    fn read(memory: &[u8], at: u32) -> Answer<Self> {
        aligned(memory, at, INFO, 4)?;
        let hints = Self {
            flags: read_u16(memory, at)?,
            family: read_u8(memory, at + 2)?,
            kind: read_u8(memory, at + 3)?,
            protocol: read_u8(memory, at + 4)?,
        };
        if hints.flags & !flag::ALL != 0 {
            return Err(Errno::AIBADFLAG.into());
        }
        if hints.family > address::V6 {
            return Err(Errno::AIFAMILY.into());
        }
        if hints.kind > STREAM || hints.protocol > UDP {
            return Err(Errno::AISOCKTYPE.into());
        }
        Ok(hints)
    }

    fn wants(&self, ip: IpAddr) -> bool {
        match self.family {
            address::V4 => ip.is_ipv4(),
            address::V6 => ip.is_ipv6(),
            _ => true,
        }
    }
}

/// A C string that may count its end.
fn word_of(memory: &[u8], at: u32, length: u32) -> Answer<&str> {
    Ok(text(memory, at, length)?.trim_end_matches('\0'))
}

impl Sockets {
    /// `sock_getaddrinfo(node, node_len, service, service_len, hints, res, max_res_len, res_len)`.
    pub(super) fn look_up(&mut self, memory: &mut [u8], args: [u32; 8]) -> Answer {
        let [node_at, node_length, service_at, service_length, hints_at, list_at, most, count_at] = args;
        aligned(memory, count_at, 4, 4)?;
        aligned(memory, list_at, 4, 4)?;
        let node = word_of(memory, node_at, node_length)?.to_owned();
        let service = word_of(memory, service_at, service_length)?;
        let hints = Hints::read(memory, hints_at)?;
        if node.is_empty() && service.is_empty() {
            return Err(Errno::AINONAME.into());
        }
        if most == 0 {
            return Err(Errno::AIMEMORY.into());
        }
        if node.is_empty() && hints.flags & flag::CANONICAL_NAME != 0 {
            return Err(Errno::AIBADFLAG.into());
        }
        let port = port_of(service, &hints)?;
        let mut found = if node.is_empty() {
            let passive = hints.flags & flag::PASSIVE != 0;
            if passive {
                vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
            } else {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
        } else if let Ok(ip) = node.parse::<IpAddr>() {
            vec![ip]
        } else if hints.flags & flag::NUMERIC_HOST != 0 {
            return Err(Errno::AINONAME.into());
        } else {
            self.network(|| format!("resolve={}", harmless(&node)))?.resolve(&node).map_err(stop)?
        };
        found.retain(|ip| hints.wants(*ip));
        if found.is_empty() {
            return Err(Errno::AINODATA.into());
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut info = read_u32(memory, list_at)?;
        let mut count = 0;
        for ip in found.into_iter().take(most) {
            write_info(memory, info, &hints, ip, port)?;
            count += 1;
            info = read_u32(memory, info + 24)?;
            if info == 0 {
                break;
            }
        }
        write_u32(memory, count_at, count)
    }
}

fn port_of(service: &str, hints: &Hints) -> Answer<u16> {
    if service.is_empty() {
        return Ok(0);
    }
    if let Ok(port) = service.parse() {
        return Ok(port);
    }
    let known = SERVICES.iter().find(|(name, _)| *name == service && hints.flags & flag::NUMERIC_SERVICE == 0);
    known.map(|(_, port)| *port).ok_or_else(|| Errno::AISERVICE.into())
}

/// Fills an element of the guest's list.
fn write_info(memory: &mut [u8], at: u32, hints: &Hints, ip: IpAddr, port: u16) -> Answer {
    aligned(memory, at, INFO, 4)?;
    let sockaddr = read_u32(memory, at + 12)?;
    aligned(memory, sockaddr, SOCKADDR, 4)?;
    let data_at = read_u32(memory, sockaddr + 8)?;
    let (kind, protocol) =
        if hints.kind == DATAGRAM || hints.protocol == UDP { (DATAGRAM, UDP) } else { (STREAM, TCP) };
    let mut data = port.to_be_bytes().to_vec();
    let (family, length) = match ip {
        IpAddr::V4(v4) => {
            data.extend(v4.octets());
            data.extend([0; 8]);
            (address::V4, 16)
        }
        IpAddr::V6(v6) => {
            data.extend([0; 4]);
            data.extend(v6.octets());
            data.extend([0; 4]);
            (address::V6, 28)
        }
    };
    let size = u32::try_from(data.len()).unwrap_or_default();
    let place = range(memory, data_at, size)?;
    memory[place].copy_from_slice(&data);
    put(memory, sockaddr, &[family])?;
    write_u32(memory, sockaddr + 4, size)?;
    put(memory, at, &hints.flags.to_le_bytes())?;
    put(memory, at + 2, &[family, kind, protocol])?;
    write_u32(memory, at + 8, length)?;
    // No canonical name.
    write_u32(memory, at + 20, 0)
}

fn put(memory: &mut [u8], at: u32, bytes: &[u8]) -> Answer {
    let place = range(memory, at, u32::try_from(bytes.len()).unwrap_or_default())?;
    memory[place].copy_from_slice(bytes);
    Ok(())
}
