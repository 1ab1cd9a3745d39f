//! A container from the shim's side: its bundle, its control group, its processes.

use crate::bundle::{ROOTFS, read_spec};
use crate::cgroup::Cgroup;
use crate::errand::unmount;
use crate::failure::with_causes;
use crate::making::Makers;
use crate::oom::OomWatch;
use crate::process::Process;
use libcontainer::container::{Container as Kept, ContainerStatus};
use libcontainer::error::LibcontainerError;
use oci_spec::runtime::Hooks;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmrt_model::{Error, ErrorKind, Result};

/// How long what a dead shim has started may go on making what is being removed.
const MADE_WITHIN: Duration = Duration::from_secs(5);

/// The first process of a container has no name of its own.
pub(crate) const INIT: &str = "";

/// A container that was made.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) bundle: PathBuf,
    pub(crate) cgroup: Cgroup,
    pub(crate) processes: BTreeMap<String, Process>,
    /// Tells of the kernel's ending its processes, for as long as it is here.
    pub(crate) oom: Option<Arc<OomWatch>>,
}

/// Where in a bundle libcontainer keeps containers, by their names: those of files in bundles are names, too.
pub(crate) const KEPT: &str = "kept";

/// What libcontainer keeps of a container, in its bundle.
#[derive(Debug, Clone)]
pub(crate) struct OnDisk {
    bundle: PathBuf,
    id: String,
    /// The directory itself: another container may have one of that name later.
    directory: Option<(u64, u64)>,
}

