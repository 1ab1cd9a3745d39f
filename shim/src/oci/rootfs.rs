//! A container's files as its process will see them: the root file system, and what the spec mounts into it.
//!
//! Before the container starts they are the bundle's root and the sources of its mounts; while it runs, its own root. What a rootfs holds was
//! made by whoever built the image, and is followed by [`walk`](super::walk) alone.

use super::walk::{self, Found, Mounts, Source};
use oci_spec::runtime::{Mount, Spec};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, open, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use wasmrt_model::{Error, ErrorKind, Result};

/// The types of file systems whose files stand for the kernel's own things.
const KERNEL_FILE_SYSTEMS: &[&str] = &["proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"];

/// Where they are mounted.
const KERNEL_PLACES: &[&str] = &["/dev", "/proc", "/sys"];

/// The files of a container.
#[derive(Debug)]
pub(crate) struct Rootfs {
    root: OwnedFd,
    mounts: Vec<PlacedMount>,
    /// Whether the mounts are there for the kernel, too.
    running: bool,
}

/// A mount that nothing covers.
#[derive(Debug)]
pub(super) struct PlacedMount {
    /// Where the spec puts it: absolute, without `.` and `..`.
    pub(super) destination: PathBuf,
    /// Where that is, without links.
    pub(super) place: PathBuf,
    /// Whether its options let the container write.
    pub(super) writable: bool,
    /// Whether its files stand for the kernel's own things.
    pub(super) kernel: bool,
    /// Whether it is a directory.
    pub(super) directory: bool,
    source: Source,
}

/// The mounts that a walk has to know of: for a container that runs, the kernel does.
impl Mounts for Rootfs {
    fn at(&self, place: &Path) -> Option<&Source> {
        let mounts = if self.running { &[][..] } else { &self.mounts };
        mounts.iter().find(|mount| mount.place == place).map(|mount| &mount.source)
    }

    fn below(&self, place: &Path) -> bool {
        !self.running && self.mounts.iter().any(|mount| mount.place != place && mount.place.starts_with(place))
    }
}

impl Rootfs {
    /// The files of a container that does not run yet. Relative paths in the spec are relative to its bundle.
    ///
    /// # Errors
    /// `InvalidInput` for a spec without a root; `NotFound` and others of the system for a root, or a source of a mount, that cannot be opened.
    pub(crate) fn of_bundle(bundle: &Path, spec: &Spec) -> Result<Self> {
        let root = spec.root().as_ref().ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "the spec has no root file system").with_operation("open rootfs")
        })?;
        let mut rootfs = Self { root: open_root(&bundle.join(root.path()))?, mounts: Vec::new(), running: false };
        for mount in spec.mounts().iter().flatten() {
            let source = source_of(bundle, mount)?;
            let directory = match &source {
                Source::Bound(_, file_type) => *file_type == FileType::Directory,
                Source::Fresh => true,
            };
            rootfs.mount(mount, source, directory)?;
        }
        Ok(rootfs)
    }

    /// The files of a container that runs. `root` is its own, such as /proc/1234/root.
    ///
    /// # Errors
    /// As `of_bundle`, but for sources: they may be gone, and what is mounted stays.
    pub(crate) fn of_running(root: &Path, spec: &Spec) -> Result<Self> {
        let mut rootfs = Self { root: open_root(root)?, mounts: Vec::new(), running: true };
        for mount in spec.mounts().iter().flatten() {
            let found = walk::find(rootfs.root.as_fd(), &rootfs, &cleaned(mount.destination()));
            let directory = found.is_ok_and(|found| found.file_type == FileType::Directory);
            rootfs.mount(mount, Source::Fresh, directory)?;
        }
        Ok(rootfs)
    }

    /// Puts a mount where it belongs. What lies at or below its place is covered from now on.
    fn mount(&mut self, mount: &Mount, source: Source, directory: bool) -> Result<()> {
        let destination = cleaned(mount.destination());
        let place = walk::place(self.root.as_fd(), self, &destination).map_err(|errno| {
            Error::io(format!("cannot follow the mount's destination '{}'", destination.display()), errno.into())
                .with_operation("open rootfs")
        })?;
        let file_system = mount.typ().as_deref().unwrap_or_default();
        let in_kernel_place =
            KERNEL_PLACES.iter().any(|kernel| destination.starts_with(kernel) || place.starts_with(kernel));
        let kernel = in_kernel_place || (!is_bind(mount) && KERNEL_FILE_SYSTEMS.contains(&file_system));
        self.mounts.retain(|earlier| !earlier.place.starts_with(&place));
        self.mounts.push(PlacedMount { destination, place, writable: is_writable(mount), kernel, directory, source });
        Ok(())
    }

    /// The mounts, in the order in which they are made.
    pub(super) fn mounts(&self) -> &[PlacedMount] {
        &self.mounts
    }

    /// Finds what a path means; one that is not absolute starts at the root.
    ///
    /// # Errors
    /// As opening it would.
    pub(super) fn find(&self, path: &Path) -> std::result::Result<Found<'_>, Errno> {
        walk::find(self.root.as_fd(), self, path)
    }

    /// Makes a directory that a process is to find, with those that it is in, where they are missing.
    ///
    /// # Errors
    /// As making it.
    pub(crate) fn make_directory(&self, path: &Path) -> Result<()> {
        walk::make(self.root.as_fd(), self, path).map_err(|errno| {
            Error::io(format!("cannot make the working directory '{}'", path.display()), errno.into())
                .with_operation("open rootfs")
        })
    }

    /// Where a path leads to, whether it is there or not. A path that leads nowhere (links in a circle) is itself.
    pub(super) fn place(&self, path: &Path) -> PathBuf {
        walk::place(self.root.as_fd(), self, path).unwrap_or_else(|_| cleaned(path))
    }
}

