//! What a run needs of the network: its published ports, bound before the guest starts, and the process that opens sockets for it.
//!
//! The worker gets descriptors and nothing to make others with. Which addresses the rules allow is decided in [`wasmrt_host::network`], in
//! that other process.

use crate::process::{self, ChildProcess};
use crate::worker::report::Report;
use crate::worker::{self, WorkerGroup, WorkerSetup, above_standard_streams};
use rustix::net::{SocketType, sockopt};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use wasmrt_host::Listener;
use wasmrt_host::network::{Broker, Direct, Network, serve};
use wasmrt_model::network::{Protocol, Published, PublishedPort};
use wasmrt_model::units::Count;
use wasmrt_model::{Error, ErrorKind, ExitStatus, Limit, NetworkPolicy, Result};

/// What the process may map that opens sockets: it holds one datagram and some names at a time.
const BROKER_BYTES: u64 = 64 << 20;

/// What systemd passes sockets with, from this descriptor on.
const FIRST_ACTIVATED: i32 = 3;

/// A published port that is bound.
#[derive(Debug)]
pub(crate) struct Bound {
    socket: OwnedFd,
    pub(crate) local: SocketAddr,
    pub(crate) guest_port: u16,
    pub(crate) protocol: Protocol,
    /// Whether the system chose the port.
    pub(crate) chosen: bool,
}

/// Everything of the network that a worker is given.
#[derive(Debug, Default)]
pub(crate) struct GuestNetwork {
    published: Vec<Bound>,
    broker: Option<BrokerProcess>,
}

/// The process that opens sockets, for as long as this lives.
#[derive(Debug)]
struct BrokerProcess {
    _process: ChildProcess,
    guest_end: OwnedFd,
}

/// A guest's listeners, and whom it asks for sockets.
type InWorker = (Vec<Listener>, Option<Box<dyn Network>>);

impl GuestNetwork {
    /// Binds the published ports, and starts the process that opens sockets where a rule allows any.
    ///
    /// # Errors
    /// The system's, naming the port; `InvalidInput` for sockets that were not passed on as said.
    pub(crate) fn open(policy: &NetworkPolicy, backlog: Limit<Count>) -> Result<Self> {
        let mut published = Vec::new();
        for port in &policy.publish {
            match port {
                Published::Port(port) => published.push(bind(*port, backlog)?),
                Published::Activated => published.extend(activated()?),
                _ => return Err(Error::new(ErrorKind::Unsupported, format!("'{port}' cannot be published here"))),
            }
        }
        // Datagrams are answered through the same process, whatever the rules.
        let needed = !policy.allow.is_empty() || published.iter().any(|bound| bound.protocol == Protocol::Udp);
        let broker = needed.then(|| BrokerProcess::start(policy, &published)).transpose()?;
        Ok(Self { published, broker })
    }

    /// The ports, for whoever wants to tell.
    pub(crate) fn published(&self) -> &[Bound] {
        &self.published
    }

    /// Whether the guest has anything to do with sockets.
    pub(crate) fn is_open(&self) -> bool {
        !self.published.is_empty() || self.broker.is_some()
    }

    /// What a worker has to keep.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let sockets = self.published.iter().map(|bound| bound.socket.as_fd());
        sockets.chain(self.broker.iter().map(|broker| broker.guest_end.as_fd()))
    }

    /// In the worker: the way to the process that opens sockets, for guests that ask it themselves.
    ///
    /// # Errors
    /// `Internal` when there is no descriptor left.
    pub(crate) fn broker_in_worker(&self) -> Result<Option<OwnedFd>> {
        let copy = |broker: &BrokerProcess| above_standard_streams(broker.guest_end.as_fd());
        let copied = self.broker.as_ref().map(copy).transpose();
        copied.map_err(|source| Error::io("cannot hold on to the guest's sockets", source))
    }

    /// In the worker: the guest's listeners.
    ///
    /// # Errors
    /// `Internal` when there is no descriptor left.
    pub(crate) fn listeners_in_worker(&self) -> Result<Vec<Listener>> {
        let mut datagrams = 0;
        let mut listeners = Vec::with_capacity(self.published.len());
        for bound in &self.published {
            let socket = above_standard_streams(bound.socket.as_fd())
                .map_err(|source| Error::io("cannot hold on to the guest's sockets", source))?;
            let number = (bound.protocol == Protocol::Udp).then_some(datagrams);
            datagrams += u32::from(number.is_some());
            listeners.push(Listener {
                socket,
                local: bound.local,
                guest_port: Some(bound.guest_port),
                datagrams: number,
            });
        }
        Ok(listeners)
    }

    /// In the worker: the guest's listeners, and whom it asks for sockets.
    ///
    /// # Errors
    /// `Internal` when there is no descriptor left.
    pub(crate) fn in_worker(&self) -> Result<InWorker> {
        let broker = self.broker_in_worker()?;
        let network = broker.map(|end| Box::new(Broker::new(end)) as Box<dyn Network>);
        Ok((self.listeners_in_worker()?, network))
    }
}

