//! The artifact cache: native code by what it was made from, in a directory that only its owner can touch.
//!
//! An engine executes what lies here, so nothing is believed: the directory's owner and mode are checked, an entry is opened
//! once, without following links, and its MAC is checked on that very descriptor before anything maps it. An entry that
//! fails is deleted and made again. Users cannot hand in native code.

mod directory;
mod key;
mod seal;

pub(crate) use key::Key;

use directory::Directory;
use rustix::fs::{FlockOperation, OFlags};
use seal::Sealer;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use wasmrt_model::{Error, ErrorKind, Result};

/// Where artifacts are kept, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheConfig {
    /// The directory; None switches the cache off: compiled code is then used once and thrown away.
    pub directory: Option<PathBuf>,
    /// What the entries may have together. The least recently used ones go first.
    pub max_bytes: u64,
}

impl CacheConfig {
    /// Artifacts take at most this much by default.
    pub const DEFAULT_MAX_BYTES: u64 = 2 << 30;

    /// No cache.
    #[must_use]
    pub fn disabled() -> Self {
        Self { directory: None, max_bytes: 0 }
    }

    /// In this directory, with the default size.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()), max_bytes: Self::DEFAULT_MAX_BYTES }
    }

    /// What the environment says: `WASMRT_CACHE_DIR`, else `$XDG_CACHE_HOME/wasmrt/artifacts`, else `~/.cache/wasmrt/artifacts`.
    /// Switched off when there is no home directory.
    #[must_use]
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let below = |base: PathBuf| base.join("wasmrt").join("artifacts");
        let directory = variable("WASMRT_CACHE_DIR")
            .or_else(|| variable("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(below))
            .or_else(|| variable("HOME").map(|home| below(home.join(".cache"))));
        Self { directory, max_bytes: Self::DEFAULT_MAX_BYTES }
    }
}

/// An open cache.
#[derive(Debug)]
pub struct ArtifactCache {
    directory: Directory,
    sealer: Sealer,
    max_bytes: u64,
}

/// One entry, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheEntry {
    /// Its key in hexadecimal.
    pub key: String,
    /// What it takes on disk.
    pub bytes: u64,
    /// When it was last used, within an hour.
    pub used: SystemTime,
}

/// Code and what was noted beside it, both as they were put in.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) code: File,
    pub(crate) note: Vec<u8>,
}

/// The right to make one entry: nobody else makes the same one meanwhile.
#[derive(Debug)]
pub(crate) struct MakingLock {
    _file: File,
}

/// A use is written down at most this often.
const TOUCH_AFTER: Duration = Duration::from_secs(3600);
/// What an interrupted compiler left is removed when it is older than any compiler may run.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);
/// A note is small; anything longer was not written by us.
const NOTE_BYTES: u64 = 16 << 20;

