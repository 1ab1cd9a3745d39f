//! `cache`: what is kept of compiled code, where, and an end to it.

use crate::args::{CacheAction, CacheArgs};
use crate::request::runtime_config;
use crate::{output, quantity};
use serde::Serialize;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, UNIX_EPOCH};
use wasmrt_model::{Error, ErrorKind, Result};
use wasmrt_runtime::{ArtifactCache, CacheEntry};

/// What programs read of the cache.
#[derive(Debug, Serialize)]
struct Listing {
    path: String,
    bytes: u64,
    max_bytes: u64,
    entries: Vec<Entry>,
}

/// What programs read of one entry.
#[derive(Debug, Serialize)]
struct Entry {
    key: String,
    bytes: u64,
    used_unix_seconds: u64,
}

/// Lists, clears or locates the cache.
pub(crate) fn cache(args: &CacheArgs) -> Result<u8> {
    let config = runtime_config(args.cache_dir.as_deref(), false).cache;
    match args.action {
        CacheAction::Path => {
            let directory = config.directory.ok_or_else(|| {
                Error::new(ErrorKind::InvalidInput, "there is no cache: no home directory is known")
                    .with_hint("set WASMRT_CACHE_DIR to a directory of your own")
            })?;
            output::print_bytes(&[directory.as_os_str().as_bytes(), b"\n"].concat())?;
        }
        CacheAction::List { json } => {
            let cache = ArtifactCache::open(&config)?;
            let entries = cache.entries()?;
            output::print(&if json { listing(&cache, entries)? } else { list(&cache, &entries) })?;
        }
        CacheAction::Clear => {
            let cache = ArtifactCache::open(&config)?;
            let (entries, bytes) = cache.clear()?;
            output::print(&format!("removed {}, {}\n", count(entries), quantity::size(bytes)))?;
        }
    }
    Ok(0)
}

fn total(entries: &[CacheEntry]) -> u64 {
    entries.iter().map(|entry| entry.bytes).sum()
}

fn count(entries: usize) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
}

fn list(cache: &ArtifactCache, entries: &[CacheEntry]) -> String {
    let mut text = String::new();
    for entry in entries {
        // A clock that was set back makes ages negative; such an entry is new.
        let age = entry.used.elapsed().unwrap_or(Duration::ZERO);
        let key: String = entry.key.chars().take(16).collect();
        text.push_str(&format!("{key}  {:>10}  used {}\n", quantity::size(entry.bytes), quantity::ago(age)));
    }
    text.push_str(&format!(
        "{} in {}, {} of at most {}\n",
        count(entries.len()),
        output::printable(&cache.path().display().to_string()),
        quantity::size(total(entries)),
        quantity::size(cache.max_bytes())
    ));
    text
}

fn listing(cache: &ArtifactCache, entries: Vec<CacheEntry>) -> Result<String> {
    let listing = Listing {
        path: cache.path().display().to_string(),
        bytes: total(&entries),
        max_bytes: cache.max_bytes(),
        entries: entries
            .into_iter()
            .map(|entry| Entry {
                key: entry.key,
                bytes: entry.bytes,
                used_unix_seconds: entry.used.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            })
            .collect(),
    };
    serde_json::to_string_pretty(&listing)
        .map(|text| text + "\n")
        .map_err(|source| Error::new(ErrorKind::Internal, "cannot write JSON").with_source(source))
}
