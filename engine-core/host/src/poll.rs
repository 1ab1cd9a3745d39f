//! poll_oneoff: waiting for clocks and descriptors at once.
//!
//! Owns the layout of subscriptions and events in both versions of WASI. Clocks are read and descriptors are judged elsewhere.

use crate::clock::Id;
use crate::descriptors::Descriptor;
use crate::errno::{Answer, Errno, Stop};
use crate::host::Host;
use crate::memory::{aligned, element, read_u8, read_u16, read_u32, read_u64, word, write_u32};
use crate::preview1::Abi;
use crate::streams::{Readiness, Stream};
use rustix::event::PollFlags;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// The most subscriptions in one call.
const MAX_SUBSCRIPTIONS: u32 = 1 << 14;

const EVENT_BYTES: u32 = 32;
const ABSOLUTE: u16 = 1;
const HANGUP: u16 = 1;

/// What the guest waits for.
#[derive(Debug, Clone, Copy)]
enum Subscription {
    Clock { id: Id, timeout: u64, absolute: bool },
    Read { fd: u32 },
    Write { fd: u32 },
}

impl Subscription {
    fn event_type(self) -> u8 {
        match self {
            Self::Clock { .. } => 0,
            Self::Read { .. } => 1,
            Self::Write { .. } => 2,
        }
    }
}

/// What has happened to one of them.
#[derive(Debug, Clone, Copy, Default)]
struct Happened {
    error: u16,
    bytes: u64,
    flags: u16,
}

impl Happened {
    /// So many bytes can go, or come.
    fn ready(bytes: u64) -> Self {
        Self { bytes, ..Self::default() }
    }

    fn hung_up() -> Self {
        Self { flags: HANGUP, ..Self::default() }
    }
}

/// A subscription as far as it is known before waiting.
#[derive(Debug, Clone, Copy)]
enum Pending {
    /// It has happened already.
    Now(Happened),
    /// In `rest` nanoseconds: at this time of the machine's monotonic clock; None is further away than that clock goes.
    At { rest: u64, at: Option<Instant> },
    /// When this standard stream is ready.
    Stream(Stream, PollFlags),
    /// When this socket is ready.
    Socket(u32, PollFlags),
}

fn subscription(memory: &[u8], abi: Abi, at: u32) -> Answer<(u64, Subscription)> {
    let (size, clock) = match abi {
        Abi::Snapshot1 => (48, 16),
        // The older version repeats the user data in front of the clock's number.
        Abi::Unstable => (56, 24),
    };
    aligned(memory, at, size, 8)?;
    let user_data = read_u64(memory, at)?;
    let subscription = match read_u8(memory, at + 8)? {
        0 => Subscription::Clock {
            id: Id::from_number(read_u32(memory, at + clock)?)?,
            timeout: read_u64(memory, at + clock + 8)?,
            absolute: match read_u16(memory, at + clock + 24)? {
                flags if flags & !ABSOLUTE != 0 => return Err(Errno::INVAL.into()),
                flags => flags & ABSOLUTE != 0,
            },
        },
        1 => Subscription::Read { fd: read_u32(memory, at + 16)? },
        2 => Subscription::Write { fd: read_u32(memory, at + 16)? },
        _ => return Err(Errno::INVAL.into()),
    };
    Ok((user_data, subscription))
}

impl Host {
    /// `poll_oneoff(in, out, nsubscriptions, nevents)`.
    pub(crate) fn poll_oneoff(&mut self, abi: Abi, memory: &mut [u8], args: &[u64]) -> Answer {
        let [subscriptions_at, events_at, count, count_at] = [0, 1, 2, 3].map(|index| word(args[index]));
        if count == 0 {
            return Err(Errno::INVAL.into());
        }
        if count > MAX_SUBSCRIPTIONS {
            return Err(Errno::NOMEM.into());
        }
        let size = if abi == Abi::Snapshot1 { 48 } else { 56 };
        aligned(memory, count_at, 4, 4)?;
        aligned(memory, events_at, element(0, count, EVENT_BYTES)?, 8)?;
        let subscriptions: Vec<(u64, Subscription)> = (0..count)
            .map(|index| subscription(memory, abi, element(subscriptions_at, index, size)?))
            .collect::<Answer<_>>()?;
        let happened = self.wait_for(&subscriptions)?;
        let mut written = 0;
        for ((user_data, subscription), happened) in subscriptions.iter().zip(happened) {
            if let Some(happened) = happened {
                let at = element(events_at, written, EVENT_BYTES)?;
                let event = aligned(memory, at, EVENT_BYTES, 8)?;
                let event = &mut memory[event];
                event.fill(0);
                event[0..8].copy_from_slice(&user_data.to_le_bytes());
                event[8..10].copy_from_slice(&happened.error.to_le_bytes());
                event[10] = subscription.event_type();
                event[16..24].copy_from_slice(&happened.bytes.to_le_bytes());
                event[24..26].copy_from_slice(&happened.flags.to_le_bytes());
                written += 1;
            }
        }
        write_u32(memory, count_at, written)
    }

