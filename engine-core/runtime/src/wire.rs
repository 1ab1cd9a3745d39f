//! What an embedder and its zygote say to each other: one greeting, then jobs, each with a socket on which its answer comes back.
//!
//! Both are the same build, which the greeting makes sure of; so these words may change with any version. A message is one packet of a SEQPACKET
//! socket: the length of its head, the head as JSON, then bytes as they are. What is too long for a packet travels in memory that is
//! passed along as a descriptor.

pub(crate) mod packet;

use crate::cache::CacheConfig;
use crate::embed::PublishedAt;
use crate::errand::Parcel;
use crate::inspect::Inspection;
use crate::runtime::Compiled;
use packet::{Packet, Received};
use rustix::fs::{MemfdFlags, SealFlags};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use wasmrt_model::{Capabilities, Captured, Ceiling, EngineName, Error, ErrorKind, Outcome, Result};

/// What both have to agree about.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "/1");

/// What an answer may come to beyond a packet: all that can be captured, and then some.
const MOST_BYTES: u64 = 1 << 40;

/// The first thing that an embedder says. The descriptor that comes with it is a pidfd of the embedder.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Greeting {
    pub(crate) version: String,
    pub(crate) cache: CacheConfig,
    pub(crate) ceiling: Ceiling,
    pub(crate) max_runs: usize,
    /// Engines to load at once, since runs will want them.
    #[serde(default)]
    pub(crate) warm: Vec<EngineName>,
}

/// The first thing, and the only one, that a zygote says by itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Welcome {
    Ready,
    Refused(Error),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Task {
    /// Run the module to its end.
    Run,
    /// Make native code of it and keep that.
    Compile,
    /// Make everything ready that a run would need, and keep it.
    Preload,
    /// Say what it is.
    Inspect,
    /// Say what engines there are.
    Engines,
    /// Whatever the program knows to do that the zygote is a fork of.
    Errand,
}

/// The head of a job. Its descriptors come in the order of these fields, behind the socket for the answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct JobHead {
    pub(crate) task: Task,
    /// The hash of the module, when there is one.
    pub(crate) module: Option<ModuleName>,
    /// Whether the spec is in memory of its own, because it is too long for the packet.
    pub(crate) long_spec: bool,
    /// Which of the guest's standard streams come along.
    pub(crate) streams: [bool; 3],
    /// Whether there is a pipe for what is to be told while the job is done.
    pub(crate) events: bool,
    /// The caller's process group, when the guest reads from its terminal.
    pub(crate) group: Option<i32>,
    /// How many more descriptors there are.
    #[serde(default)]
    pub(crate) extra: usize,
}

/// What is told of a job while it is done: a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// A published port that the system chose is bound.
    Published(PublishedAt),
}

/// A module by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ModuleName([u8; 32]);

impl ModuleName {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    pub(crate) fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_string()
    }
}

/// The head of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AnswerHead {
    /// Behind it come as many bytes of standard output and standard error as it says.
    Outcome {
        outcome: Box<Outcome>,
        stdout: Option<u64>,
        stderr: Option<u64>,
    },
    Compiled(Compiled),
    Preloaded,
    Inspection(Box<Inspection>),
    /// What came of it is behind this.
    Errand,
    Engines(Vec<(EngineName, std::result::Result<Capabilities, Error>)>),
    Failed(Error),
}

/// What became of a job.
#[derive(Debug)]
pub(crate) enum Answer {
    Outcome(Box<Outcome>),
    Compiled(Compiled),
    Preloaded,
    Inspection(Box<Inspection>),
    Errand(Parcel),
    Engines(Vec<(EngineName, Result<Capabilities>)>),
    Failed(Error),
}

