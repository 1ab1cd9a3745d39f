//! Opening what the plan gives to the guest: directories as they are, files inside directories that exist for the guest only.
//!
//! Decides what cannot be a preopen. What a guest may do with a preopened file is in `file_preopens`.

use crate::file_preopens::{FileDirectory, PreopenedFile};
use crate::kernel_files::KernelFiles;
use crate::preview1::Preview1Builder;
use crate::resources::HostRoot;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use wasmrt_model::{Access, Error, ErrorKind, Preopen, Result};

/// The number of the first preopen.
const FIRST: u32 = 3;

/// What the guest finds from descriptor 3 on.
#[derive(Debug)]
pub(crate) enum Shown {
    /// A directory of the host.
    Directory { guest: String },
    /// A directory that holds preopened files, by its index.
    Files { directory: usize },
}

/// The preopens of a plan, opened.
#[derive(Debug, Default)]
pub(crate) struct Preopens {
    /// In the order of their descriptors, from 3.
    pub(crate) shown: Vec<Shown>,
    /// The directories that hold preopened files.
    pub(crate) directories: Vec<FileDirectory>,
}

/// A preopened file whose host directory is still to be opened, behind everything that the guest sees.
struct Hidden<'a> {
    preopen: &'a Preopen,
    host_directory: std::path::PathBuf,
    directory: usize,
}

/// Opens everything.
///
/// # Errors
/// `NotFound`, `PermissionDenied` and others of the system, naming both paths; `InvalidInput` for what is neither a file nor a
/// directory, for the host's root, and for a file whose guest directory another preopen occupies.
pub(crate) fn open(
    preopens: &[Preopen],
    host_root: HostRoot,
    kernel_files: &KernelFiles,
    builder: &mut Preview1Builder,
) -> Result<Preopens> {
    let mut opened = Preopens::default();
    let mut hidden: Vec<Hidden<'_>> = Vec::new();
    for preopen in preopens {
        let metadata = fs::metadata(&preopen.host).map_err(|error| failed(preopen, error))?;
        refuse_kernel_files(preopen, &metadata, kernel_files)?;
        if metadata.is_dir() {
            check_root(preopen, &metadata, host_root)?;
            builder.preopen(&preopen.host, &preopen.guest, preopen.access).map_err(|error| failed(preopen, error))?;
            opened.shown.push(Shown::Directory { guest: preopen.guest.clone() });
        } else if metadata.is_file() {
            hidden.push(place_file(preopen, &mut opened, builder)?);
        } else {
            return Err(neither(preopen));
        }
    }
    refuse_shared_directories(preopens, &opened)?;
    let mut slot = FIRST.saturating_add(u32::try_from(opened.shown.len()).unwrap_or(u32::MAX));
    for file in hidden {
        builder
            .preopen(&file.host_directory, &file.preopen.guest, file.preopen.access)
            .map_err(|error| failed(file.preopen, error))?;
        opened.directories[file.directory].files_mut().push(PreopenedFile {
            name: split(file.preopen)?.1.to_owned(),
            host_name: host_name(file.preopen)?.1,
            slot,
            writable: file.preopen.access == Access::ReadWrite,
        });
        slot = slot.saturating_add(1);
    }
    Ok(opened)
}

/// Whether these can be given to a component, whose WASI has directories as they are and nothing else.
///
/// # Errors
/// As when they are opened for a module; `Unsupported` for files.
pub fn check_directories(preopens: &[Preopen], host_root: HostRoot, kernel_files: &KernelFiles) -> Result<()> {
    for preopen in preopens {
        let metadata = fs::metadata(&preopen.host).map_err(|error| failed(preopen, error))?;
        refuse_kernel_files(preopen, &metadata, kernel_files)?;
        if metadata.is_dir() {
            check_root(preopen, &metadata, host_root)?;
        } else if metadata.is_file() {
            let message = format!("'{}' is a file, and components are given directories only", preopen.host.display());
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_operation("open preopen")
                .with_hint("give a directory that holds nothing but this file"));
        } else {
            return Err(neither(preopen));
        }
    }
    Ok(())
}

