//! What of a container's files its guest is given: the working directory, the root file system, and each mount under its destination.
//!
//! The worker opens all of it inside of the container, so a path of the guest is that path of the container. What the kernel's own file
//! systems hold is not given by a preopen of its own; `/` leads there all the same, and keeping a guest away from it is the host's part.
//!
//! **Read-only and writable, one inside the other.** A guest's library goes by the longest preopen that its path starts with, and so comes
//! to a mount through the mount's own preopen, with its access. A guest that goes through `/` instead crosses into the same mount, since a
//! preopen of a directory is a handle on the container's tree. There the access of `/` is in the way of writing, if it is read-only; and if it
//! is not, a read-only mount still is, because every `ro` of the spec is a flag of the kernel's on that mount, and the root's too. So the
//! kernel alone decides what is writable, as it does for any process of a container; a read-only preopen is a second lock on the same door.
//! That is why a single file that is mounted writable below something read-only may open that second lock: the first one holds for its
//! neighbours. (What is mounted below the source of a recursive bind is read-only for the kernel with `rro` alone, as under any runtime.)
//!
//! **Files that are mounted by themselves** (/etc/hosts, a secret's key) come with the directory that they are in. A preopen of such a
//! file would hide its directory, because the guest's library would look for all of /etc where only /etc/hosts is.

use super::rootfs::{PlacedMount, Rootfs, cleaned, is_kernel_place};
use std::path::{Path, PathBuf};
use wasmrt_model::{Access, Error, ErrorKind, Preopen, Result};

/// A directory that the guest is given.
struct Given<'a> {
    destination: &'a Path,
    place: &'a Path,
    writable: bool,
}

/// The preopens of a process with this working directory.
///
/// The working directory is `.`, and comes first: some guests take the first preopen for theirs. The root comes behind it: wasi-libc takes `.` and
/// `/` for the same and goes by the later one, and of the two a program can do without the working directory better than without absolute paths.
///
/// # Errors
/// `InvalidInput` for paths that are no text.
pub(super) fn preopens(rootfs: &Rootfs, root_is_writable: bool, cwd: &Path) -> Result<Vec<Preopen>> {
    let root = Path::new("/");
    let mut given = vec![Given { destination: root, place: root, writable: root_is_writable }];
    for mount in rootfs.mounts().iter().filter(|mount| mount.directory && !mount.kernel) {
        // The later one of two mounts that links bring to one destination is what a path there means.
        given.retain(|earlier| earlier.destination != mount.destination);
        given.push(Given { destination: &mount.destination, place: &mount.place, writable: mount.writable });
    }
    for file in rootfs.mounts().iter().filter(|mount| !mount.directory && !mount.kernel && mount.writable) {
        if let Some(around) = innermost(&mut given, &file.place) {
            around.writable = true;
        }
    }
    let cwd = cleaned(cwd);
    let place = rootfs.place(&cwd);
    let mut preopens = Vec::with_capacity(given.len() + 1);
    if !is_kernel_place(&cwd) && !is_kernel_place(&place) && !in_kernel_mount(rootfs.mounts(), &place) {
        let writable = innermost(&mut given, &place).is_some_and(|around| around.writable);
        preopens.push(Preopen { host: cwd, guest: ".".to_owned(), access: access(writable) });
    }
    // The order of the others means nothing; by name it is the same for the same container.
    given.sort_by_key(|given| given.destination);
    for given in given {
        preopens.push(Preopen {
            host: PathBuf::from(given.destination),
            guest: text(given.destination)?,
            access: access(given.writable),
        });
    }
    Ok(preopens)
}

/// The directory of those that are given in which a place is.
fn innermost<'a, 'b>(given: &'a mut [Given<'b>], place: &Path) -> Option<&'a mut Given<'b>> {
    given.iter_mut().filter(|given| place.starts_with(given.place)).max_by_key(|given| given.place.components().count())
}

fn in_kernel_mount(mounts: &[PlacedMount], place: &Path) -> bool {
    mounts.iter().any(|mount| mount.kernel && place.starts_with(&mount.place))
}

fn access(writable: bool) -> Access {
    if writable { Access::ReadWrite } else { Access::ReadOnly }
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, format!("the mount's destination '{}' is no UTF-8", path.display()))
            .with_operation("read spec")
    })
}

#[cfg(test)]
mod tests;
