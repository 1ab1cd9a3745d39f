//! One message with its descriptors, as one packet. It knows sizes and descriptors, not what they mean.

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Head and body together. A socket's buffer holds several.
pub(crate) const MOST_BYTES: usize = 48 << 10;

/// Descriptors in one packet: the answer's socket, directory, module, spec, three streams.
pub(crate) const MOST_DESCRIPTORS: usize = 8;

const LENGTH_BYTES: usize = size_of::<u32>();

/// Two ends of a connection that keeps packets apart.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// A message to send.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    head: &'a [u8],
    body: Vec<&'a [u8]>,
}

impl<'a> Packet<'a> {
    pub(crate) fn new(head: &'a [u8]) -> Self {
        Self { head, body: Vec::new() }
    }

    /// Bytes that follow the head.
    pub(crate) fn body(mut self, parts: &[&'a [u8]]) -> Self {
        self.body.extend(parts);
        self
    }

    /// Sends it whole, or not at all. Waits while the socket's buffer is full.
    pub(crate) fn send(&self, socket: BorrowedFd<'_>, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let total = self.head.len() + self.body.iter().map(|part| part.len()).sum::<usize>();
        if total > MOST_BYTES || descriptors.len() > MOST_DESCRIPTORS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message that is too long"));
        }
        let length = u32::try_from(self.head.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut slices = vec![IoSlice::new(&length), IoSlice::new(self.head)];
        slices.extend(self.body.iter().map(|part| IoSlice::new(part)));
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                return Err(io::Error::other("no room for descriptors"));
            }
            match rustix::net::sendmsg(socket, &slices, &mut control, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// A message that came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// Takes the next message. None when there will be none any more. An error of kind `InvalidData` is about that message alone, whose descriptors
/// are closed again.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<Received>> {
    let mut bytes = vec![0; LENGTH_BYTES + MOST_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        match rustix::net::recvmsg(socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) => break message,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    let mut descriptors = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = part {
            descriptors.extend(some);
        }
    }
    if message.bytes == 0 && descriptors.is_empty() {
        return Ok(None);
    }
    let cut = message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    bytes.truncate(message.bytes);
    let split = |bytes: &[u8]| {
        let (length, rest) = bytes.split_at_checked(LENGTH_BYTES)?;
        let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
        let (head, body) = rest.split_at_checked(length)?;
        Some((head.to_vec(), body.to_vec()))
    };
    match split(&bytes).filter(|_| !cut) {
        Some((head, body)) => Ok(Some(Received { head, body, descriptors })),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "a packet that is no message")),
    }
}
