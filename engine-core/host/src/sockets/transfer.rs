//! What goes through sockets: receiving, sending, and how much of it may.

use super::{Around, Family, Sockets, State, opener, stop};
use crate::errno::{Answer, Errno};
use crate::network::Failure;
use rustix::event::PollFlags;
use rustix::io::Errno as Os;
use rustix::net::{RecvFlags, SendFlags};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use wasmrt_model::backend::Ending;
use wasmrt_model::network::Protocol;

/// How to receive.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Receive {
    pub(super) peek: bool,
    pub(super) all: bool,
}

impl Sockets {
    /// Receives what is there into this buffer: its length, which for a datagram may be more than fits, and the sender where there is one.
    pub(super) fn receive(
        &mut self,
        key: u32,
        buffer: &mut [u8],
        flags: Receive,
        around: &Around<'_>,
    ) -> Answer<(usize, Option<SocketAddr>)> {
        let Self { network, open, received, .. } = self;
        let socket = open.get_mut(&key).ok_or(Errno::BADF)?;
        let allowed = received.allowed(buffer.len()).map_err(Ending::Limit);
        let (ahead, more) = match &allowed {
            Ok(allowed) => socket.ahead.give(&mut buffer[..*allowed], flags.peek).map_err(Errno::from_os)?,
            Err(_) => (0, false),
        };
        let (count, peer) = match &socket.state {
            State::Connected(fd) => {
                let allowed = match allowed {
                    Ok(allowed) => allowed,
                    Err(over) if !socket.ahead.is_empty() => return Err(over.into()),
                    Err(over) => {
                        // That the peer has ended is no byte, and can be told to a guest that has had all of its bytes.
                        let next = socket.until_ready(PollFlags::IN, around.waiter, || {
                            rustix::net::recv(fd, &mut [0u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT)
                        })?;
                        return if next.1 == 0 { Ok((0, None)) } else { Err(over.into()) };
                    }
                };
                let room = &mut buffer[..allowed];
                let mut filled = ahead;
                let peek = if flags.peek { RecvFlags::PEEK } else { RecvFlags::empty() };
                if filled > 0 && more && filled < room.len() && !flags.all {
                    match rustix::net::recv(fd, &mut room[filled..], RecvFlags::DONTWAIT) {
                        Ok((count, _)) => filled += count,
                        Err(Os::AGAIN | Os::INTR) => {}
                        Err(failure) => socket.ahead.fail(failure),
                    }
                }
                // Nothing fits into no room; what is kept is not waited for.
                while filled == 0 && socket.ahead.is_empty() || flags.all && !flags.peek && filled < room.len() {
                    let count = socket.until_ready(PollFlags::IN, around.waiter, || {
                        rustix::net::recv(fd, &mut room[filled..], peek | RecvFlags::DONTWAIT).map(|(count, _)| count)
                    });
                    match count {
                        Ok(count) => filled += count,
                        Err(_) if filled > 0 => break,
                        Err(stop) => return Err(stop),
                    }
                    if count.is_ok_and(|count| count == 0) {
                        break;
                    }
                }
                (filled, None)
            }
            State::Datagrams { id, .. } => {
                let network = opener(network, || "listen".to_owned())?;
                let datagram = loop {
                    match network.receive_from(*id, buffer, flags.peek) {
                        Err(Failure::System(errno)) if errno == Os::AGAIN.raw_os_error() => {
                            socket.wait(PollFlags::IN, around.waiter)?
                        }
                        other => break other.map_err(stop)?,
                    }
                };
                if datagram.0.min(buffer.len()) > allowed.unwrap_or(0) {
                    return Err(Ending::Limit(received.kind()).into());
                }
                (datagram.0, Some(datagram.1))
            }
            _ => return Err(Errno::NOTCONN.into()),
        };
        if !flags.peek {
            let total = received.count(count.min(buffer.len()));
            around.counters.received_bytes.store(total, Ordering::Relaxed);
        }
        Ok((count, peer))
    }

    /// Sends, to a peer if one is named. What the limit does not allow to be sent ends the guest.
    pub(super) fn send(
        &mut self,
        key: u32,
        data: &[u8],
        peer: Option<SocketAddr>,
        around: &Around<'_>,
    ) -> Answer<usize> {
        let Self { network, open, sent, .. } = self;
        let socket = open.get_mut(&key).ok_or(Errno::BADF)?;
        let allowed = sent.allowed(data.len()).map_err(Ending::Limit)?;
        let count = match &socket.state {
            State::Connected(fd) => {
                if peer.is_some() {
                    return Err(Errno::ISCONN.into());
                }
                // `write` rather than `send`, whose arguments the worker's wall has to look at. It does not wait, as no descriptor here does, and a
                // peer that is gone makes no signal where workers run.
                socket.until_ready(PollFlags::OUT, around.waiter, || rustix::io::write(fd, &data[..allowed]))?
            }
            State::Datagrams { fd, id, connected } => {
                if allowed < data.len() {
                    return Err(Ending::Limit(sent.kind()).into());
                }
                match peer {
                    Some(peer) if Family::of(peer) != socket.family => return Err(Errno::AFNOSUPPORT.into()),
                    Some(peer) => {
                        let network = opener(network, || format!("connect={peer}/udp"))?;
                        loop {
                            match network.send_to(*id, data, peer) {
                                Err(Failure::System(errno)) if errno == Os::AGAIN.raw_os_error() => {
                                    socket.wait(PollFlags::OUT, around.waiter)?
                                }
                                other => break other.map_err(stop)?,
                            }
                        }
                    }
                    None if *connected => {
                        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                        socket.until_ready(PollFlags::OUT, around.waiter, || rustix::net::send(fd, data, flags))?
                    }
                    None => return Err(Errno::DESTADDRREQ.into()),
                }
            }
            _ => return Err(Errno::NOTCONN.into()),
        };
        around.counters.sent_bytes.store(sent.count(count), Ordering::Relaxed);
        if count == allowed && allowed < data.len() {
            return Err(Ending::Limit(sent.kind()).into());
        }
        Ok(count)
    }

    /// A datagram socket that nobody has bound gets some address when it first sends.
    pub(super) fn bind_to_send(&mut self, key: u32) -> Answer {
        let socket = self.get(key)?;
        if matches!(socket.state, State::Fresh) && socket.protocol == Protocol::Udp {
            let any = socket.family.unspecified();
            self.bind(key, any)?;
        }
        Ok(())
    }
}