    /// Waits until at least one of them has happened.
    fn wait_for(&mut self, subscriptions: &[(u64, Subscription)]) -> Answer<Vec<Option<Happened>>> {
        let start = Instant::now();
        let mut shortest: Option<u64> = None;
        let mut pending = Vec::with_capacity(subscriptions.len());
        for (_, subscription) in subscriptions {
            pending.push(match *subscription {
                Subscription::Clock { id, timeout, absolute } => {
                    if id == Id::Cpu {
                        // Waiting does not use the time that is waited for.
                        return Err(Errno::INVAL.into());
                    }
                    let rest = if absolute { timeout.saturating_sub(self.clocks.now(id)?) } else { timeout };
                    shortest = Some(shortest.map_or(rest, |least| least.min(rest)));
                    Pending::At { rest, at: start.checked_add(Duration::from_nanos(rest)) }
                }
                Subscription::Read { fd } => on_its_own(self.pending_read(fd))?,
                Subscription::Write { fd } => on_its_own(self.pending_write(fd))?,
            });
        }
        let descriptors: Vec<(usize, BorrowedFd<'_>, PollFlags)> = pending
            .iter()
            .enumerate()
            .filter_map(|(index, pending)| match pending {
                Pending::Stream(stream, flags) => match self.streams.readiness(*stream) {
                    Readiness::When(fd) => Some((index, fd, *flags)),
                    Readiness::Always => None,
                },
                Pending::Socket(key, flags) => self.sockets.get(*key).ok()?.fd().map(|fd| (index, fd, *flags)),
                _ => None,
            })
            .collect();
        let ready_already = pending.iter().any(|pending| matches!(pending, Pending::Now(_)));
        let wanted: Vec<_> = descriptors.iter().map(|(_, fd, flags)| (*fd, *flags)).collect();
        let until = match self.clocks.is_fixed() {
            _ if ready_already => Some(start),
            // On fixed clocks the time of a pure sleep passes at once.
            true if wanted.is_empty() => Some(start),
            _ => pending
                .iter()
                .filter_map(|pending| if let Pending::At { at, .. } = pending { Some(*at) } else { None })
                .flatten()
                .min(),
        };
        let ready = self.waiter.poll(&wanted, until)?;
        let nothing_else = !ready_already && ready.iter().all(|flags| flags.is_empty());
        let mut happened: Vec<Option<Happened>> = vec![None; pending.len()];
        let ready: Vec<(usize, PollFlags)> = descriptors.iter().map(|(index, ..)| *index).zip(ready).collect();
        for (index, flags) in ready {
            if !flags.is_empty() {
                happened[index] = Some(match subscriptions[index].1 {
                    // A socket's error is there to be read. Of a connection that is just being reset it is seen first,
                    // and alone.
                    Subscription::Read { .. } if flags.intersects(PollFlags::IN | PollFlags::ERR) => {
                        Happened::ready(match pending[index] {
                            Pending::Socket(key, _) => self.sockets.receivable(key),
                            _ => self.streams.readable(),
                        })
                    }
                    _ if flags.intersects(PollFlags::HUP | PollFlags::ERR) => Happened::hung_up(),
                    _ => Happened::ready(1),
                });
            }
        }
        let now = Instant::now();
        let fixed = self.clocks.is_fixed();
        for (happened, pending) in happened.iter_mut().zip(&pending) {
            match *pending {
                Pending::Now(already) => *happened = Some(already),
                // On fixed clocks the shortest waits are over when nothing else has happened: the same in each run.
                Pending::At { rest, .. } if fixed && nothing_else && Some(rest) == shortest => {
                    *happened = Some(Happened::default());
                }
                Pending::At { at: Some(at), .. } if !fixed && at <= now => *happened = Some(Happened::default()),
                _ => {}
            }
        }
        if nothing_else && let Some(shortest) = shortest {
            self.clocks.advance(shortest);
        }
        Ok(happened)
    }

    fn pending_read(&mut self, fd: u32) -> Answer<Pending> {
        let key = self.numbers.key(fd)?;
        match self.descriptors.get(key)? {
            Descriptor::Stream(Stream::Stdin) => Ok(match self.streams.readiness(Stream::Stdin) {
                Readiness::When(_) => Pending::Stream(Stream::Stdin, PollFlags::IN),
                Readiness::Always => Pending::Now(Happened::ready(self.streams.readable())),
            }),
            Descriptor::File(_) => {
                let bytes = self.file_size(key)?.saturating_sub(self.file_position(key)?);
                Ok(Pending::Now(if bytes == 0 { Happened::hung_up() } else { Happened::ready(bytes) }))
            }
            Descriptor::Socket => match self.sockets.known_receivable(key) {
                Some(bytes) => Ok(Pending::Now(Happened::ready(bytes))),
                None => self.pending_socket(key, PollFlags::IN),
            },
            _ => Err(Errno::BADF.into()),
        }
    }

    fn pending_write(&mut self, fd: u32) -> Answer<Pending> {
        let key = self.numbers.key(fd)?;
        match self.descriptors.get(key)? {
            Descriptor::Stream(stream @ (Stream::Stdout | Stream::Stderr)) => {
                Ok(match self.streams.readiness(stream) {
                    Readiness::When(_) => Pending::Stream(stream, PollFlags::OUT),
                    Readiness::Always => Pending::Now(Happened::ready(1)),
                })
            }
            Descriptor::File(_) => Ok(Pending::Now(Happened::ready(1))),
            Descriptor::Socket => self.pending_socket(key, PollFlags::OUT),
            _ => Err(Errno::BADF.into()),
        }
    }

    /// A socket that is nothing yet has hung up, as systems see it.
    fn pending_socket(&self, key: u32, flags: PollFlags) -> Answer<Pending> {
        Ok(match self.sockets.get(key)?.fd() {
            Some(_) => Pending::Socket(key, flags),
            None => Pending::Now(Happened::hung_up()),
        })
    }
}

/// What is wrong with one descriptor is an event of its own: the others are waited for all the same, and have happened or not.
fn on_its_own(pending: Answer<Pending>) -> Answer<Pending> {
    match pending {
        Err(Stop::Errno(errno)) => Ok(Pending::Now(Happened { error: errno.0, ..Happened::default() })),
        other => other,
    }
}
