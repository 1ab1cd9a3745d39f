//! A directory that belongs to this user alone. Every access goes through its descriptor and follows no links.

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use wasmrt_model::{Error, ErrorKind, Result};

/// Directories that compilers write to start with this.
pub(crate) const SCRATCH_PREFIX: &str = ".making-";
const OTHERS_MAY_WRITE: u32 = 0o022;
const ANY_FOR_OTHERS: u32 = 0o077;

/// The verified directory.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    descriptor: OwnedFd,
}

/// A file in it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) modified: SystemTime,
}

impl Directory {
    /// Opens it, or makes it, and checks that nobody else can change or read it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let failed = |source| Error::io("cannot make the cache directory", source).with_context("path", path.display());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let descriptor = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
            Error::io("cannot open the cache directory", errno.into()).with_context("path", path.display())
        })?;
        let stat = rustix::fs::fstat(&descriptor)
            .map_err(|errno| Error::io("cannot look at the cache directory", errno.into()))?;
        let refuse = |why: &str, hint: &str| {
            Err(Error::new(ErrorKind::PermissionDenied, format!("the cache directory {why}"))
                .with_context("path", path.display())
                .with_hint(hint))
        };
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return refuse("belongs to another user", "name one of your own in WASMRT_CACHE_DIR");
        }
        if stat.st_mode & ANY_FOR_OTHERS != 0 {
            return refuse("is open to others", "chmod 700 it after checking what is in it");
        }
        Ok(Self { path: path.to_owned(), descriptor })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file of ours. None when there is none of that name; an error when it is somebody else's or a link.
    pub(crate) fn open_private(&self, name: &str, flags: OFlags) -> Result<Option<File>> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let descriptor = match rustix::fs::openat(&self.descriptor, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(descriptor) => descriptor,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.io("cannot open", name, errno)),
        };
        let stat = rustix::fs::fstat(&descriptor).map_err(|errno| self.io("cannot look at", name, errno))?;
        let ours = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_uid == rustix::process::geteuid().as_raw()
            && stat.st_mode & OTHERS_MAY_WRITE == 0;
        if !ours {
            return Err(Error::new(ErrorKind::PermissionDenied, "a file in the cache is not ours alone")
                .with_context("path", self.path.join(name).display()));
        }
        Ok(Some(File::from(descriptor)))
    }

    /// Opens a file of ours, making it when there is none.
    pub(crate) fn open_or_create_private(&self, name: &str) -> Result<File> {
        self.open_private(name, OFlags::RDWR | OFlags::CREATE)?
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a file that was just made is not there"))
    }

    /// Writes a file so that readers see all of it or none.
    pub(crate) fn write_atomically(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let temporary = self.write_temporary(bytes)?;
        temporary.persist(self.path.join(name)).map(drop).map_err(|error| {
            Error::io("cannot write to the artifact cache", error.error)
                .with_context("path", self.path.join(name).display())
        })
    }

    /// Writes a file unless there is one of that name.
    pub(crate) fn write_unless_there(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let temporary = self.write_temporary(bytes)?;
        match temporary.persist_noclobber(self.path.join(name)) {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(Error::io("cannot write to the artifact cache", error.error)),
        }
    }

    fn write_temporary(&self, bytes: &[u8]) -> Result<tempfile::NamedTempFile> {
        let failed = |source| Error::io("cannot write to the artifact cache", source);
        // A temporary file of this crate has mode 0600.
        let mut temporary = tempfile::Builder::new().prefix(SCRATCH_PREFIX).tempfile_in(&self.path).map_err(failed)?;
        temporary.write_all(bytes).map_err(failed)?;
        Ok(temporary)
    }

    /// Moves a file of the same file system into the directory, readable by its owner alone.
    pub(crate) fn rename_in(&self, from: &Path, name: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let failed = |source| Error::io("cannot write to the artifact cache", source);
        std::fs::set_permissions(from, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        rustix::fs::renameat(rustix::fs::CWD, from, self.descriptor.as_fd(), name).map_err(|errno| failed(errno.into()))
    }

    /// Removes a file, or a directory with what is in it. What is not there is no error.
    pub(crate) fn remove(&self, name: &str) {
        if rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty()).is_err() {
            // Failing leaves a file that is ignored until the next try.
            let _ = std::fs::remove_dir_all(self.path.join(name));
        }
    }

    /// The files in it.
    pub(crate) fn list(&self) -> Result<Vec<Listed>> {
        let failed =
            |source| Error::io("cannot read the cache directory", source).with_context("path", self.path.display());
        let mut listed = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Another process may have removed it since.
            if let (Ok(name), Ok(metadata)) = (entry.file_name().into_string(), entry.metadata()) {
                let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                listed.push(Listed { name, bytes: metadata.len(), modified });
            }
        }
        Ok(listed)
    }

    /// One file in it.
    pub(crate) fn list_one(&self, name: &str) -> Option<Listed> {
        let stat = rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        Some(Listed { name: name.to_owned(), bytes: u64::try_from(stat.st_size).unwrap_or(0), modified })
    }

    fn io(&self, what: &str, name: &str, errno: Errno) -> Error {
        Error::io(format!("{what} a file in the cache"), errno.into())
            .with_context("path", self.path.join(name).display())
    }
}
