//! Four calls that the crate gets wrong or leaves out, made directly.
//!
//! Its `connect` knows IPv4 alone. Its `get_local` and `recv_from` let the host write into a buffer that they declare immutable, and an
//! optimizing compiler then reads zeros. Its name look-up drops IPv6; that one is worked around in `address`, with the crate's own call.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use wasmedge_wasi_socket::socket::{IovecRead, Socket, WasiAddress};

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn sock_connect(fd: u32, address: *mut WasiAddress, port: u32) -> u32;
    fn sock_getlocaladdr(fd: u32, address: *mut WasiAddress, kind: *mut u32, port: *mut u32) -> u32;
    fn sock_recv_from(
        fd: u32,
        vectors: *mut IovecRead,
        count: u32,
        address: *mut u8,
        flags: u16,
        port: *mut u32,
        length: *mut usize,
        flags_out: *mut usize,
    ) -> u32;
}

fn outcome(number: u32) -> io::Result<()> {
    match number {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number as i32)),
    }
}

/// Connects, over IPv4 or IPv6.
pub fn connect(socket: &Socket, to: &SocketAddr) -> io::Result<()> {
    let octets = match to {
        SocketAddr::V4(to) => to.ip().octets().to_vec(),
        SocketAddr::V6(to) => to.ip().octets().to_vec(),
    };
    let mut address = WasiAddress { buf: octets.as_ptr(), size: octets.len() };
    // SAFETY: the address and the octets it points to live through the call.
    outcome(unsafe { sock_connect(socket.as_raw_fd() as u32, &mut address, u32::from(to.port())) })
}

/// Where a socket is bound.
pub fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    let (mut octets, mut kind, mut port) = ([0u8; 16], 0, 0);
    let mut address = WasiAddress { buf: octets.as_mut_ptr(), size: octets.len() };
    // SAFETY: the address, the octets it points to and both numbers live through the call.
    outcome(unsafe { sock_getlocaladdr(socket.as_raw_fd() as u32, &mut address, &mut kind, &mut port) })?;
    // Families are numbered 4 and 6 here, unlike everywhere else in this interface.
    address_of(kind == 4, &octets, port as u16).ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}

/// Receives one datagram: its length and where it came from.
pub fn receive_from(socket: &Socket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    // Family, then address: the larger of the two layouts.
    let mut storage = [0u8; 128];
    let mut address = WasiAddress { buf: storage.as_mut_ptr(), size: storage.len() };
    let mut vector = IovecRead { buf: buffer.as_mut_ptr(), size: buffer.len() };
    let (mut port, mut length, mut flags) = (0, 0, 0);
    let to = std::ptr::from_mut(&mut address).cast();
    // SAFETY: all that is pointed to lives through the call.
    outcome(unsafe {
        sock_recv_from(socket.as_raw_fd() as u32, &mut vector, 1, to, 0, &mut port, &mut length, &mut flags)
    })?;
    let inet4 = storage[..2] == [1, 0];
    let from =
        address_of(inet4, &storage[2..18], port as u16).ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
    Ok((length, from))
}

fn address_of(inet4: bool, octets: &[u8], port: u16) -> Option<SocketAddr> {
    let ip = if inet4 {
        IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(octets.get(..4)?).ok()?))
    } else {
        IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(octets.get(..16)?).ok()?))
    };
    Some(SocketAddr::new(ip, port))
}
