//! Ports of the machine that the system chose for a run.

use crate::wire::Event;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, PipeReader};
use std::net::SocketAddr;
use wasmrt_model::network::{Protocol, Published};
use wasmrt_model::{Error, NetworkPolicy, Result};

/// Where a published port of a guest can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublishedAt {
    /// Where the machine listens.
    pub local: SocketAddr,
    /// What port that is to the guest.
    pub guest_port: u16,
    /// Connections or datagrams.
    pub protocol: Protocol,
}

/// How many ports the system is to choose.
pub(super) fn chosen_ports(policy: &NetworkPolicy) -> usize {
    policy.publish.iter().filter(|one| matches!(one, Published::Port(port) if port.host.port() == 0)).count()
}

/// What is told of a run's ports, and how many are still to come.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    pipe: Option<BufReader<PipeReader>>,
    told: Vec<PublishedAt>,
    expected: usize,
}

impl Announcements {
    pub(super) fn new(pipe: PipeReader, expected: usize) -> Self {
        Self { pipe: Some(BufReader::new(pipe)), told: Vec::new(), expected }
    }

    /// All of them, waiting for those that are missing; fewer when the run ended before.
    pub(super) fn all(&mut self) -> Result<Vec<PublishedAt>> {
        while self.told.len() < self.expected
            && let Some(pipe) = &mut self.pipe
        {
            let mut line = String::new();
            let count = pipe.read_line(&mut line).map_err(|source| Error::io("cannot hear of ports", source))?;
            match serde_json::from_str(&line) {
                Ok(Event::Published(port)) => self.told.push(port),
                Err(_) if count == 0 => self.pipe = None,
                Err(_) => {}
            }
        }
        Ok(self.told.clone())
    }
}
