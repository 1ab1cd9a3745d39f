//! The servers behind the gateway, whose turn it is, and which of them are down.

use guest_sockets::{HostPort, resolve, setting, words};
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One server.
struct Backend {
    address: SocketAddr,
    authority: String,
    down_until: Option<Instant>,
}

/// All of them.
pub struct Backends {
    all: Vec<Backend>,
    turn: usize,
    pause: Duration,
}

impl Backends {
    /// Those of BACKEND_URLS, their names resolved once and for all.
    pub fn from_environment() -> Result<Self> {
        let urls: String = setting("BACKEND_URLS", String::new());
        let mut all = Vec::new();
        for url in urls.split(',').filter(|url| !url.is_empty()) {
            let wrong =
                || Error::new(ErrorKind::InvalidInput, format!("BACKEND_URLS: {url} is not http://HOST[:PORT]"));
            let authority = url.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
            let host = HostPort::parse(authority).ok_or_else(wrong)?;
            let addresses = resolve(&host).map_err(|error| match error.raw_os_error() {
                Some(_) if guest_sockets::refused_by_sandbox(&error) => error,
                _ => Error::new(ErrorKind::NotFound, format!("BACKEND_URLS: {url}: {}", words(&error))),
            })?;
            let address = *addresses.first().ok_or_else(wrong)?;
            all.push(Backend { address, authority: authority.to_owned(), down_until: None });
        }
        if all.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "BACKEND_URLS names no server"));
        }
        Ok(Self { all, turn: 0, pause: Duration::from_millis(setting("DOWN_MS", 1000)) })
    }

    /// The next in turn that is up and not among those tried already.
    pub fn next(&mut self, tried: &[usize], now: Instant) -> Option<usize> {
        let count = self.all.len();
        let found = (0..count)
            .map(|step| (self.turn + step) % count)
            .find(|index| self.up(*index, now) && !tried.contains(index))?;
        self.turn = found + 1;
        Some(found)
    }

    fn up(&self, index: usize, now: Instant) -> bool {
        self.all[index].down_until.is_none_or(|until| until <= now)
    }

    /// Whether there is one to hand on to.
    pub fn any_up(&self, now: Instant) -> bool {
        (0..self.all.len()).any(|index| self.up(index, now))
    }

    /// Leaves one out for a while.
    pub fn down(&mut self, index: usize, now: Instant) {
        self.all[index].down_until = Some(now + self.pause);
    }

    /// Where it is.
    pub fn address(&self, index: usize) -> SocketAddr {
        self.all[index].address
    }

    /// What it is called.
    pub fn authority(&self, index: usize) -> &str {
        &self.all[index].authority
    }
}