impl BrokerProcess {
    fn start(policy: &NetworkPolicy, published: &[Bound]) -> Result<Self> {
        let failed = |source| Error::io("cannot prepare the process that opens sockets", source);
        let (ours, theirs) = Broker::pair().map_err(failed)?;
        let guest_end = above_standard_streams(ours.as_fd()).map_err(failed)?;
        let theirs = above_standard_streams(theirs.as_fd()).map_err(failed)?;
        drop(ours);
        let datagrams: Vec<BorrowedFd<'_>> = published
            .iter()
            .filter(|bound| bound.protocol == Protocol::Udp)
            .map(|bound| bound.socket.as_fd())
            .collect();
        let mut keep = vec![theirs.as_fd()];
        keep.extend(&datagrams);
        let setup = WorkerSetup {
            memory_bytes: Some(BROKER_BYTES),
            binds_ports: true,
            // Ctrl-C is for the guest; this one ends with it.
            group: WorkerGroup::Own,
            keep,
            ..WorkerSetup::default()
        };
        let policy = policy.clone();
        let worker = worker::spawn(setup, || {
            let copies = datagrams.iter().map(|socket| rustix::io::fcntl_dupfd_cloexec(socket, 3));
            match copies.collect::<std::result::Result<Vec<_>, _>>() {
                Ok(copies) => serve(&theirs, &mut Direct::new(policy, copies)),
                Err(errno) => return Report::failed(&Error::io("cannot hold on to sockets", errno.into())),
            }
            Report::ended(ExitStatus::Exited { code: 0 })
        })?;
        Ok(Self { _process: worker.process, guest_end })
    }
}

fn bind(port: PublishedPort, backlog: Limit<Count>) -> Result<Bound> {
    let PublishedPort { host, guest, protocol } = port;
    let failed = |source: std::io::Error| {
        let error = Error::io(format!("cannot publish {}", Published::Port(port)), source);
        error.with_hint("another program may listen there already: choose another port of the machine, or 0 for any")
    };
    let (socket, local) = match protocol {
        Protocol::Udp => {
            let socket = UdpSocket::bind(host).map_err(failed)?;
            let local = socket.local_addr().map_err(failed)?;
            (OwnedFd::from(socket), local)
        }
        Protocol::Tcp => {
            let socket = TcpListener::bind(host).map_err(failed)?;
            let local = socket.local_addr().map_err(failed)?;
            let most = backlog.bound().map_or(i32::MAX, |most| i32::try_from(most.0).unwrap_or(i32::MAX));
            rustix::net::listen(&socket, most).map_err(|errno| failed(errno.into()))?;
            (OwnedFd::from(socket), local)
        }
    };
    let socket = ready(socket.as_fd()).map_err(failed)?;
    Ok(Bound { socket, local, guest_port: guest, protocol, chosen: host.port() == 0 })
}

/// A copy that is out of the way of the standard streams, and does not block.
fn ready(socket: BorrowedFd<'_>) -> std::io::Result<OwnedFd> {
    rustix::io::ioctl_fionbio(socket, true)?;
    above_standard_streams(socket)
}

/// The sockets that were passed on to this process, as systemd does it. They can be had once: nobody else owns them then.
fn activated() -> Result<Vec<Bound>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let wrong = |why: &str| {
        Error::new(ErrorKind::InvalidInput, format!("no sockets were passed on to this process: {why}"))
            .with_hint("fd:// is for programs that systemd starts from a socket unit, or systemd-socket-activate")
    };
    let variable = |name: &str| std::env::var(name).map_err(|_| wrong(&format!("{name} is not set")));
    if variable("LISTEN_PID")? != std::process::id().to_string() {
        return Err(wrong("LISTEN_PID is another process"));
    }
    let count: i32 = variable("LISTEN_FDS")?
        .parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| wrong("LISTEN_FDS is not a number of sockets"))?;
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(wrong("they were taken before"));
    }
    (FIRST_ACTIVATED..FIRST_ACTIVATED.saturating_add(count))
        .map(|fd| adopt(fd).map_err(|why| wrong(&format!("descriptor {fd} {why}"))))
        .collect()
}

fn adopt(fd: i32) -> std::result::Result<Bound, &'static str> {
    let socket = process::adopt(fd).ok_or("is not open")?;
    let kind = sockopt::socket_type(&socket).map_err(|_| "is no socket")?;
    let protocol = match kind {
        SocketType::STREAM if sockopt::socket_acceptconn(&socket) == Ok(true) => Protocol::Tcp,
        SocketType::STREAM => return Err("does not listen"),
        SocketType::DGRAM => Protocol::Udp,
        _ => return Err("is neither for connections nor for datagrams"),
    };
    let local = rustix::net::getsockname(&socket).ok().and_then(|local| SocketAddr::try_from(local).ok());
    let local = local.ok_or("is no internet socket, and guests get no others")?;
    let socket = ready(socket.as_fd()).map_err(|_| "cannot be copied")?;
    Ok(Bound { socket, local, guest_port: local.port(), protocol, chosen: false })
}
