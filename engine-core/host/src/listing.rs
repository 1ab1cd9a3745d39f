//! Reading directories: a listing is taken once and then served piece by piece.
//!
//! The inner function lists, sorts out and describes a directory anew for every piece, and counts its entries. Left alone, long listings
//! would take time in the square of their length, and removing files between two pieces would make others be skipped.

use crate::errno::Answer;
use crate::host::Host;
use crate::memory::{Scratch, aligned, range, read_u32, word, write_u32};
use crate::preview1::{Abi, Function};
use std::collections::BTreeMap;

/// The bytes of an entry before its name.
const HEAD: usize = 24;

/// What is asked of the inner function first, and at most.
const FIRST_PIECE: usize = 32 << 10;
const LARGEST_PIECE: usize = 64 << 20;

/// What all listings may take together before the others are dropped.
const KEPT: usize = 32 << 20;

/// A directory as it was when its reading began.
#[derive(Debug)]
struct Listing {
    bytes: Vec<u8>,
    /// Where each entry begins, and the end: the entry of cookie n is the nth.
    starts: Vec<usize>,
}

/// The listings that are being read, by descriptor.
#[derive(Debug, Default)]
pub(crate) struct Listings(BTreeMap<u32, Listing>);

impl Listings {
    /// The descriptor is not that directory any more.
    pub(crate) fn forget(&mut self, fd: u32) {
        self.0.remove(&fd);
    }

    fn keep(&mut self, fd: u32, listing: Listing) {
        let held: usize = self.0.values().map(|listing| listing.bytes.len()).sum();
        if held.saturating_add(listing.bytes.len()) > KEPT {
            // They are taken again where they are needed.
            self.0.clear();
        }
        self.0.insert(fd, listing);
    }
}

impl Listing {
    /// Finds the entries in what the inner function wrote. The last one may be cut off: that is the end of what fits.
    fn new(bytes: &[u8]) -> Self {
        let mut starts = vec![0];
        let mut at = 0;
        while let Some(head) = bytes.get(at..at + HEAD) {
            let name =
                usize::try_from(u32::from_le_bytes([head[16], head[17], head[18], head[19]])).unwrap_or(usize::MAX);
            match at.checked_add(HEAD).and_then(|start| start.checked_add(name)) {
                Some(end) if end <= bytes.len() => at = end,
                _ => break,
            }
            starts.push(at);
        }
        Self { bytes: bytes[..at].to_vec(), starts }
    }

    /// Everything from an entry on.
    fn from(&self, cookie: u64) -> &[u8] {
        let start = usize::try_from(cookie).ok().and_then(|cookie| self.starts.get(cookie)).copied();
        &self.bytes[start.unwrap_or(self.bytes.len())..]
    }
}

impl Host {
    /// `fd_readdir(fd, buf, buf_len, cookie, bufused)` of a directory of the host.
    pub(crate) fn read_directory(&mut self, memory: &mut [u8], args: &[u64]) -> Answer {
        let fd = word(args[0]);
        let place = range(memory, word(args[1]), word(args[2]))?;
        aligned(memory, word(args[4]), 4, 4)?;
        let cookie = args[3];
        if cookie == 0 || !self.listings.0.contains_key(&fd) {
            let listing = self.take_listing(fd)?;
            self.listings.keep(fd, listing);
        }
        let rest = self.listings.0.get(&fd).map_or(&[][..], |listing| listing.from(cookie));
        let count = rest.len().min(place.len());
        let ended = count < place.len();
        memory[place.start..place.start + count].copy_from_slice(&rest[..count]);
        if ended {
            self.listings.forget(fd);
        }
        write_u32(memory, word(args[4]), u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn take_listing(&mut self, fd: u32) -> Answer<Listing> {
        let mut scratch = Scratch::default();
        let mut piece = FIRST_PIECE;
        loop {
            let memory = scratch.take(16 + piece);
            let length = u64::try_from(piece).unwrap_or_default();
            let args = [u64::from(fd), 16, length, 0, 0];
            self.inner.call(Function::FdReaddir, Abi::Snapshot1, memory, &args, &self.waiter)?;
            let used = usize::try_from(read_u32(memory, 0)?).unwrap_or_default().min(piece);
            if used < piece || piece >= LARGEST_PIECE {
                return Ok(Listing::new(&memory[16..16 + used]));
            }
            piece = piece.saturating_mul(8).min(LARGEST_PIECE);
        }
    }
}
