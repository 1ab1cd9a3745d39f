//! The socket of a pod's shim, by the address that containerd and the bundle have of it.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use wasmrt_model::{Error, Result};

/// Whether a shim listens there.
pub(crate) fn answers(address: &str) -> bool {
    UnixStream::connect(path_of(address)).is_ok()
}

/// Removes what a shim has left there that is no more.
pub(crate) fn remove_stale(address: &str) {
    if is_stale(address) {
        remove(address);
    }
}

fn is_stale(address: &str) -> bool {
    UnixStream::connect(path_of(address)).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Listens there. None where another shim does.
///
/// # Errors
/// The system's.
pub(crate) fn listen(address: &str) -> Result<Option<UnixListener>> {
    let path = path_of(address);
    let cannot = |source| Error::io("cannot make the shim's socket", source).with_context("path", path);
    if let Some(directory) = Path::new(path).parent() {
        std::fs::create_dir_all(directory).map_err(cannot)?;
    }
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if answers(address) {
                return Ok(None);
            }
            // Of a shim that is dead.
            remove(address);
            UnixListener::bind(path).map(Some).map_err(cannot)
        }
        bound => bound.map(Some).map_err(cannot),
    }
}

pub(crate) fn remove(address: &str) {
    // It may not be there any more.
    let _ = std::fs::remove_file(path_of(address));
}

fn path_of(address: &str) -> &str {
    address.strip_prefix("unix://").unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_listens() {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("unix://{}/s/socket", directory.path().display());
        assert!(!answers(&address) && !is_stale(&address));
        let first = listen(&address).unwrap().unwrap();
        assert!(answers(&address) && !is_stale(&address));
        assert!(listen(&address).unwrap().is_none());
        drop(first);
        assert!(!answers(&address) && is_stale(&address));
        let second = listen(&address).unwrap();
        assert!(second.is_some() && answers(&address));
        remove(&address);
        assert!(!answers(&address) && !is_stale(&address));
        remove(&address);
    }
}
