//! Writing the file that native code is kept in. Whoever asked for it seals it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use wasmrt_model::{Error, Result};

/// Writes an artifact to a file that must not exist yet; half a file is removed again.
///
/// # Errors
/// The operating system's.
pub fn write_artifact(path: &Path, code: &[u8]) -> Result<()> {
    write_new(path, code).map_err(|error| {
        Error::io("the artifact cannot be written", error)
            .with_operation("compile")
            .with_context("path", path.display())
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes).inspect_err(|_| {
        // Nothing to add when this fails too: the first error says why.
        let _ = fs::remove_file(path);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("artifact");
        write_artifact(&path, b"code").unwrap();
        assert!(write_artifact(&path, b"other").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"code");
    }
}