impl Answer {
    /// Sends it as the one message of its job.
    pub(crate) fn send(self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let mut captured = [None, None];
        let head = match self {
            Self::Outcome(mut outcome) => {
                captured = [outcome.stdout.take(), outcome.stderr.take()].map(|one| one.map(|captured| captured.bytes));
                let [stdout, stderr] = captured.each_ref().map(|one| one.as_ref().map(|bytes| length(bytes)));
                AnswerHead::Outcome { outcome, stdout, stderr }
            }
            Self::Compiled(compiled) => AnswerHead::Compiled(compiled),
            Self::Preloaded => AnswerHead::Preloaded,
            Self::Inspection(inspection) => AnswerHead::Inspection(inspection),
            Self::Errand(parcel) => {
                let head = serde_json::to_vec(&AnswerHead::Errand)?;
                let descriptors: Vec<BorrowedFd<'_>> = parcel.descriptors.iter().map(AsFd::as_fd).collect();
                return Packet::new(&head).body(&[&parcel.bytes]).send(socket, &descriptors);
            }
            Self::Engines(engines) => AnswerHead::Engines(engines),
            Self::Failed(error) => AnswerHead::Failed(error),
        };
        let [stdout, stderr] = captured.each_ref().map(|one| one.as_deref().unwrap_or_default());
        let head = serde_json::to_vec(&head)?;
        let parts = [head.as_slice(), stdout, stderr];
        let total: usize = parts.iter().map(|part| part.len()).sum();
        if total <= packet::MOST_BYTES {
            return Packet::new(&head).body(&[stdout, stderr]).send(socket, &[]);
        }
        // Somebody may never read it. In memory of its own it waits without anybody having to wait with it.
        let head_length = length(&head).to_le_bytes();
        let memory = memory("wasmrt-answer", &[&head_length, &head, stdout, stderr])?;
        Packet::new(b"").send(socket, &[memory.as_fd()])
    }

    /// Reads it. None when the other end is gone without a word.
    pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        let Some(received) = packet::receive(socket)? else { return Ok(None) };
        let Received { head, body, descriptors } = received;
        if !head.is_empty() {
            return Self::read(&head, &mut body.as_slice(), descriptors).map(Some);
        }
        let memory = descriptors.into_iter().next().ok_or_else(|| invalid("an answer without content"))?;
        let mut file = File::from(memory);
        file.seek(SeekFrom::Start(0))?;
        let mut head_length = [0; 8];
        file.read_exact(&mut head_length)?;
        let head = read_exactly(&mut file, u64::from_le_bytes(head_length))?;
        Self::read(&head, &mut file, Vec::new()).map(Some)
    }

    fn read(head: &[u8], rest: &mut impl Read, descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        Ok(match serde_json::from_slice(head)? {
            AnswerHead::Outcome { mut outcome, stdout, stderr } => {
                let mut captured = |length: Option<u64>| {
                    length.map(|length| Ok::<_, io::Error>(Captured { bytes: read_exactly(rest, length)? })).transpose()
                };
                outcome.stdout = captured(stdout)?;
                outcome.stderr = captured(stderr)?;
                Self::Outcome(outcome)
            }
            AnswerHead::Compiled(compiled) => Self::Compiled(compiled),
            AnswerHead::Preloaded => Self::Preloaded,
            AnswerHead::Inspection(inspection) => Self::Inspection(inspection),
            AnswerHead::Errand => {
                let mut bytes = Vec::new();
                rest.read_to_end(&mut bytes)?;
                Self::Errand(Parcel { bytes, descriptors })
            }
            AnswerHead::Engines(engines) => Self::Engines(engines),
            AnswerHead::Failed(error) => Self::Failed(error),
        })
    }
}

/// Reads a message's head.
pub(crate) fn parse<T: DeserializeOwned>(head: &[u8]) -> Result<T> {
    serde_json::from_slice(head)
        .map_err(|source| Error::new(ErrorKind::Internal, "a message that makes no sense").with_source(source))
}

/// These bytes, one after the other, in memory that nobody can change any more.
pub(crate) fn memory(name: &'static str, parts: &[&[u8]]) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(memory);
    for part in parts {
        file.write_all(part)?;
    }
    let all = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, all)?;
    Ok(file.into())
}

/// All that is in such memory, whoever else reads it.
pub(crate) fn read_memory(memory: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let length = u64::try_from(rustix::fs::fstat(memory)?.st_size).unwrap_or(0);
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| invalid("more than fits in memory"))?];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let offset = u64::try_from(filled).unwrap_or(u64::MAX);
        match rustix::io::pread(memory, rest, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(bytes)
}

fn read_exactly(reader: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    if length > MOST_BYTES {
        return Err(invalid("a length that cannot be"));
    }
    let mut bytes = Vec::new();
    let got = reader.take(length).read_to_end(&mut bytes)?;
    if u64::try_from(got).ok() != Some(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
