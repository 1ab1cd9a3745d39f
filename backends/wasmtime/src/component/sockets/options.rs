//! Socket options: kept until there is a socket, then the system's.
//!
//! Values that are too large are lowered, as the interface allows; what would make the system keep more than a guest may have of it is.

use rustix::net::sockopt;
use std::os::fd::BorrowedFd;
use std::time::Duration;
use wasmrt_host::network::LARGEST_BUFFER;
use wasmtime_wasi::p2::SocketResult;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};

/// What the system has for times between probes, and for their number.
const LONGEST_IDLE: Duration = Duration::from_secs(32_767);
const MOST_PROBES: u32 = 127;

/// The least that the system is asked to buffer: a small datagram, or a piece of a stream, goes in whole.
const SMALLEST_BUFFER: u64 = 4 << 10;

/// What sockets have on Linux before anybody sets it.
const USUAL_IDLE: Duration = Duration::from_secs(7_200);
const USUAL_INTERVAL: Duration = Duration::from_secs(75);
const USUAL_PROBES: u32 = 9;
const USUAL_HOPS: u8 = 64;
const USUAL_BUFFER: u64 = 64 << 10;

/// What a guest has asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    family: IpAddressFamily,
    keep_alive: Option<bool>,
    idle: Option<Duration>,
    interval: Option<Duration>,
    probes: Option<u32>,
    hops: Option<u8>,
    receive_buffer: Option<u64>,
    send_buffer: Option<u64>,
}

type Fd<'a> = Option<BorrowedFd<'a>>;

impl Options {
    pub(super) fn new(family: IpAddressFamily) -> Self {
        Self {
            family,
            keep_alive: None,
            idle: None,
            interval: None,
            probes: None,
            hops: None,
            receive_buffer: None,
            send_buffer: None,
        }
    }

    /// Gives a socket that has come into being what was asked for. What the system does not take, it does not do.
    pub(super) fn apply(&self, fd: BorrowedFd<'_>) {
        let mut again = *self;
        let fd = Some(fd);
        let _refused = self.keep_alive.map(|on| again.set_keep_alive(fd, on));
        let _refused = self.idle.map(|idle| again.set_idle(fd, nanoseconds(idle)));
        let _refused = self.interval.map(|interval| again.set_interval(fd, nanoseconds(interval)));
        let _refused = self.probes.map(|probes| again.set_probes(fd, probes));
        let _refused = self.hops.map(|hops| again.set_hops(fd, hops));
        let _refused = self.receive_buffer.map(|bytes| again.set_receive_buffer(fd, bytes));
        let _refused = self.send_buffer.map(|bytes| again.set_send_buffer(fd, bytes));
    }

    pub(super) fn keep_alive(&self, fd: Fd<'_>) -> SocketResult<bool> {
        fd.map_or(Ok(self.keep_alive.unwrap_or(false)), |fd| Ok(sockopt::socket_keepalive(fd)?))
    }

    pub(super) fn set_keep_alive(&mut self, fd: Fd<'_>, on: bool) -> SocketResult<()> {
        set(fd, |fd| sockopt::set_socket_keepalive(fd, on))?;
        self.keep_alive = Some(on);
        Ok(())
    }

    pub(super) fn idle(&self, fd: Fd<'_>) -> SocketResult<u64> {
        let idle = fd.map_or(Ok(self.idle.unwrap_or(USUAL_IDLE)), sockopt::tcp_keepidle)?;
        Ok(nanoseconds(idle))
    }

    pub(super) fn set_idle(&mut self, fd: Fd<'_>, nanoseconds: u64) -> SocketResult<()> {
        let idle = span(nanoseconds)?;
        set(fd, |fd| sockopt::set_tcp_keepidle(fd, idle))?;
        self.idle = Some(idle);
        Ok(())
    }

    pub(super) fn interval(&self, fd: Fd<'_>) -> SocketResult<u64> {
        let interval = fd.map_or(Ok(self.interval.unwrap_or(USUAL_INTERVAL)), sockopt::tcp_keepintvl)?;
        Ok(nanoseconds(interval))
    }

    pub(super) fn set_interval(&mut self, fd: Fd<'_>, nanoseconds: u64) -> SocketResult<()> {
        let interval = span(nanoseconds)?;
        set(fd, |fd| sockopt::set_tcp_keepintvl(fd, interval))?;
        self.interval = Some(interval);
        Ok(())
    }

    pub(super) fn probes(&self, fd: Fd<'_>) -> SocketResult<u32> {
        Ok(fd.map_or(Ok(self.probes.unwrap_or(USUAL_PROBES)), sockopt::tcp_keepcnt)?)
    }

    pub(super) fn set_probes(&mut self, fd: Fd<'_>, probes: u32) -> SocketResult<()> {
        let probes = some(probes)?.min(MOST_PROBES);
        set(fd, |fd| sockopt::set_tcp_keepcnt(fd, probes))?;
        self.probes = Some(probes);
        Ok(())
    }

