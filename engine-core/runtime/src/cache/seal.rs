//! The MAC that tells our own entries from everything else, and the key that only the owner can read.

use super::directory::Directory;
use super::key::Key;
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{Read, Seek};
use wasmrt_model::{Error, ErrorKind, Result};

/// The file that holds the key.
pub(crate) const KEY_NAME: &str = "mac.key";
const MAC_BYTES: usize = 32;

/// Seals entries and checks seals.
pub(crate) struct Sealer {
    secret: [u8; 32],
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Reads the directory's secret, or makes one.
    pub(crate) fn open(directory: &Directory) -> Result<Self> {
        if let Some(secret) = Self::read(directory)? {
            return Ok(Self { secret });
        }
        let mut fresh = [0u8; 32];
        getrandom::fill(&mut fresh).map_err(|source| {
            Error::new(ErrorKind::Internal, "the system has no randomness")
                .with_source(std::io::Error::other(source.to_string()))
        })?;
        // Another process may have been first; then its secret is the one.
        directory.write_unless_there(KEY_NAME, &fresh)?;
        let secret = Self::read(directory)?;
        secret.map(|secret| Self { secret }).ok_or_else(|| Error::new(ErrorKind::Internal, "the cache's key vanished"))
    }

    fn read(directory: &Directory) -> Result<Option<[u8; 32]>> {
        let Some(file) = directory.open_private(KEY_NAME, OFlags::RDONLY)? else { return Ok(None) };
        let mut secret = Vec::with_capacity(33);
        file.take(33).read_to_end(&mut secret).map_err(|source| Error::io("cannot read the cache's key", source))?;
        secret.try_into().map(Some).map_err(|_| {
            Error::new(ErrorKind::PermissionDenied, "the cache's key has the wrong length")
                .with_context("file", directory.path().join(KEY_NAME).display())
                .with_hint("remove it together with the entries beside it")
        })
    }

    /// The note with a MAC in front, over key, note and code. Leaves the code at its start.
    pub(crate) fn seal(&self, key: &Key, note: &[u8], code: &mut File) -> Result<Vec<u8>> {
        let mac = self.mac(key, note, code)?;
        let mut sealed = mac.as_bytes().to_vec();
        sealed.extend_from_slice(note);
        Ok(sealed)
    }

    /// The note, when note and code are what was sealed under this key. Leaves the code at its start.
    pub(crate) fn unseal(&self, key: &Key, mut sealed: Vec<u8>, code: &mut File) -> Result<Vec<u8>> {
        if sealed.len() < MAC_BYTES {
            return Err(Error::new(ErrorKind::PermissionDenied, "a cache entry is truncated"));
        }
        let note = sealed.split_off(MAC_BYTES);
        let claimed: [u8; MAC_BYTES] = sealed.try_into().unwrap_or([0; MAC_BYTES]);
        // This comparison takes the same time wherever they differ.
        if self.mac(key, &note, code)? != blake3::Hash::from_bytes(claimed) {
            return Err(Error::new(ErrorKind::PermissionDenied, "a cache entry is not ours"));
        }
        Ok(note)
    }

    fn mac(&self, key: &Key, note: &[u8], code: &mut File) -> Result<blake3::Hash> {
        let failed = |source| Error::io("cannot read an artifact", source);
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(key.as_bytes());
        hasher.update(&note.len().to_le_bytes());
        hasher.update(note);
        code.rewind().map_err(failed)?;
        let mut chunk = vec![0u8; 256 << 10];
        loop {
            let count = code.read(&mut chunk).map_err(failed)?;
            if count == 0 {
                break;
            }
            hasher.update(chunk.get(..count).unwrap_or_default());
        }
        code.rewind().map_err(failed)?;
        Ok(hasher.finalize())
    }
}
