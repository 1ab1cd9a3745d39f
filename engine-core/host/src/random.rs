//! The randomness that guests get: the machine's, or a fixed stream for reproducible runs.
//!
//! The fixed stream is the ChaCha20 key stream (64-bit counter from 0, nonce 0) whose 256-bit key is the seed in little-endian order
//! followed by 24 zero bytes, handed out byte by byte in order: the same on every machine and engine, however it is asked for.

use crate::errno::{Answer, Errno};
use crate::wait::Waiter;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng, TryRng};
use std::convert::Infallible;
use wasmrt_model::{Error, ErrorKind, Random, Result};

/// How much is made before the deadline is looked at again.
const CHUNK: usize = 64 << 10;

/// The bytes of one block of the key stream.
const BLOCK: usize = 64;

/// Where a guest's random bytes come from.
#[derive(Debug)]
pub(crate) enum Source {
    System,
    Fixed(Box<KeyStream>),
}

/// The fixed stream. The generator drops what is left of a word at the end of a request, so blocks are kept here.
#[derive(Debug)]
pub(crate) struct KeyStream {
    generator: ChaCha20Rng,
    block: [u8; BLOCK],
    used: usize,
}

impl Source {
    /// The source of the plan.
    pub(crate) fn new(random: Random) -> Result<Self> {
        match random {
            Random::Real => Ok(Self::System),
            Random::Fixed { seed } => Ok(Self::Fixed(Box::new(KeyStream::new(seed)))),
            other => {
                Err(Error::new(ErrorKind::Unsupported, format!("the host does not know the randomness {other:?}")))
            }
        }
    }

    /// Fills a part of the guest's memory.
    pub(crate) fn fill(&mut self, bytes: &mut [u8], waiter: &Waiter) -> Answer {
        for chunk in bytes.chunks_mut(CHUNK) {
            if chunk.len() == CHUNK {
                waiter.check()?;
            }
            match self {
                Self::System => getrandom::fill(chunk).map_err(|_| Errno::IO)?,
                Self::Fixed(stream) => stream.fill(chunk),
            }
        }
        Ok(())
    }
}

/// The fixed stream as a generator, for WASI implementations that take bytes one by one from [`next_u32`](Rng::next_u32): each of
/// these is one byte of the stream, so that who asks for bytes gets the same ones as a module does.
#[derive(Debug)]
pub struct FixedRandom(KeyStream);

impl FixedRandom {
    /// The stream of this seed, from its start.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(KeyStream::new(seed))
    }
}

impl TryRng for FixedRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut byte = [0];
        self.0.fill(&mut byte);
        Ok(u32::from(byte[0]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl KeyStream {
    fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self { generator: ChaCha20Rng::from_seed(key), block: [0; BLOCK], used: BLOCK }
    }

    fn fill(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if self.used == BLOCK {
                self.generator.fill_bytes(&mut self.block);
                self.used = 0;
            }
            let count = bytes.len().min(BLOCK - self.used);
            let (now, later) = bytes.split_at_mut(count);
            now.copy_from_slice(&self.block[self.used..self.used + count]);
            self.used += count;
            bytes = later;
        }
    }
}
