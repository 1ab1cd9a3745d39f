//! Following a path in a root file system that nobody trusts.
//!
//! The kernel could hold a lookup inside of a root by itself (openat2), but it sees the root as it is now: the container's mounts come later. So
//! a path is followed name by name, each opened in the directory before it, links never by the kernel; at the place of a mount the walk
//! goes on in the mount's source. `..` goes back to a directory that is open already, and no further than the root, so nothing that is moved
//! or exchanged meanwhile leads out. Nothing is opened but with O_PATH: no device, FIFO or automount notices.

use rustix::fs::{FileType, Mode, OFlags, fstat, mkdirat, openat, readlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// As many links as the kernel follows.
const MOST_LINKS: u32 = 40;

/// Each one is an open descriptor.
const MOST_DIRECTORIES: usize = 256;

/// What is mounted somewhere.
#[derive(Debug)]
pub(super) enum Source {
    /// A file or directory of the host.
    Bound(OwnedFd, FileType),
    /// A file system that is made when the container is: nothing can be seen in it yet.
    Fresh,
}

/// What tells a walk of mounts.
pub(super) trait Mounts {
    /// What is mounted at exactly this place, which is absolute and has no links in it.
    fn at(&self, place: &Path) -> Option<&Source>;

    /// Whether something is mounted somewhere below this place, for which it will be made if it is missing.
    fn below(&self, place: &Path) -> bool;
}

/// An end of a walk.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// Its path in the root, without links.
    pub(super) place: PathBuf,
    /// What it is.
    pub(super) file_type: FileType,
    node: Node<'a>,
}

impl Found<'_> {
    /// It, open with O_PATH; None for the root of what is mounted later.
    pub(super) fn handle(&self) -> Option<BorrowedFd<'_>> {
        self.node.handle()
    }
}

#[derive(Debug)]
enum Node<'a> {
    Held(OwnedFd, FileType),
    Lent(BorrowedFd<'a>, FileType),
    Fresh,
}

impl<'a> Node<'a> {
    fn of(source: &'a Source) -> Self {
        match source {
            Source::Bound(handle, file_type) => Self::Lent(handle.as_fd(), *file_type),
            Source::Fresh => Self::Fresh,
        }
    }

    fn handle(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Held(handle, _) => Some(handle.as_fd()),
            Self::Lent(handle, _) => Some(*handle),
            Self::Fresh => None,
        }
    }

    fn file_type(&self) -> FileType {
        match self {
            Self::Held(_, file_type) | Self::Lent(_, file_type) => *file_type,
            Self::Fresh => FileType::Directory,
        }
    }
}

/// Finds what a path means; one that is not absolute starts at the root.
///
/// # Errors
/// As opening it would.
pub(super) fn find<'a>(root: BorrowedFd<'a>, mounts: &'a dyn Mounts, path: &Path) -> Result<Found<'a>, Errno> {
    let mut walk = Walk::new(root, mounts, path);
    walk.run()?;
    let place = walk.place();
    let node = walk.names.pop().map_or(walk.base, |(_, node)| node);
    Ok(Found { place, file_type: node.file_type(), node })
}

/// Where a path leads to, if the directories that are missing on its way were made.
///
/// # Errors
/// As opening it would, but for what is missing.
pub(super) fn place(root: BorrowedFd<'_>, mounts: &dyn Mounts, path: &Path) -> Result<PathBuf, Errno> {
    let mut walk = Walk::new(root, mounts, path);
    match walk.run() {
        Ok(()) => Ok(walk.place()),
        Err(Errno::NOENT) => {
            let mut place = walk.place();
            while let Some(name) = walk.pending.pop() {
                match name.as_bytes() {
                    b"" | b"." => {}
                    b".." => drop(place.pop()),
                    _ => place.push(name),
                }
            }
            Ok(place)
        }
        Err(error) => Err(error),
    }
}