impl OnDisk {
    /// # Errors
    /// `InvalidInput` for what is no name of a container: what is kept of it is removed in the end, and nothing else may be.
    pub(crate) fn of(bundle: PathBuf, id: &str) -> Result<Self> {
        let mut parts = Path::new(id).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(name)), None) if name == id => {
                Ok(Self { directory: identity(&bundle), bundle, id: id.to_owned() })
            }
            _ => Err(Error::new(ErrorKind::InvalidInput, format!("'{id}' is no name of a container"))
                .with_hint("containerd says it by -id")),
        }
    }

    pub(crate) fn bundle(&self) -> &Path {
        &self.bundle
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    fn kept(&self) -> PathBuf {
        self.bundle.join(KEPT).join(&self.id)
    }

    fn load(&self) -> Result<Kept> {
        // Whether its process lives is looked up in two steps. One that ends between them is gone the second time.
        let kept = Kept::load(self.kept()).or_else(|_| Kept::load(self.kept()));
        kept.map_err(|error| with_causes("cannot read what is kept of the container", &error))
    }

    /// Lets the first process go on.
    pub(crate) fn start(&self) -> Result<()> {
        let failed = |source| Error::io("cannot start the container", source);
        let directory =
            rustix::fs::open(self.kept(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|errno| failed(errno.into()))?;
        // The names of bundles are longer than what a socket's name may be.
        let socket = format!("/proc/self/fd/{}/notify.sock", directory.as_raw_fd());
        UnixStream::connect(socket).and_then(|mut socket| socket.write_all(b"start container")).map_err(failed)?;
        let mut kept = self.load()?;
        let saved = kept.set_status(ContainerStatus::Running).save();
        saved.map_err(|error| with_causes("cannot keep the container's state", &error))?;
        if let Some(hooks) = hooks_of(&kept) {
            libcontainer::hooks::run_hooks(hooks.poststart().as_ref(), Some(&kept.state), Some(&kept.root), None, None)
                .map_err(|error| with_causes("a hook failed", &error))?;
        }
        Ok(())
    }

    /// Freezes its processes, or lets them go on.
    pub(crate) fn set_paused(&self, paused: bool) -> Result<()> {
        let mut kept = self.load()?;
        if paused {
            kept.pause().map_err(|error| with_causes("cannot pause the container", &error))
        } else {
            kept.resume().map_err(|error| with_causes("cannot resume the container", &error))
        }
    }

    /// Ends what is left of it, and removes everything: processes, control group, state, mounts. It may be half made, or half removed.
    ///
    /// # Errors
    /// What could not be removed. What is kept of it stays then, everything else does not.
    pub(crate) fn remove(&self, cgroup: Option<&Cgroup>) -> Result<()> {
        let Some(_turn) = self.turn_at_removing() else { return Ok(()) };
        self.end_makers(&Makers::of(&self.bundle), cgroup);
        self.remove_all(cgroup)
    }

    /// Removes as the only one: containerd may ask twice at once, and what one has removed is missing to the other. None when it had to wait and everything
    /// is gone: whoever had the turn before removed the container, containerd then its directory, and another container may have the name.
    fn turn_at_removing(&self) -> Option<Turn> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let bundle = rustix::fs::open(&self.bundle, flags, Mode::empty()).ok();
        // Nobody else is there where the bundle is not.
        let lock = bundle.filter(|bundle| rustix::fs::flock(bundle, FlockOperation::LockExclusive).is_ok());
        (identity(&self.bundle) == self.directory).then_some(Turn { _lock: lock })
    }

    /// Waits until nobody makes a process for it any more. What was made has the makers' lock, until it is started or ended. Mounts stay: whoever goes on
    /// would go on below them.
    fn end_makers(&self, makers: &Makers<'_>, cgroup: Option<&Cgroup>) {
        let until = Instant::now() + MADE_WITHIN;
        while !makers.are_gone() && Instant::now() < until {
            // It may not be there yet.
            let _ = cgroup.map(Cgroup::remove);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn remove_all(&self, cgroup: Option<&Cgroup>) -> Result<()> {
        let mut removed = cgroup.map_or(Ok(()), Cgroup::remove);
        let kept = self.kept().exists().then(|| self.load());
        // What cannot be read was not written to its end.
        if let Some(Ok(mut kept)) = kept {
            let bare = removed.is_ok() && cgroup.is_some() && kept.intel_rdt_dir().is_none();
            // The library looks for the group once more, which takes as long as all else here.
            let deleted = if bare { run_last_hooks(&kept) } else { kept.delete(true) };
            removed = removed.and(deleted.map_err(|error| with_causes("cannot remove the container", &error)));
        }
        // It says that there may be something left.
        if removed.is_ok()
            && let Err(source) = std::fs::remove_dir_all(self.kept())
            && source.kind() != std::io::ErrorKind::NotFound
        {
            removed = Err(Error::io("cannot remove what was kept of the container", source));
        }
        unmount(&self.bundle.join(ROOTFS));
        removed
    }

    /// As [`remove`](Self::remove), for one whose shim may be dead. One that has removed it has removed all but mounts before what was kept.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn remove_rest(&self) -> Result<()> {
        let Some(_turn) = self.turn_at_removing() else { return Ok(()) };
        let makers = Makers::of(&self.bundle);
        if makers.are_gone() && !self.kept().exists() {
            unmount(&self.bundle.join(ROOTFS));
            return Ok(());
        }
        let cgroup = read_spec(&self.bundle).ok().map(|spec| Cgroup::of(&spec, &self.id));
        self.end_makers(&makers, cgroup.as_ref());
        self.remove_all(cgroup.as_ref())
    }
}

/// Held by the one who removes a container.
#[derive(Debug)]
struct Turn {
    _lock: Option<OwnedFd>,
}

/// What tells a directory from others that have its name at other times.
fn identity(directory: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(directory).ok().map(|found| (found.dev(), found.ino()))
}

/// The programs to be run beside it. What cannot be read was not written to its end.
fn hooks_of(kept: &Kept) -> Option<Hooks> {
    kept.spec().ok()?.hooks
}

/// What is to be done when a container has gone.
fn run_last_hooks(kept: &Kept) -> Result<(), LibcontainerError> {
    let Some(hooks) = hooks_of(kept) else { return Ok(()) };
    libcontainer::hooks::run_hooks(hooks.poststop().as_ref(), Some(&kept.state), None, None, None).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_or_removed_but_below_what_is_kept() {
        let bundle = Path::new("/run/bundle");
        for id in ["web", "rootfs", "config.json", "a.b-c_d", "..."] {
            let on_disk = OnDisk::of(bundle.to_owned(), id).unwrap();
            assert_eq!(on_disk.kept(), bundle.join(KEPT).join(id));
        }
        for id in ["", ".", "..", "/", "a/b", "a/", "../a", "/a", "./a"] {
            assert!(OnDisk::of(bundle.to_owned(), id).is_err(), "{id}");
        }
    }

    #[test]
    fn who_waited_for_its_turn_lets_another_container_of_that_name_be() {
        let directory = tempfile::tempdir().unwrap();
        let bundle = directory.path().join("web");
        std::fs::create_dir(&bundle).unwrap();
        let on_disk = OnDisk::of(bundle.clone(), "web").unwrap();
        let turn = on_disk.turn_at_removing().unwrap();
        let inode = format!(":{} ", std::fs::metadata(&bundle).unwrap().ino());
        let waits = || {
            let locks = std::fs::read_to_string("/proc/locks").unwrap();
            locks.lines().any(|line| line.contains("->") && line.contains(&inode))
        };
        std::thread::scope(|scope| {
            let removing = scope.spawn(|| on_disk.remove_rest());
            while !waits() {
                std::thread::yield_now();
            }
            std::fs::rename(&bundle, directory.path().join(".web")).unwrap();
            std::fs::create_dir(&bundle).unwrap();
            drop(turn);
            removing.join().unwrap().unwrap();
        });
        for name in ["web", ".web"] {
            assert_eq!(std::fs::read_dir(directory.path().join(name)).unwrap().count(), 0, "{name}");
        }
    }
}
