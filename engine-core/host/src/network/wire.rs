//! What a broker and its guest's process say to each other: one message each way, of a bounded size. The guest's side is not trusted.

use super::{DatagramId, Failure};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// The longest datagram, and with it nearly the longest message.
pub(super) const LONGEST_DATA: usize = 1 << 16;

/// The longest message: data, and what describes it.
pub(super) const LONGEST: usize = LONGEST_DATA + 4096;

/// What is asked for. Data follows behind the message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    Connect { local: Option<SocketAddr>, peer: SocketAddr },
    Bind { local: SocketAddr },
    Datagrams { local: SocketAddr },
    ConnectDatagrams { id: DatagramId, peer: SocketAddr },
    DisconnectDatagrams { id: DatagramId },
    SendTo { id: DatagramId, peer: SocketAddr },
    ReceiveFrom { id: DatagramId, length: usize, peek: bool },
    CloseDatagrams { id: DatagramId },
    Resolve { name: String },
}

/// What came of it. A socket travels beside the message, data behind it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Socket { id: DatagramId },
    Done { count: usize },
    Received { length: usize, peer: SocketAddr },
    Addresses(Vec<IpAddr>),
    Denied(String),
    System(i32),
    NoName,
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied(why) => Self::Denied(why),
            Failure::System(errno) => Self::System(errno),
            Failure::NoName => Self::NoName,
        }
    }
}

/// A message: its head's length, its head, data.
pub(super) fn encode(head: &impl Serialize, data: &[u8]) -> Result<Vec<u8>, Failure> {
    let head = serde_json::to_vec(head).map_err(|_| Failure::System(rustix::io::Errno::INVAL.raw_os_error()))?;
    let length = u32::try_from(head.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(4 + head.len() + data.len());
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(&head);
    message.extend_from_slice(data);
    Ok(message)
}

/// The head and the data of a message; None when it is none.
pub(super) fn decode<'a, T: Deserialize<'a>>(message: &'a [u8]) -> Option<(T, &'a [u8])> {
    let (length, rest) = message.split_first_chunk::<4>()?;
    let (head, data) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some((serde_json::from_slice(head).ok()?, data))
}