fn neither(preopen: &Preopen) -> Error {
    refused(preopen, "it is neither a file nor a directory")
        .with_hint("devices, FIFOs and sockets are not given to guests; use stdin and stdout")
}

/// Finds, or makes, the guest directory of a preopened file.
fn place_file<'a>(preopen: &'a Preopen, opened: &mut Preopens, builder: &mut Preview1Builder) -> Result<Hidden<'a>> {
    let (guest_directory, _) = split(preopen)?;
    let (host_directory, _) = host_name(preopen)?;
    let known = opened.directories.iter().position(|directory| directory.guest() == guest_directory);
    let directory = match known {
        Some(directory) => directory,
        None => {
            // Holds the number and answers nothing but its own name: calls on it never reach the host's directory.
            builder
                .preopen(&host_directory, guest_directory, Access::ReadOnly)
                .map_err(|error| failed(preopen, error))?;
            opened.directories.push(FileDirectory::new(guest_directory));
            opened.shown.push(Shown::Files { directory: opened.directories.len() - 1 });
            opened.directories.len() - 1
        }
    };
    Ok(Hidden { preopen, host_directory, directory })
}

/// The guest's directory and name of a preopened file.
fn split(preopen: &Preopen) -> Result<(&str, &str)> {
    let (directory, name) = match preopen.guest.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((directory, name)) => (directory, name),
        None => (".", preopen.guest.as_str()),
    };
    if name.is_empty() || name == "." {
        return Err(refused(preopen, "it is a file, but its guest path names a directory")
            .with_hint("give the guest path of the file itself, such as /etc/app.conf"));
    }
    Ok((directory, name))
}

/// The real directory and name of a file on the host; links are followed now, and never again.
fn host_name(preopen: &Preopen) -> Result<(std::path::PathBuf, String)> {
    let real = fs::canonicalize(&preopen.host).map_err(|error| failed(preopen, error))?;
    let (Some(directory), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(refused(preopen, "it has no directory"));
    };
    let name = name.to_str().ok_or_else(|| {
        refused(preopen, "its real name is not UTF-8").with_hint("give its directory instead, or rename it")
    })?;
    Ok((directory.to_owned(), name.to_owned()))
}

/// A guest's library finds files by the longest preopened directory: of two equal ones it would always take the same.
fn refuse_shared_directories(preopens: &[Preopen], opened: &Preopens) -> Result<()> {
    for preopen in preopens {
        let occupied =
            opened.shown.iter().any(|shown| matches!(shown, Shown::Directory { guest } if *guest == preopen.guest));
        let wanted = opened.directories.iter().any(|directory| directory.guest() == preopen.guest);
        if occupied && wanted {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("a file is preopened inside '{}', which is a preopened directory itself", preopen.guest),
            )
            .with_operation("open preopen")
            .with_hint("give the file a guest path in a directory of its own"));
        }
    }
    Ok(())
}

fn check_root(preopen: &Preopen, metadata: &fs::Metadata, host_root: HostRoot) -> Result<()> {
    if host_root == HostRoot::Allow {
        return Ok(());
    }
    let root = fs::metadata("/").map_err(|error| failed(preopen, error))?;
    if (root.dev(), root.ino()) == (metadata.dev(), metadata.ino()) {
        return Err(refused(preopen, "it is the root directory of the host")
            .with_hint("preopen the directories that the guest needs"));
    }
    Ok(())
}

fn refuse_kernel_files(preopen: &Preopen, metadata: &fs::Metadata, kernel_files: &KernelFiles) -> Result<()> {
    if kernel_files.hold(metadata.dev()) {
        return Err(refused(preopen, "it is in a file system of the kernel's").with_hint(
            "what a guest is to know of the machine can be given to it as a file, on stdin or in its environment",
        ));
    }
    Ok(())
}

fn refused(preopen: &Preopen, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("'{}' cannot be given to the guest as '{}': {why}", preopen.host.display(), preopen.guest),
    )
    .with_operation("open preopen")
}

fn failed(preopen: &Preopen, error: std::io::Error) -> Error {
    let host: &Path = &preopen.host;
    Error::io(format!("cannot give '{}' to the guest as '{}'", host.display(), preopen.guest), error)
        .with_operation("open preopen")
}
