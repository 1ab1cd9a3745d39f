//! The randomness that guests get: the machine's, or a fixed stream for reproducible runs.
//!
//! The fixed stream is the ChaCha20 key stream (64-bit counter from 0, nonce 0) whose 256-bit key is the seed in little-endian order
//! followed by 24 zero bytes, handed out byte by byte in order: the same on every machine and engine, however it is asked for.

use crate::errno::{Answer, Errno};
use crate::wait::Waiter;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
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
            Random::Fixed { seed } => {
                let mut key = [0; 32];
                key[..8].copy_from_slice(&seed.to_le_bytes());
                let generator = ChaCha20Rng::from_seed(key);
                Ok(Self::Fixed(Box::new(KeyStream { generator, block: [0; BLOCK], used: BLOCK })))
            }
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

impl KeyStream {
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
