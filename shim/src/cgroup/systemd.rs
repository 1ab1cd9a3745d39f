//! Control groups that systemd makes, as Kubernetes has it: where they are, and how it is asked for them.
#![expect(unsafe_code, reason = "what speaks to systemd leaves its connection open, so it is given descriptors of its own to leave")]

use crate::failure::with_causes;
use libcgroups::common::{CgroupSetup, get_cgroup_setup};
use oci_spec::runtime::Spec;
use rustix::thread::UnshareFlags;
use std::path::{Path, PathBuf};
use wasmrt_model::{Error, ErrorKind, Result};

/// Where systemd says that it runs.
const RUNS: &str = "/run/systemd/system";

/// The slice of what names none.
const SYSTEM: &str = "system.slice";

const SLICE: &str = ".slice";

/// Whether a path is one of systemd's: `slice:prefix:name`.
pub(crate) fn is_systemd_path(spec: &Spec) -> bool {
    named(spec).is_some_and(is_of_systemd)
}

fn named(spec: &Spec) -> Option<&str> {
    spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_ref()).and_then(|path| path.to_str())
}

fn is_of_systemd(path: &str) -> bool {
    path.matches(':').count() == 2 && !path.starts_with('/')
}

/// Whether systemd is to make the container's control group. It does when it is asked for by the shape of the path; an absolute one is nobody's but
/// the caller's, whatever the runtime's options say.
///
/// # Errors
/// `InvalidInput` for a path that systemd does not take, `Unsupported` where there is no systemd that could be asked: a group elsewhere would not be
/// held to the limits of its slice.
pub(crate) fn is_asked(spec: &Spec, options: bool) -> Result<bool> {
    let path = named(spec).unwrap_or_default();
    if !is_of_systemd(path) {
        if options && !path.starts_with('/') {
            return Err(no_path(path));
        }
        return Ok(false);
    }
    below_root(path)?;
    let unsupported = |why: &str| {
        let error = Error::new(ErrorKind::Unsupported, format!("systemd cannot make the control group '{path}': {why}"));
        error.with_hint("set SystemdCgroup = false for this runtime, and the cgroup driver of the kubelet to cgroupfs")
    };
    let setup = get_cgroup_setup().map_err(|error| with_causes("cannot tell control groups apart", &error))?;
    if setup != CgroupSetup::Unified {
        return Err(unsupported("that takes version 2 control groups, which this machine does not have alone"));
    }
    if !Path::new(RUNS).is_dir() {
        return Err(unsupported(&format!("it does not run here, there is no {RUNS}")));
    }
    Ok(true)
}

fn no_path(path: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("'{path}' is no control group of systemd's"))
        .with_hint("those are called slice:prefix:name")
}

/// Where systemd makes the group of this name, from the root of all groups.
pub(super) fn place(path: &str) -> Result<PathBuf> {
    Ok(root().join(below_root(path)?))
}

/// What systemd takes for the root of all groups: its own, without the one that it makes for itself in it.
fn root() -> PathBuf {
    let groups = std::fs::read_to_string("/proc/1/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let root = own.strip_suffix("/init.scope").unwrap_or(own);
    PathBuf::from(if root.is_empty() { "/" } else { root })
}

/// The slices that a slice's name says it is in, and the unit.
fn below_root(path: &str) -> Result<PathBuf> {
    let wrong = || no_path(path);
    let mut parts = path.split(':');
    let (Some(slice), Some(prefix), Some(name), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(wrong());
    };
    if name.is_empty() || path.contains('/') {
        return Err(wrong());
    }
    let slice = if slice.is_empty() { SYSTEM } else { slice };
    let inner = slice.strip_suffix(SLICE).filter(|inner| !inner.is_empty()).ok_or_else(wrong)?;
    let mut place = PathBuf::new();
    // `-` is the root of slices.
    if inner != "-" {
        let mut ends: Vec<usize> = inner.match_indices('-').map(|(at, _)| at).collect();
        ends.push(inner.len());
        for end in ends {
            let outer = inner.get(..end).filter(|outer| !outer.is_empty() && !outer.ends_with('-'));
            place.push(format!("{}{SLICE}", outer.ok_or_else(wrong)?));
        }
    }
    place.push(if name.ends_with(SLICE) { name.to_owned() } else { format!("{prefix}-{name}.scope") });
    Ok(place)
}

/// Does something that speaks to systemd, with a table of descriptors of its own. The library never closes its connections; here they end with the
/// thread, and are in no other process. A shim lives as long as its pod, and the bus takes a few hundred connections.
pub(crate) fn apart<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let alone = || {
        // SAFETY: what this thread opens is unknown to others, what it has of theirs it only uses, and nothing of either outlives it.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FILES) }
            .map_err(|errno| Error::io("cannot prepare for speaking to systemd", errno.into()))?;
        work()
    };
    let done = std::thread::scope(|scope| scope.spawn(alone).join());
    done.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "what speaks to systemd has failed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_where_systemd_makes_them() {
        for (path, place) in [
            ("system.slice:test:one", "system.slice/test-one.scope"),
            (":test:one", "system.slice/test-one.scope"),
            ("-.slice:test:one", "test-one.scope"),
            (
                "kubepods-besteffort-pod1_2.slice:cri-containerd:0a1b",
                "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/cri-containerd-0a1b.scope",
            ),
            ("a.slice:x:b.slice", "a.slice/b.slice"),
        ] {
            assert_eq!(below_root(path).unwrap(), Path::new(place), "{path}");
        }
        let wrong = ["system:test:one", ".slice:a:b", "a--b.slice:x:y", "-a.slice:x:y", "a.slice:x:", "a.slice:..:/b", "a:b", "a.slice:b:c:d"];
        for path in wrong {
            assert!(below_root(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_opened_apart_is_closed_with_it() {
        use std::os::fd::{AsRawFd, IntoRawFd};
        let before = std::fs::File::open("/proc/self/fd").unwrap();
        let leaked = apart(|| Ok(std::fs::File::open("/dev/null").unwrap().into_raw_fd())).unwrap();
        assert_ne!(leaked, before.as_raw_fd());
        let path = std::fs::read_link(format!("/proc/self/fd/{leaked}")).unwrap_or_default();
        assert_ne!(path, Path::new("/dev/null"));
    }
}
