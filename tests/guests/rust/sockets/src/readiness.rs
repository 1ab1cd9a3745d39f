//! One `poll_oneoff` over many sockets.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;
use wasmedge_wasi_socket::wasi_poll as raw;

/// What somebody waits for on one descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Interest {
    /// Whose interest it is: comes back in [`Ready`].
    pub token: usize,
    /// The descriptor.
    pub fd: RawFd,
    /// Bytes, a connection, the end, or an error.
    pub read: bool,
    /// Room to write, the end of a connection attempt, or an error.
    pub write: bool,
}

/// Something to try now.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// Whose interest it was.
    pub token: usize,
    /// A read will not block.
    pub read: bool,
    /// A write will not block.
    pub write: bool,
}

const TIMEOUT: u64 = u64::MAX;

/// Waits until something is ready or the time is up; without a time, as long as it takes.
///
/// A descriptor's error counts as readiness: the call that is tried then tells what is wrong.
pub fn wait(interests: &[Interest], timeout: Option<Duration>) -> io::Result<Vec<Ready>> {
    let mut subscriptions = Vec::with_capacity(interests.len() + 1);
    for (index, interest) in interests.iter().enumerate() {
        for (wanted, tag) in [(interest.read, raw::EVENTTYPE_FD_READ), (interest.write, raw::EVENTTYPE_FD_WRITE)] {
            if wanted {
                let file_descriptor = interest.fd as u32;
                let u = raw::SubscriptionUU { fd_read: raw::SubscriptionFdReadwrite { file_descriptor } };
                subscriptions.push(raw::Subscription { userdata: index as u64, u: raw::SubscriptionU { tag, u } });
            }
        }
    }
    if let Some(timeout) = timeout {
        let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        let clock = raw::SubscriptionClock { id: raw::CLOCKID_MONOTONIC, timeout, precision: 0, flags: 0 };
        let u = raw::SubscriptionU { tag: raw::EVENTTYPE_CLOCK, u: raw::SubscriptionUU { clock } };
        subscriptions.push(raw::Subscription { userdata: TIMEOUT, u });
    }
    let mut events = vec![raw::Event::empty(); subscriptions.len()];
    // SAFETY: both buffers have room for as many entries as the count says, and live through the call.
    let count = unsafe { raw::poll(subscriptions.as_ptr(), events.as_mut_ptr(), subscriptions.len()) }?;
    let mut ready = Vec::with_capacity(count);
    for event in &events[..count] {
        let Some(interest) = usize::try_from(event.userdata).ok().and_then(|index| interests.get(index)) else {
            continue;
        };
        let failed = event.error != 0;
        ready.push(Ready {
            token: interest.token,
            read: failed || event.type_ == raw::EVENTTYPE_FD_READ,
            write: failed || event.type_ == raw::EVENTTYPE_FD_WRITE,
        });
    }
    Ok(ready)
}