/// Whether a path of the container is among the kernel's own things.
pub(super) fn is_kernel_place(place: &Path) -> bool {
    KERNEL_PLACES.iter().any(|kernel| place.starts_with(kernel))
}

/// Opens a regular file that was found, for reading: that very file, whatever its name stands for by now. It does not wait.
pub(super) fn open_found(handle: BorrowedFd<'_>) -> io::Result<File> {
    let name = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(openat(CWD, name, flags, Mode::empty())?.into())
}

/// An absolute path without `.` and `..`, by its text alone.
pub(super) fn cleaned(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => cleaned.push(name),
            Component::ParentDir => drop(cleaned.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    cleaned
}

fn open_root(path: &Path) -> Result<OwnedFd> {
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| {
        Error::io(format!("cannot open the root file system '{}'", path.display()), errno.into())
            .with_operation("open rootfs")
    })
}

fn source_of(bundle: &Path, mount: &Mount) -> Result<Source> {
    if !is_bind(mount) {
        return Ok(Source::Fresh);
    }
    let destination = mount.destination().display();
    let source = mount.source().as_ref().ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, format!("the mount at '{destination}' has no source"))
            .with_operation("open rootfs")
    })?;
    // Sources are the operator's paths: links in them are followed as the mount will follow them.
    let opened = open(bundle.join(source), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .and_then(|handle| fstat(&handle).map(|stat| (handle, FileType::from_raw_mode(stat.st_mode))));
    let (handle, file_type) = opened.map_err(|errno| {
        Error::io(
            format!("cannot open '{}', the source of the mount at '{destination}'", source.display()),
            errno.into(),
        )
        .with_operation("open rootfs")
    })?;
    Ok(Source::Bound(handle, file_type))
}

fn options(mount: &Mount) -> impl Iterator<Item = &str> {
    mount.options().iter().flatten().map(String::as_str)
}

fn is_bind(mount: &Mount) -> bool {
    mount.typ().as_deref() == Some("bind") || options(mount).any(|option| matches!(option, "bind" | "rbind"))
}

/// The last one of contradicting options holds, as for mount(8).
fn is_writable(mount: &Mount) -> bool {
    options(mount).fold(true, |writable, option| match option {
        "ro" | "rro" => false,
        "rw" | "rrw" => true,
        _ => writable,
    })
}

#[cfg(test)]
mod tests;
