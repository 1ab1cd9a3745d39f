//! What was received before the guest asked for it.
//!
//! A guest that waits is told how many bytes there are to receive. The system can be asked that, but then it has to be asked again for the bytes:
//! taking them at once, and keeping them until the guest wants them, is one call instead of two.

use super::{Sockets, State};
use rustix::io::Errno as Os;
use rustix::net::RecvFlags;

/// The most that is taken of one connection. A guest may have many.
const BYTES: usize = 4096;

/// What is kept of one socket.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    bytes: Vec<u8>,
    /// How many of the bytes the guest has.
    given: usize,
    /// What the system said in the place of bytes: it says so once.
    failure: Option<Os>,
}

impl Ahead {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.failure.is_none()
    }

    /// Keeps a failure until the guest asks.
    pub(super) fn fail(&mut self, failure: Os) {
        self.failure = Some(failure);
    }

    /// Gives what is kept, as much as fits; nothing, if nothing is. And whether the system may have more that is there already.
    pub(super) fn give(&mut self, buffer: &mut [u8], peek: bool) -> Result<(usize, bool), Os> {
        let rest = self.bytes.get(self.given..).unwrap_or_default();
        if rest.is_empty() {
            return self.failure.take().map_or(Ok((0, true)), Err);
        }
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        let more = count == rest.len() && self.bytes.len() == BYTES && self.failure.is_none();
        if !peek {
            self.given += count;
            if self.given == self.bytes.len() {
                self.bytes = Vec::new();
                self.given = 0;
            }
        }
        Ok((count, more && !peek))
    }
}

impl Sockets {
    /// How much is known to be there for the guest, before anybody asks the system.
    pub(crate) fn known_receivable(&self, key: u32) -> Option<u64> {
        let ahead = &self.open.get(&key)?.ahead;
        (!ahead.is_empty()).then(|| receivable(ahead.bytes.len() - ahead.given))
    }

    /// How many bytes a socket has that is ready; at least 1, which may turn out to be the end, an error or a connection.
    pub(crate) fn receivable(&mut self, key: u32) -> u64 {
        let Self { open, room, .. } = self;
        let Some(socket) = open.get_mut(&key) else { return 1 };
        let heard = match &socket.state {
            State::Connected(fd) => {
                // A guest without connections has no room for them.
                room.resize(BYTES, 0);
                rustix::net::recv(fd, &mut room[..], RecvFlags::DONTWAIT).map(|(count, _)| {
                    socket.ahead.bytes.extend_from_slice(&room[..count]);
                    count
                })
            }
            State::Datagrams { fd, .. } => {
                let flags = RecvFlags::PEEK | RecvFlags::TRUNC | RecvFlags::DONTWAIT;
                rustix::net::recv(fd, &mut [0; 1][..], flags).map(|(_, length)| length)
            }
            State::Fresh | State::Bound(_) | State::Listening(_) => Ok(0),
        };
        let length = match heard {
            Ok(length) => length,
            Err(Os::AGAIN | Os::INTR) => 0,
            Err(failure) => {
                socket.ahead.fail(failure);
                0
            }
        };
        receivable(length)
    }
}

fn receivable(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).max(1)
}