/// Makes the directories of a path that are missing. What is mounted later has none yet, and none is made there.
///
/// # Errors
/// As making them.
pub(super) fn make(root: BorrowedFd<'_>, mounts: &dyn Mounts, path: &Path) -> Result<(), Errno> {
    let mut walk = Walk::new(root, mounts, path);
    loop {
        match walk.run() {
            Err(Errno::NOENT) => {}
            ended => return ended,
        }
        let (Some(directory), Some(name)) = (walk.here().handle(), walk.pending.last()) else { return Ok(()) };
        mkdirat(directory, name, Mode::from_raw_mode(0o755))?;
    }
}

struct Walk<'a> {
    /// Where everything starts: the root, or what is mounted over it.
    base: Node<'a>,
    mounts: &'a dyn Mounts,
    /// Where the walk is: names from there on.
    names: Vec<(OsString, Node<'a>)>,
    /// The names that are still to be followed, the next one last.
    pending: Vec<OsString>,
    links: u32,
}

impl<'a> Walk<'a> {
    fn new(root: BorrowedFd<'a>, mounts: &'a dyn Mounts, path: &Path) -> Self {
        let base = mounts.at(Path::new("/")).map_or(Node::Lent(root, FileType::Directory), Node::of);
        let mut walk = Self { base, mounts, names: Vec::new(), pending: Vec::new(), links: 0 };
        walk.push(path.as_os_str());
        walk
    }

    fn place(&self) -> PathBuf {
        let mut place = PathBuf::from("/");
        place.extend(self.names.iter().map(|(name, _)| name));
        place
    }

    /// Puts the names of a path before those that are to be followed. An empty one says that what is before it is a directory.
    fn push(&mut self, path: &OsStr) {
        let names = path.as_bytes().split(|byte| *byte == b'/').rev();
        self.pending.extend(names.map(|name| OsStr::from_bytes(name).to_owned()));
    }

    /// Follows all names. Where one is missing, it is the next of those that are pending.
    fn run(&mut self) -> Result<(), Errno> {
        // The first name of an absolute path is empty, too.
        while let Some(name) = self.pending.pop() {
            if self.here().file_type() != FileType::Directory {
                return Err(Errno::NOTDIR);
            }
            match name.as_bytes() {
                b"" | b"." => {}
                b".." => drop(self.names.pop()),
                _ => {
                    if let Err(error) = self.step(&name) {
                        self.pending.push(name);
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Where the walk is.
    fn here(&self) -> &Node<'a> {
        self.names.last().map_or(&self.base, |(_, node)| node)
    }

    fn step(&mut self, name: &OsStr) -> Result<(), Errno> {
        if self.names.len() >= MOST_DIRECTORIES {
            return Err(Errno::NAMETOOLONG);
        }
        if let Some(source) = self.mounts.at(&self.place().join(name)) {
            self.names.push((name.to_owned(), Node::of(source)));
            return Ok(());
        }
        let opened = self.here().handle().ok_or(Errno::NOENT).and_then(|directory| {
            openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        });
        let handle = match opened {
            Err(Errno::NOENT) if self.mounts.below(&self.place().join(name)) => {
                self.names.push((name.to_owned(), Node::Fresh));
                return Ok(());
            }
            opened => opened?,
        };
        let file_type = FileType::from_raw_mode(fstat(&handle)?.st_mode);
        if file_type == FileType::Symlink {
            return self.follow(&handle);
        }
        self.names.push((name.to_owned(), Node::Held(handle, file_type)));
        Ok(())
    }

    fn follow(&mut self, link: &OwnedFd) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Errno::LOOP);
        }
        let target = OsString::from_vec(readlinkat(link, "", Vec::new())?.into_bytes());
        if target.is_empty() {
            return Err(Errno::NOENT);
        }
        if target.as_bytes().starts_with(b"/") {
            self.names.clear();
        }
        self.push(&target);
        Ok(())
    }
}
