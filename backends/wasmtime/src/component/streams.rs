//! A component's standard streams, straight on their descriptors: no buffer and no thread. Waiting is the reactor's.
//!
//! Descriptors are shared with others and stay as they are: whether one can be used now is asked with poll, and the reactor only
//! says when to ask again.

use super::http::Trust;
use super::network::{GuestNetwork, Wire};
use super::quota::{Bytes as Quota, OpenFiles};
use super::state::Place;
use super::watched::{Watched, poll};
use bytes::Bytes;
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use wasmrt_host::KernelFiles;
use wasmrt_host::Refusals;
use wasmrt_model::RunPlan;
use wasmrt_model::component::{ComponentResources, UsageCounter};
use wasmrt_model::stdio;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// What a pipe that is ready for writing takes without blocking, by POSIX on Linux.
const PIPE_BYTES: usize = 4096;
/// What is written at once to what never makes anybody wait.
const FILE_BYTES: usize = 64 << 10;
/// The most that is read at once.
const READ_BYTES: usize = 64 << 10;

/// The three streams, and the way to the network, as all guests of a process share them.
pub(super) struct Standard {
    wire: Wire,
    trust: Arc<Trust>,
    stdin: Arc<Channel>,
    stdout: Arc<Channel>,
    stderr: Arc<Channel>,
    usage: Arc<dyn UsageCounter>,
    kernel_files: KernelFiles,
}

impl Standard {
    /// Takes the descriptors. Has to be called inside the runtime that will wait for them.
    pub(super) fn new(resources: ComponentResources, place: Place) -> Self {
        let ComponentResources { stdin, stdout, stderr, broker, listeners, trust, kernel_devices, usage, .. } =
            resources;
        Self {
            trust: Arc::new(Trust::new(trust)),
            wire: Wire::new(broker, listeners, place == Place::Server),
            stdin: Arc::new(Channel::new(stdin, Interest::READABLE)),
            stdout: Arc::new(Channel::new(stdout, Interest::WRITABLE)),
            stderr: Arc::new(Channel::new(stderr, Interest::WRITABLE)),
            usage,
            kernel_files: KernelFiles::on(kernel_devices),
        }
    }

    /// What no directory grants.
    pub(super) fn kernel_files(&self) -> &KernelFiles {
        &self.kernel_files
    }

    pub(super) fn usage(&self) -> &Arc<dyn UsageCounter> {
        &self.usage
    }

    /// The network of one guest.
    pub(super) fn network(&self, plan: &RunPlan, files: &Arc<OpenFiles>, refusals: Refusals) -> GuestNetwork {
        self.wire.of_guest(plan, Arc::clone(&self.usage), files, refusals)
    }

    /// Who vouches for servers.
    pub(super) fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// Gives the streams to one guest, with quotas of its own.
    pub(super) fn apply(&self, builder: &mut WasiCtxBuilder, plan: &RunPlan) {
        let quota = Arc::new(Quota::output(plan, Arc::clone(&self.usage)));
        let output = |channel: &Arc<Channel>, output: &stdio::Output| {
            let cap = match output {
                stdio::Output::Capture { cap: Some(cap) } => cap.0,
                _ => u64::MAX,
            };
            Output { channel: Arc::clone(channel), quota: Arc::clone(&quota), left: Arc::new(AtomicU64::new(cap)) }
        };
        builder
            .stdin(Input(Arc::clone(&self.stdin)))
            .stdout(output(&self.stdout, &plan.stdio().stdout))
            .stderr(output(&self.stderr, &plan.stdio().stderr));
    }
}

/// The descriptor behind a stream.
struct Channel {
    end: End,
    terminal: bool,
}

enum End {
    /// None: end of file, or nowhere.
    Nowhere,
    /// Neither reading nor writing ever waits for somebody else.
    Always(OwnedFd),
    /// Somebody is at the other end.
    Waits(Watched),
}

impl Channel {
    fn new(fd: Option<OwnedFd>, interest: Interest) -> Self {
        let terminal = fd.as_ref().is_some_and(rustix::termios::isatty);
        let end = match fd {
            None => End::Nowhere,
            // What the reactor does not take, such as regular files, is always ready.
            Some(fd) => match Watched::new(fd, interest) {
                Ok(fd) => End::Waits(fd),
                Err((fd, _)) => End::Always(fd),
            },
        };
        Self { end, terminal }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.end {
            End::Nowhere => None,
            End::Always(fd) => Some(fd.as_fd()),
            End::Waits(fd) => Some(fd.as_fd()),
        }
    }

    /// Whether it can be used now.
    fn is_ready(&self, flags: PollFlags) -> bool {
        match &self.end {
            End::Nowhere | End::Always(_) => true,
            End::Waits(fd) => fd.is_ready(flags),
        }
    }

    /// Waits until it can.
    async fn ready(&self, interest: Interest, flags: PollFlags) {
        if let End::Waits(fd) = &self.end {
            fd.ready(interest, flags).await;
        }
    }
}

/// Writes all of it, waiting where others have made the descriptor non-blocking.
pub(super) fn write_all(fd: BorrowedFd<'_>, mut rest: &[u8]) -> Result<(), Errno> {
    while !rest.is_empty() {
        match rustix::io::write(fd, rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(fd, PollFlags::OUT, None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Standard input.
struct Input(Arc<Channel>);

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        self.0.terminal
    }
}

impl StdinStream for Input {
    /// For WASI 0.3, which is not offered.
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(Input(Arc::clone(&self.0)))
    }
}

#[async_trait::async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        self.0.ready(Interest::READABLE, PollFlags::IN).await;
    }
}

impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let Some(fd) = self.0.fd() else { return Err(StreamError::Closed) };
        if size == 0 || !self.0.is_ready(PollFlags::IN) {
            return Ok(Bytes::new());
        }
        let mut buffer = vec![0; size.min(READ_BYTES)];
        match rustix::io::read(fd, &mut buffer) {
            Ok(0) => Err(StreamError::Closed),
            Ok(count) => {
                buffer.truncate(count);
                Ok(buffer.into())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Bytes::new()),
            Err(error) => Err(StreamError::LastOperationFailed(std::io::Error::from(error).into())),
        }
    }
}

/// Standard output, or standard error.
#[derive(Clone)]
struct Output {
    channel: Arc<Channel>,
    quota: Arc<Quota>,
    /// What may still be written to this one.
    left: Arc<AtomicU64>,
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        self.channel.terminal
    }
}

impl StdoutStream for Output {
    /// For WASI 0.3, which is not offered.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        self.channel.ready(Interest::WRITABLE, PollFlags::OUT).await;
    }
}

impl OutputStream for Output {
    /// What the limits allow is written before they end the guest.
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let left = self.quota.left().min(self.left.load(Ordering::Relaxed));
        let allowed = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let written = bytes.get(..allowed).unwrap_or_default();
        if let Some(fd) = self.channel.fd() {
            write_all(fd, written).map_err(|error| match error {
                Errno::PIPE => StreamError::Closed,
                error => StreamError::LastOperationFailed(std::io::Error::from(error).into()),
            })?;
        }
        let count = u64::try_from(written.len()).unwrap_or(u64::MAX);
        self.quota.charge(count);
        self.left.fetch_sub(count.min(self.left.load(Ordering::Relaxed)), Ordering::Relaxed);
        if allowed < bytes.len() { Err(StreamError::Trap(self.quota.reached())) } else { Ok(()) }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(match self.channel.end {
            End::Waits(_) if self.channel.is_ready(PollFlags::OUT) => PIPE_BYTES,
            End::Waits(_) => 0,
            _ => FILE_BYTES,
        })
    }
}
