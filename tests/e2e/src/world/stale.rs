//! What worlds leave behind whose guard was killed: swept when the next one is made.

use super::{PREFIX, cgroups};
use crate::{Result, failed};
use std::ffi::OsStr;
use std::path::Path;

/// A name for a world of this process: with the time at which it started, since numbers of processes come again.
pub(super) fn name(number: u32) -> Result<String> {
    let pid = std::process::id();
    let started = started(pid).ok_or("cannot tell when this process started")?;
    Ok(format!("{PREFIX}{pid}-{started}-{number}"))
}

/// Removes what belongs to processes that are no more. What cannot be removed is left to the next one.
pub(super) fn sweep() {
    let mut names: Vec<String> = names_in(&std::env::temp_dir());
    for root in cgroups::hierarchies().unwrap_or_default() {
        names.extend(names_in(&root.mount));
    }
    names.sort();
    names.dedup();
    for name in names.iter().filter(|name| is_over(name)) {
        if cgroups::remove(name).is_ok() {
            let _ = std::fs::remove_dir_all(std::env::temp_dir().join(name));
        }
    }
}

fn names_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let named = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    named.filter(|name| name.starts_with(PREFIX)).collect()
}

fn is_over(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let mut parts = rest.split('-');
    let (Some(pid), Some(start)) = (parts.next().and_then(|pid| pid.parse().ok()), parts.next()) else { return false };
    started(pid).is_none_or(|now| now != start)
}

fn started(pid: u32) -> Option<String> {
    let path = Path::new("/proc").join(pid.to_string()).join(OsStr::new("stat"));
    let stat = std::fs::read_to_string(path).map_err(failed::<std::io::Error>("stat")).ok()?;
    let (_, tail) = stat.rsplit_once(')')?;
    tail.split_whitespace().nth(19).map(str::to_owned)
}
