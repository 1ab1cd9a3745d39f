//! What names stand for: asked of the system, and remembered for as long as a guest may use what it was told.

use super::Failure;
use std::collections::VecDeque;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an address stays a name's after the guest was told so: names change their addresses while programs connect.
const TOLD_FOR: Duration = Duration::from_secs(300);

/// How many answers are remembered, of all names.
const TOLD: usize = 256;

/// The names of one guest, for several threads to ask.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<Mutex<VecDeque<Told>>>);

/// An address that a name has, as the guest was told.
#[derive(Debug)]
struct Told {
    name: String,
    address: IpAddr,
    until: Instant,
}

impl Names {
    fn told(&self) -> MutexGuard<'_, VecDeque<Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many others have these names in hand.
    pub(super) fn askers(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    /// Whether one of these names, in lower case, has the address: the guest was told so, or it is so now.
    pub(super) fn have(&self, names: &[&str], address: IpAddr) -> bool {
        let now = Instant::now();
        let known = {
            let mut told = self.told();
            told.retain(|told| told.until > now);
            told.iter().any(|told| names.contains(&told.name.as_str()) && same(told.address, address))
        };
        let has_now =
            |name: &&str| self.ask(name).is_ok_and(|found| found.into_iter().any(|found| same(found, address)));
        known || names.iter().any(has_now)
    }

    /// Asks the system for a name, which takes as long as a name server does, and remembers the answer.
    pub(super) fn ask(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        let found = (name, 0).to_socket_addrs().map_err(|_| Failure::NoName)?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found.map(|found| found.ip()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let until = Instant::now() + TOLD_FOR;
        let plain = name.trim_end_matches('.').to_ascii_lowercase();
        let mut told = self.told();
        for address in &addresses {
            if told.len() >= TOLD {
                told.pop_front();
            }
            told.push_back(Told { name: plain.clone(), address: *address, until });
        }
        if addresses.is_empty() { Err(Failure::NoName) } else { Ok(addresses) }
    }
}

/// Whether two addresses are the same, however they are written.
pub(super) fn same(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical() == other.to_canonical()
}
