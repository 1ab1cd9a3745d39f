//! Ports of the machine that the system chose for a run.

use super::queue::timespec;
use crate::wire::Event;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::io::{self, PipeReader, Read};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use wasmrt_model::network::{Protocol, Published};
use wasmrt_model::{Error, NetworkPolicy, Result};

/// More than an announcement takes.
const PART: usize = 1024;

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
    pipe: Option<PipeReader>,
    heard: Mutex<Heard>,
    expected: usize,
}

#[derive(Debug, Default)]
struct Heard {
    /// The beginning of a line.
    text: Vec<u8>,
    ports: Vec<PublishedAt>,
    /// Nobody says any more.
    over: bool,
}

impl Announcements {
    pub(super) fn new(pipe: PipeReader, expected: usize) -> Self {
        Self { pipe: Some(pipe), heard: Mutex::default(), expected }
    }

    /// What is readable when there is something to be heard.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// All of them, waiting for those that are missing; fewer when the run ended before, as is heard here or known by `ended`. None when they are not
    /// known in time.
    pub(super) fn until(&self, until: Option<Instant>, ended: &AtomicBool) -> Result<Option<Vec<PublishedAt>>> {
        let Some(pipe) = &self.pipe else { return Ok(Some(Vec::new())) };
        loop {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.over || heard.ports.len() >= self.expected {
                return Ok(Some(heard.ports.clone()));
            }
            // What was told was told before the end.
            let ended = ended.load(Ordering::Acquire);
            if readable(pipe, Some(Duration::ZERO)).map_err(deaf)? {
                heard.listen(pipe).map_err(deaf)?;
                continue;
            }
            if ended {
                return Ok(Some(heard.ports.clone()));
            }
            // Others may hear it meanwhile.
            drop(heard);
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            readable(pipe, left).map_err(deaf)?;
        }
    }
}

impl Heard {
    fn listen(&mut self, mut pipe: &PipeReader) -> io::Result<()> {
        let mut part = [0; PART];
        let count = pipe.read(&mut part)?;
        self.over = count == 0;
        self.text.extend_from_slice(part.get(..count).unwrap_or_default());
        while let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            if let Ok(Event::Published(port)) = serde_json::from_slice(&line) {
                self.ports.push(port);
            }
        }
        Ok(())
    }
}

fn readable(pipe: &PipeReader, timeout: Option<Duration>) -> io::Result<bool> {
    match poll(&mut [PollFd::new(pipe, PollFlags::IN)], timeout.map(timespec).as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn deaf(source: io::Error) -> Error {
    Error::io("cannot hear of ports", source)
}