    pub(super) fn hops(&self, fd: Fd<'_>) -> SocketResult<u8> {
        let Some(fd) = fd else { return Ok(self.hops.unwrap_or(USUAL_HOPS)) };
        match self.family {
            IpAddressFamily::Ipv4 => u8::try_from(sockopt::ip_ttl(fd)?).map_err(|_| ErrorCode::NotSupported.into()),
            IpAddressFamily::Ipv6 => Ok(sockopt::ipv6_unicast_hops(fd)?),
        }
    }

    pub(super) fn set_hops(&mut self, fd: Fd<'_>, hops: u8) -> SocketResult<()> {
        let hops = some(hops)?;
        let family = self.family;
        set(fd, |fd| match family {
            IpAddressFamily::Ipv4 => sockopt::set_ip_ttl(fd, hops.into()),
            IpAddressFamily::Ipv6 => sockopt::set_ipv6_unicast_hops(fd, Some(hops)),
        })?;
        self.hops = Some(hops);
        Ok(())
    }

    pub(super) fn receive_buffer(&self, fd: Fd<'_>) -> SocketResult<u64> {
        fd.map_or(Ok(self.receive_buffer.unwrap_or(USUAL_BUFFER)), |fd| Ok(told(sockopt::socket_recv_buffer_size(fd)?)))
    }

    pub(super) fn set_receive_buffer(&mut self, fd: Fd<'_>, bytes: u64) -> SocketResult<()> {
        let (bytes, size) = buffer(bytes)?;
        set(fd, |fd| sockopt::set_socket_recv_buffer_size(fd, size))?;
        self.receive_buffer = Some(bytes);
        Ok(())
    }

    pub(super) fn send_buffer(&self, fd: Fd<'_>) -> SocketResult<u64> {
        fd.map_or(Ok(self.send_buffer.unwrap_or(USUAL_BUFFER)), |fd| Ok(told(sockopt::socket_send_buffer_size(fd)?)))
    }

    pub(super) fn set_send_buffer(&mut self, fd: Fd<'_>, bytes: u64) -> SocketResult<()> {
        let (bytes, size) = buffer(bytes)?;
        set(fd, |fd| sockopt::set_socket_send_buffer_size(fd, size))?;
        self.send_buffer = Some(bytes);
        Ok(())
    }
}

fn set(fd: Fd<'_>, set: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<()>) -> SocketResult<()> {
    fd.map_or(Ok(()), |fd| Ok(set(fd)?))
}

/// Nothing is no value for any of these.
fn some<N: Default + PartialEq>(value: N) -> SocketResult<N> {
    if value == N::default() { Err(ErrorCode::InvalidArgument.into()) } else { Ok(value) }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The system counts whole seconds.
fn span(nanoseconds: u64) -> SocketResult<Duration> {
    Ok(Duration::from_nanos(some(nanoseconds)?).clamp(Duration::from_secs(1), LONGEST_IDLE))
}

fn buffer(bytes: u64) -> SocketResult<(u64, usize)> {
    let bytes = some(bytes)?.clamp(SMALLEST_BUFFER, u64::from(LARGEST_BUFFER));
    Ok((bytes, usize::try_from(bytes).unwrap_or(usize::MAX)))
}

/// Linux sets aside twice what it is asked for, and says so.
fn told(bytes: usize) -> u64 {
    u64::try_from(bytes / 2).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    #[test]
    fn what_is_set_early_holds_for_the_socket_that_comes() {
        for (family, address) in [(IpAddressFamily::Ipv4, "127.0.0.1:0"), (IpAddressFamily::Ipv6, "[::1]:0")] {
            let Ok(socket) = TcpListener::bind(address) else { continue };
            let fd = Some(socket.as_fd());
            let mut options = Options::new(family);
            options.set_keep_alive(None, true).unwrap();
            options.set_idle(None, 5_000_000_000).unwrap();
            options.set_interval(None, 1).unwrap();
            options.set_probes(None, 1_000).unwrap();
            options.set_hops(None, 7).unwrap();
            options.set_receive_buffer(None, 100_000).unwrap();
            options.set_send_buffer(None, 1).unwrap();
            options.apply(socket.as_fd());
            assert!(options.keep_alive(fd).unwrap());
            assert_eq!(options.idle(fd).unwrap(), 5_000_000_000);
            assert_eq!(options.interval(fd).unwrap(), 1_000_000_000);
            assert_eq!(options.probes(fd).unwrap(), MOST_PROBES);
            assert_eq!(options.hops(fd).unwrap(), 7);
            assert_eq!(options.receive_buffer(fd).unwrap(), 100_000);
            assert_eq!(options.send_buffer(fd).unwrap(), SMALLEST_BUFFER);
        }
    }

    #[test]
    fn nothing_is_no_value() {
        let mut options = Options::new(IpAddressFamily::Ipv4);
        assert!(options.set_idle(None, 0).is_err());
        assert!(options.set_interval(None, 0).is_err());
        assert!(options.set_probes(None, 0).is_err());
        assert!(options.set_hops(None, 0).is_err());
        assert!(options.set_receive_buffer(None, 0).is_err());
        assert!(options.set_send_buffer(None, 0).is_err());
    }
}
