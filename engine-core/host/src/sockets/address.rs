//! Addresses in the guest's memory, as WasmEdge's ABI has them: a pointer to bytes, and their number.
//!
//! Four bytes are an IPv4 address, sixteen an IPv6 address, 128 a family in front of either. The port travels beside it.

use super::Family;
use crate::errno::{Answer, Errno};
use crate::memory::{aligned, range, read_u16, read_u32};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The families' numbers.
pub(super) const V4: u8 = 1;
pub(super) const V6: u8 = 2;

/// The length of the form that names its family.
const STORAGE: u32 = 128;

/// The bytes that an address structure points to.
fn place(memory: &[u8], at: u32) -> Answer<(u32, u32)> {
    aligned(memory, at, 8, 4)?;
    Ok((read_u32(memory, at)?, read_u32(memory, at + 4)?))
}

/// The address that a guest names.
pub(super) fn read(memory: &[u8], at: u32, port: u32) -> Answer<SocketAddr> {
    let (pointer, length) = place(memory, at)?;
    let bytes = &memory[range(memory, pointer, length)?];
    let port = u16::try_from(port & 0xffff).unwrap_or_default();
    let ip = match length {
        4 => v4(bytes)?,
        16 => v6(bytes)?,
        STORAGE => match read_u16(memory, pointer)? {
            1 => v4(&bytes[2..6])?,
            2 => v6(&bytes[2..18])?,
            // Unix sockets are never given to guests.
            _ => return Err(Errno::AFNOSUPPORT.into()),
        },
        _ => return Err(Errno::INVAL.into()),
    };
    Ok(SocketAddr::new(ip, port))
}

fn v4(bytes: &[u8]) -> Answer<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).into()).map_err(|_| Errno::INVAL.into())
}

fn v6(bytes: &[u8]) -> Answer<IpAddr> {
    <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).into()).map_err(|_| Errno::INVAL.into())
}

/// Writes an address where the guest has room for it.
pub(super) fn write(memory: &mut [u8], at: u32, address: SocketAddr) -> Answer {
    let (pointer, length) = place(memory, at)?;
    let room = range(memory, pointer, length)?;
    let room = &mut memory[room];
    let mut put = |offset: usize, bytes: &[u8]| match room.get_mut(offset..offset + bytes.len()) {
        Some(place) => {
            place.copy_from_slice(bytes);
            Ok(())
        }
        None => Err(Errno::NOMEM.into()),
    };
    let (family, bytes) = match address.ip() {
        IpAddr::V4(v4) => (V4, v4.octets().to_vec()),
        IpAddr::V6(v6) => (V6, v6.octets().to_vec()),
    };
    if length == STORAGE {
        put(0, &u16::from(family).to_le_bytes())?;
        put(2, &bytes)
    } else {
        put(0, &bytes)
    }
}

/// The number that WasmEdge's older functions give with an address.
pub(super) fn version(family: Family) -> u32 {
    match family {
        Family::V4 => 4,
        Family::V6 => 6,
    }
}
