//! The numbers and layouts of the socket calls.

use crate::words::{Complaint, Words, integer};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names and the numbers they stand for.
pub type Names = &'static [(&'static str, i32)];

/// Address families.
pub const FAMILY: Names = &[("unspec", 0), ("inet4", 1), ("inet6", 2), ("unix", 3)];
/// Types of sockets.
pub const KIND: Names = &[("any", 0), ("dgram", 1), ("stream", 2)];
/// Protocols.
pub const PROTOCOL: Names = &[("ip", 0), ("tcp", 1), ("udp", 2)];
/// Ways to shut down.
pub const HOW: Names = &[("rd", 1), ("wr", 2), ("both", 3)];
/// Levels of options.
pub const LEVEL: Names = &[("socket", 0)];
/// Options.
pub const OPTION: Names = &[
    ("reuseaddr", 0),
    ("type", 1),
    ("error", 2),
    ("dontroute", 3),
    ("broadcast", 4),
    ("sndbuf", 5),
    ("rcvbuf", 6),
    ("keepalive", 7),
    ("oobinline", 8),
    ("linger", 9),
    ("rcvlowat", 10),
    ("rcvtimeo", 11),
    ("sndtimeo", 12),
    ("acceptconn", 13),
    ("bindtodevice", 14),
];
/// Flags of receiving.
pub const RECEIVE: crate::abi::Flags = &[("peek", 1), ("waitall", 2)];
/// Flags of name look-up.
pub const LOOK_UP: crate::abi::Flags = &[
    ("passive", 1),
    ("canonname", 2),
    ("numerichost", 4),
    ("numericserv", 8),
    ("v4mapped", 16),
    ("all", 32),
    ("addrconfig", 64),
];

/// The number of a name, or a number as it is.
pub fn number_of(names: Names, word: &str) -> Result<i32, Complaint> {
    match names.iter().find(|(name, _)| *name == word) {
        Some((_, number)) => Ok(*number),
        None => integer(word).map(|number| number as i32),
    }
}

/// The name of a number.
pub fn name_of(names: Names, number: i32) -> String {
    let name = names.iter().find(|(_, known)| *known == number).map(|(name, _)| *name);
    name.map_or_else(|| number.to_string(), str::to_owned)
}

/// Flags in one word, or a number as it is.
pub fn flags_of(flags: crate::abi::Flags, word: &str) -> Result<i32, Complaint> {
    Words::new(word, &HashMap::new()).flags(flags).map(|bits| bits as i32)
}

/// The size of an address that carries its family.
pub const STORAGE: usize = 128;

/// The octets of an address as a script writes it: `127.0.0.1`, `::1`, `octets:HEX`, each with `storage:` in front for 128 bytes with the family.
pub fn octets(word: &str) -> Result<Vec<u8>, Complaint> {
    if let Some(rest) = word.strip_prefix("storage:") {
        let inner = octets(rest)?;
        let family: u16 = if inner.len() == 16 { 2 } else { 1 };
        let mut storage = vec![0u8; STORAGE];
        storage[..2].copy_from_slice(&family.to_le_bytes());
        storage.get_mut(2..2 + inner.len()).ok_or("too long for an address")?.copy_from_slice(&inner);
        return Ok(storage);
    }
    if let Some(digits) = word.strip_prefix("octets:") {
        let pairs: Vec<_> = (0..digits.len()).step_by(2).map(|at| digits.get(at..at + 2)).collect();
        return pairs
            .into_iter()
            .map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect::<Option<_>>()
            .ok_or_else(|| format!("'{digits}' is not hexadecimal"));
    }
    match word.parse() {
        Ok(IpAddr::V4(ip)) => Ok(ip.octets().to_vec()),
        Ok(IpAddr::V6(ip)) => Ok(ip.octets().to_vec()),
        Err(_) => Err(format!("'{word}' is not an address")),
    }
}

/// An address that the host wrote, of this family.
pub fn shown_address(family: i32, octets: &[u8]) -> String {
    let v4 = octets.get(..4).and_then(|octets| <[u8; 4]>::try_from(octets).ok());
    let v6 = octets.get(..16).and_then(|octets| <[u8; 16]>::try_from(octets).ok());
    match (family, v4, v6) {
        (1, Some(octets), _) => Ipv4Addr::from(octets).to_string(),
        (2, _, Some(octets)) => format!("[{}]", Ipv6Addr::from(octets)),
        _ => format!("family-{family}"),
    }
}