impl ArtifactCache {
    /// Opens the cache, making its directory when it is not there.
    ///
    /// # Errors
    /// `PermissionDenied` when the directory, or the key in it, belongs to somebody else or can be changed by others;
    /// `InvalidInput` when the cache is switched off.
    pub fn open(config: &CacheConfig) -> Result<Self> {
        let path = config
            .directory
            .as_deref()
            .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "the artifact cache is switched off"))?;
        let directory = Directory::open(path)?;
        let sealer = Sealer::open(&directory)?;
        Ok(Self { directory, sealer, max_bytes: config.max_bytes })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// How much it may hold.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The entry of this key, if it is there and ours. One that is not ours is removed.
    pub(crate) fn find(&self, key: &Key) -> Option<Hit> {
        match self.read(key) {
            Ok(hit) => hit,
            Err(_) => {
                self.remove(&key.to_hex());
                None
            }
        }
    }

    fn read(&self, key: &Key) -> Result<Option<Hit>> {
        let name = key.to_hex();
        let Some(note_file) = self.directory.open_private(&note_name(&name), OFlags::RDONLY)? else { return Ok(None) };
        let Some(mut code) = self.directory.open_private(&code_name(&name), OFlags::RDONLY)? else {
            return Err(Error::new(ErrorKind::Internal, "an entry without code"));
        };
        let used = note_file.metadata().and_then(|metadata| metadata.modified());
        let mut sealed = Vec::new();
        (&note_file)
            .take(NOTE_BYTES)
            .read_to_end(&mut sealed)
            .map_err(|source| Error::io("cannot read an entry", source))?;
        let note = self.sealer.unseal(key, sealed, &mut code)?;
        if used.is_ok_and(|used| used.elapsed().is_ok_and(|age| age > TOUCH_AFTER)) {
            // Losing a touch only makes the entry look older than it is.
            let _ = note_file.set_modified(SystemTime::now());
        }
        Ok(Some(Hit { code, note }))
    }

    /// Puts code into the cache, opened for reading on return. Evicts what no longer fits.
    pub(crate) fn insert(&self, key: &Key, note: &[u8], code: &Path) -> Result<Hit> {
        let failed = |source| Error::io("cannot write to the artifact cache", source);
        let name = key.to_hex();
        let mut opened = File::open(code).map_err(failed)?;
        let sealed = self.sealer.seal(key, note, &mut opened)?;
        self.directory.rename_in(code, &code_name(&name))?;
        self.directory.write_atomically(&note_name(&name), &sealed)?;
        self.evict(&name)?;
        Ok(Hit { code: opened, note: note.to_vec() })
    }

    /// What an earlier process told of an engine. It says which engine there was, and gives nobody anything to execute.
    pub(crate) fn told(&self, engine: &str) -> Option<String> {
        let mut told = String::new();
        let file = self.directory.open_private(&told_name(engine), OFlags::RDONLY).ok()??;
        file.take(NOTE_BYTES).read_to_string(&mut told).ok()?;
        Some(told)
    }

    /// Tells later processes of an engine. Failing costs them time, nothing else.
    pub(crate) fn tell(&self, engine: &str, told: &str) {
        let _ = self.directory.write_atomically(&told_name(engine), told.as_bytes());
    }

    /// Forgets what was told of an engine.
    pub(crate) fn forget(&self, engine: &str) {
        self.directory.remove(&told_name(engine));
    }

    /// A directory of its own, inside the cache's, for a compiler to write to. Removed when dropped.
    pub(crate) fn scratch(&self) -> Result<tempfile::TempDir> {
        private_scratch(Some(self.path()))
    }

    /// Takes the right to make this entry. None when `patience` ran out first.
    pub(crate) fn lock(&self, key: &Key, patience: Option<Duration>) -> Result<Option<MakingLock>> {
        const RETRY: Duration = Duration::from_millis(20);
        let started = Instant::now();
        let name = format!("{}.lock", key.to_hex());
        let file = self.directory.open_or_create_private(&name)?;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(MakingLock { _file: file })),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::io("cannot lock a cache entry", errno.into())),
            }
            if patience.is_some_and(|patience| started.elapsed() >= patience) {
                return Ok(None);
            }
            std::thread::sleep(RETRY);
        }
    }

    /// Everything in it, most recently used first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn entries(&self) -> Result<Vec<CacheEntry>> {
        let mut entries = Vec::new();
        for file in self.directory.list()? {
            if let Some(key) = file.name.strip_suffix(".note") {
                let code = self.directory.list_one(&code_name(key)).map_or(0, |code| code.bytes);
                entries.push(CacheEntry {
                    key: key.to_owned(),
                    bytes: file.bytes.saturating_add(code),
                    used: file.modified,
                });
            }
        }
        entries.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.key.cmp(&b.key)));
        Ok(entries)
    }

    /// Removes everything that can be made again. Returns how many entries and bytes went.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn clear(&self) -> Result<(usize, u64)> {
        let entries = self.entries()?;
        for entry in &entries {
            self.remove(&entry.key);
        }
        for file in self.directory.list()? {
            if file.name != seal::KEY_NAME {
                self.directory.remove(&file.name);
            }
        }
        Ok((entries.len(), entries.iter().map(|entry| entry.bytes).sum()))
    }

    fn remove(&self, key: &str) {
        for name in [note_name(key), code_name(key)] {
            self.directory.remove(&name);
        }
    }

    fn evict(&self, newest: &str) -> Result<()> {
        let mut total = 0u64;
        for entry in self.entries()? {
            total = total.saturating_add(entry.bytes);
            if total > self.max_bytes && entry.key != newest {
                self.remove(&entry.key);
            }
        }
        for file in self.directory.list()? {
            let abandoned = file.name.starts_with(directory::SCRATCH_PREFIX) || file.name.ends_with(".lock");
            if abandoned && file.modified.elapsed().is_ok_and(|age| age > ABANDONED_AFTER) {
                self.directory.remove(&file.name);
            }
        }
        Ok(())
    }
}

/// A directory that only this user can enter, for compiled code that is used once or moved into the cache.
pub(crate) fn private_scratch(parent: Option<&Path>) -> Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    builder.prefix(directory::SCRATCH_PREFIX).permissions(std::fs::Permissions::from_mode(0o700));
    match parent {
        Some(parent) => builder.tempdir_in(parent),
        None => builder.tempdir(),
    }
    .map_err(|source| Error::io("cannot make a directory for compiled code", source))
}

fn code_name(key: &str) -> String {
    format!("{key}.code")
}

fn told_name(engine: &str) -> String {
    format!("{engine}.engine")
}

fn note_name(key: &str) -> String {
    format!("{key}.note")
}

#[cfg(test)]
mod tests;
