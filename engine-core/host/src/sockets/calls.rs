//! WasmEdge's socket functions: their arguments and layouts. What they do is [`Sockets`]' part.
//!
//! Some have two forms, told apart by their signatures; a third one is refused when the module is linked.

use super::{Around, Family, Receive, Sockets, address};
use crate::errno::{Answer, Errno};
use crate::memory::{Buffers, aligned, buffers, range, write_u32};
use crate::preview1::Function;
use rustix::net::Shutdown;
use std::net::SocketAddr;
use std::ops::Range;
use wasmrt_model::network::Protocol;

const PEEK: u32 = 1;
const WAIT_ALL: u32 = 2;
const TRUNCATED: u16 = 1;

/// The most that is gathered from many buffers for one call.
const GATHERED: usize = 1 << 20;

impl Sockets {
    /// Opens a socket as `sock_open(family, type)` asks for it.
    pub(crate) fn open_numbered(&mut self, family: u32, kind: u32) -> Answer<u32> {
        let family = match family {
            1 => Family::V4,
            2 => Family::V6,
            // Unix sockets, whoever runs the guest.
            3 => return Err(Errno::AFNOSUPPORT.into()),
            _ => return Err(Errno::INVAL.into()),
        };
        let protocol = match kind {
            1 => Protocol::Udp,
            2 => Protocol::Tcp,
            _ => return Err(Errno::INVAL.into()),
        };
        self.open(family, protocol)
    }

    /// Carries out a function on a socket that is there. `args` are those behind the descriptor.
    pub(crate) fn call(
        &mut self,
        function: Function,
        key: u32,
        memory: &mut [u8],
        args: &[u32],
        around: &Around<'_>,
    ) -> Answer {
        match (function, args) {
            (Function::SockBind, [at, port]) => self.bind(key, address::read(memory, *at, *port)?),
            (Function::SockListen, [backlog]) => self.listen(key, *backlog),
            (Function::SockConnect, [at, port]) => self.connect(key, address::read(memory, *at, *port)?, around),
            (Function::SockRecv, [list, count, flags, length_at, flags_at]) => {
                self.receive_into(key, memory, (*list, *count, *flags), (*length_at, *flags_at), None, around)
            }
            (Function::SockRecvFrom, [list, count, from, flags, length_at, flags_at]) => self.receive_into(
                key,
                memory,
                (*list, *count, *flags),
                (*length_at, *flags_at),
                Some((*from, None)),
                around,
            ),
            (Function::SockRecvFromV2, [list, count, from, flags, port_at, length_at, flags_at]) => {
                let from = Some((*from, Some(*port_at)));
                self.receive_into(key, memory, (*list, *count, *flags), (*length_at, *flags_at), from, around)
            }
            (Function::SockSend, [list, count, flags, sent_at]) => {
                self.send_from(key, memory, (*list, *count, *flags), None, *sent_at, around)
            }
            (Function::SockSendTo, [list, count, to, port, flags, sent_at]) => {
                let peer = address::read(memory, *to, *port)?;
                self.bind_to_send(key)?;
                self.send_from(key, memory, (*list, *count, *flags), Some(peer), *sent_at, around)
            }
            (Function::SockShutdown, [how]) => self.shut_down(key, *how),
            (Function::SockGetsockopt, [level, name, at, size_at]) => {
                self.get_mut(key)?.get_option(memory, *level, *name, *at, *size_at)
            }
            (Function::SockSetsockopt, [level, name, at, size]) => {
                self.get_mut(key)?.set_option(memory, *level, *name, *at, *size)
            }
            (Function::SockGetlocaladdr | Function::SockGetpeeraddr, [at, type_at, port_at]) => {
                aligned(memory, *type_at, 4, 4)?;
                aligned(memory, *port_at, 4, 4)?;
                let found = self.name(function, key)?;
                address::write(memory, *at, found)?;
                write_u32(memory, *type_at, address::version(Family::of(found)))?;
                write_u32(memory, *port_at, u32::from(found.port()))
            }
            (Function::SockGetlocaladdrV2 | Function::SockGetpeeraddrV2, [at, port_at]) => {
                aligned(memory, *port_at, 4, 4)?;
                let found = self.name(function, key)?;
                address::write(memory, *at, found)?;
                write_u32(memory, *port_at, u32::from(found.port()))
            }
            _ => Err(Errno::NOSYS.into()),
        }
    }

    /// `sock_getaddrinfo`, which has no descriptor.
    pub(crate) fn resolve(&mut self, memory: &mut [u8], args: &[u32]) -> Answer {
        match <[u32; 8]>::try_from(args) {
            Ok(args) => self.look_up(memory, args),
            Err(_) => Err(Errno::NOSYS.into()),
        }
    }

    /// The local address, or the peer's.
    fn name(&self, function: Function, key: u32) -> Answer<SocketAddr> {
        let socket = self.get(key)?;
        let local = matches!(function, Function::SockGetlocaladdr | Function::SockGetlocaladdrV2);
        if local && let Some(address) = socket.local {
            return Ok(address);
        }
        let Some(fd) = socket.fd() else {
            return if local { Ok(socket.family.unspecified()) } else { Err(Errno::NOTCONN.into()) };
        };
        let found = if local {
            Some(rustix::net::getsockname(fd).map_err(Errno::from_os)?)
        } else {
            rustix::net::getpeername(fd).map_err(Errno::from_os)?
        };
        found.and_then(|address| address.try_into().ok()).ok_or_else(|| Errno::NOTCONN.into())
    }

