//! What one process tells the next about the library that it found, so that the next need not load it to know it.
//!
//! Owns what has to be the same for that to hold: the places that are searched, and the file itself. Loading WasmEdge and LLVM
//! takes longer than anything else about a short run; a supervisor that only has to name an artifact can leave it to its worker.

use crate::sys::{Library, Search};
use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the dynamic loader keeps what it found in the system's own places.
const LOADER_CACHE: &str = "/etc/ld.so.cache";

/// A library as some process has found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
    /// Which file that was.
    file: Stamp,
    /// What decided that it was this one.
    searched: Searched,
}

/// What changes when a file does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What the search for the library depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Searched {
    search: Search,
    loader_path: Option<PathBuf>,
    loader_cache: Option<Stamp>,
}

impl Known {
    /// What is to be told of a library that was just loaded. None when its file is gone.
    pub(crate) fn of(library: &Library) -> Option<Self> {
        Some(Self {
            path: library.path().to_owned(),
            version: library.version().to_owned(),
            file: Stamp::of(library.path())?,
            searched: Searched::now(),
        })
    }

    /// What was told, if all that it depends on is still the same.
    pub(crate) fn recall(text: &str) -> Option<Self> {
        let known: Self = serde_json::from_str(text).ok()?;
        (Stamp::of(&known.path).as_ref() == Some(&known.file) && known.searched == Searched::now()).then_some(known)
    }

    /// In words for [`Known::recall`].
    pub(crate) fn told(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|found: Metadata| Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

impl Searched {
    fn now() -> Self {
        Self {
            search: Search::from_environment(),
            loader_path: std::env::var_os("LD_LIBRARY_PATH").map(PathBuf::from),
            loader_cache: Stamp::of(Path::new(LOADER_CACHE)),
        }
    }
}
