//! Where the executable `wasmrt-worker` is: named, or beside what was installed with it.

use std::path::{Path, PathBuf};
use wasmrt_model::{Error, ErrorKind, Result};

const NAME: &str = "wasmrt-worker";
/// Names it, where it lies somewhere else.
const VARIABLE: &str = "WASMRT_WORKER";

/// Finds `wasmrt-worker`: `configured`, else what the variable `WASMRT_WORKER` names, else beside the library or executable that contains this
/// code, else in `../libexec/wasmrt` from there.
///
/// # Errors
/// `NotFound` with the places that were looked at.
pub fn find_worker(configured: Option<&Path>) -> Result<PathBuf> {
    let named = match configured {
        Some(path) => Some((path.to_owned(), "the configuration")),
        None => std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(|path| (path.into(), VARIABLE)),
    };
    if let Some((path, by)) = named {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(Error::new(ErrorKind::NotFound, format!("{by} names a wasmrt-worker that is not there"))
                .with_context("path", path.display()))
        };
    }
    let mut looked = Vec::new();
    for directory in homes() {
        for candidate in [directory.join(NAME), directory.join("../libexec/wasmrt").join(NAME)] {
            if candidate.is_file() {
                return Ok(candidate);
            }
            looked.push(candidate.display().to_string());
        }
    }
    Err(Error::new(
        ErrorKind::NotFound,
        format!("the executable {NAME} is not there: looked for {}", looked.join(", ")),
    )
    .with_hint(format!("install it beside the library, or name it with {VARIABLE}")))
}

/// Where the library lies that this code is in, and the executable of this process.
fn homes() -> Vec<PathBuf> {
    let library = mapped_file(find_worker as *const ());
    let executable = std::env::current_exe().ok();
    let mut homes: Vec<PathBuf> = Vec::new();
    for file in [library, executable].into_iter().flatten() {
        // A link in a directory of links leads to where things were installed.
        let resolved = std::fs::canonicalize(&file).unwrap_or(file);
        if let Some(directory) = resolved.parent().map(Path::to_owned)
            && !homes.contains(&directory)
        {
            homes.push(directory);
        }
    }
    homes
}

/// The file whose mapping contains this address.
fn mapped_file(address: *const ()) -> Option<PathBuf> {
    let address = address.addr();
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| {
        let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
        let bound = |text: &str| usize::from_str_radix(text, 16).ok();
        range
            .and_then(|(from, to)| Some((bound(from)?, bound(to)?)))
            .is_some_and(|(from, to)| (from..to).contains(&address))
    })?;
    line.find('/').and_then(|start| line.get(start..)).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_taken_or_refused_and_nothing_else_is_looked_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("worker");
        assert_eq!(find_worker(Some(&path)).unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::write(&path, "").unwrap();
        assert_eq!(find_worker(Some(&path)).unwrap(), path);
    }

    #[test]
    fn this_code_lies_in_this_executable() {
        let executable = std::fs::canonicalize(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(mapped_file(find_worker as *const ()), Some(executable));
    }
}