    /// `sock_shutdown`.
    pub(crate) fn shut_down(&mut self, key: u32, how: u32) -> Answer {
        let how = match how {
            1 => Shutdown::Read,
            2 => Shutdown::Write,
            3 => Shutdown::Both,
            _ => return Err(Errno::INVAL.into()),
        };
        let fd = self.get(key)?.connected().ok_or(Errno::NOTCONN)?;
        rustix::net::shutdown(fd, how).map_err(|error| Errno::from_os(error).into())
    }

    /// Receives into a list of buffers. `from`: where the sender's address goes, and its port.
    fn receive_into(
        &mut self,
        key: u32,
        memory: &mut [u8],
        (list, count, flags): (u32, u32, u32),
        (length_at, flags_at): (u32, u32),
        from: Option<(u32, Option<u32>)>,
        around: &Around<'_>,
    ) -> Answer {
        aligned(memory, length_at, 4, 4)?;
        aligned(memory, flags_at, 2, 2)?;
        if flags & !(PEEK | WAIT_ALL) != 0 {
            return Err(Errno::INVAL.into());
        }
        let flags = Receive { peek: flags & PEEK != 0, all: flags & WAIT_ALL != 0 };
        if let Some((_, Some(port_at))) = from {
            range(memory, port_at, 2)?;
        }
        let buffers = filled(buffers(memory, list, count)?);
        let room = total(&buffers);
        let (length, peer) = self.receive_scattered(key, memory, &buffers, flags, around)?;
        let received = u32::try_from(length.min(room)).unwrap_or(u32::MAX);
        if let (Some((at, port_at)), Some(peer)) = (from, peer) {
            address::write(memory, at, peer)?;
            if let Some(port_at) = port_at {
                let place = range(memory, port_at, 2)?;
                memory[place].copy_from_slice(&peer.port().to_le_bytes());
            }
        }
        write_u32(memory, length_at, received)?;
        let flags = if length > room { TRUNCATED } else { 0 };
        let place = aligned(memory, flags_at, 2, 2)?;
        memory[place].copy_from_slice(&flags.to_le_bytes());
        Ok(())
    }

    /// Receives into these buffers: straight, where there is one or where a part of them will do.
    pub(super) fn receive_scattered(
        &mut self,
        key: u32,
        memory: &mut [u8],
        buffers: &[Range<usize>],
        flags: Receive,
        around: &Around<'_>,
    ) -> Answer<(usize, Option<SocketAddr>)> {
        let partly = self.get(key)?.protocol == Protocol::Tcp && !flags.all;
        match buffers {
            [] => self.receive(key, &mut [], flags, around),
            [one] => self.receive(key, &mut memory[one.clone()], flags, around),
            [first, ..] if partly => self.receive(key, &mut memory[first.clone()], flags, around),
            several => {
                let mut gathered = vec![0; total(several).min(GATHERED)];
                let (length, peer) = self.receive(key, &mut gathered, flags, around)?;
                let mut rest = &gathered[..length.min(gathered.len())];
                for buffer in several {
                    let (part, others) = rest.split_at(rest.len().min(buffer.len()));
                    memory[buffer.start..buffer.start + part.len()].copy_from_slice(part);
                    rest = others;
                }
                Ok((length, peer))
            }
        }
    }

    /// Sends a list of buffers.
    pub(super) fn send_from(
        &mut self,
        key: u32,
        memory: &mut [u8],
        (list, count, flags): (u32, u32, u32),
        peer: Option<SocketAddr>,
        sent_at: u32,
        around: &Around<'_>,
    ) -> Answer {
        aligned(memory, sent_at, 4, 4)?;
        if flags != 0 {
            return Err(Errno::INVAL.into());
        }
        let buffers = filled(buffers(memory, list, count)?);
        let whole = self.get(key)?.protocol == Protocol::Udp;
        let sent = match &buffers[..] {
            [one] => self.send(key, &memory[one.clone()], peer, around)?,
            several if whole && total(several) > GATHERED => return Err(Errno::MSGSIZE.into()),
            several => self.send(key, &gathered(memory, several), peer, around)?,
        };
        write_u32(memory, sent_at, u32::try_from(sent).unwrap_or(u32::MAX))
    }
}

fn filled(mut buffers: Buffers) -> Buffers {
    buffers.retain(|buffer| buffer.start < buffer.end);
    buffers
}

/// What these buffers hold, or as much of it as is gathered for one call.
fn gathered(memory: &[u8], buffers: &[Range<usize>]) -> Vec<u8> {
    let mut gathered = Vec::with_capacity(total(buffers).min(GATHERED));
    for buffer in buffers {
        let part = &memory[buffer.clone()];
        gathered.extend_from_slice(&part[..part.len().min(GATHERED - gathered.len())]);
    }
    gathered
}

fn total(buffers: &[Range<usize>]) -> usize {
    buffers.iter().fold(0, |sum, buffer| sum.saturating_add(buffer.len()))
}
