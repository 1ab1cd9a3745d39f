//! A control group as directories: one on a machine with version 2 groups, one in each hierarchy with version 1, and below them whatever groups the
//! container has made for itself.

use super::mount_point;
use crate::failure::with_causes;
use libcgroups::common::{CgroupSetup, get_cgroup_setup};
use libcgroups::v1::util::list_subsystem_mount_points;
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Result as IoResult, Write};
use std::path::{Component, Path, PathBuf};
use wasmrt_model::Result;

/// Where a group lists its processes.
pub(super) const MEMBERS: &str = "cgroup.procs";

/// What lets the processes of a group go on, in either version.
const THAWS: [(&str, &str); 2] = [("freezer.state", "THAWED"), ("cgroup.freeze", "0")];

/// The directories of the group at this place, from the root of all groups: those that there are. None for what is no container's: whatever is in them
/// may be ended.
///
/// # Errors
/// When the machine's control groups cannot be found.
pub(super) fn directories(place: &Path) -> Result<Vec<PathBuf>> {
    if !is_place(place) {
        return Ok(Vec::new());
    }
    let setup = get_cgroup_setup().map_err(|error| with_causes("cannot tell control groups apart", &error))?;
    let roots = match setup {
        CgroupSetup::Unified => vec![mount_point()?],
        CgroupSetup::Hybrid | CgroupSetup::Legacy => list_subsystem_mount_points()
            .map_err(|error| with_causes("cannot find the machine's control groups", &error))?,
    };
    let below = below_root(place);
    Ok(roots.into_iter().map(|root| root.join(below)).filter(|directory| directory.is_dir()).collect())
}

/// A place, as what is joined to a root.
pub(super) fn below_root(place: &Path) -> &Path {
    place.strip_prefix("/").unwrap_or(place)
}

/// Whether a place is that of a group. The root of all groups is no container's, and what is above it is none.
pub(super) fn is_place(place: &Path) -> bool {
    let mut names = below_root(place).components().peekable();
    names.peek().is_some() && names.all(|name| matches!(name, Component::Normal(_)))
}

/// All processes in a group and below it. What cannot be read is gone.
pub(super) fn processes(directory: &Path) -> BTreeSet<i32> {
    let mut all = BTreeSet::new();
    for group in with_those_below(directory) {
        let members = fs::read_to_string(group.join(MEMBERS)).unwrap_or_default();
        all.extend(members.lines().filter_map(|line| line.parse::<i32>().ok()));
    }
    all
}

/// Lets the processes go on that are in a group or below it.
pub(super) fn thaw(directory: &Path) -> IoResult<()> {
    for group in with_those_below(directory) {
        for (file, value) in THAWS {
            match fs::OpenOptions::new().write(true).open(group.join(file)) {
                Ok(mut file) => file.write_all(value.as_bytes())?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Removes a group that has no process, and those below it. One that is not there is no error.
pub(super) fn remove(directory: &Path) -> IoResult<()> {
    // Most have none below them, and are removed without being looked at.
    if removed(directory).is_ok() {
        return Ok(());
    }
    with_those_below(directory).iter().try_for_each(|group| removed(group))
}

fn removed(directory: &Path) -> IoResult<()> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A group behind all below it.
fn with_those_below(directory: &Path) -> Vec<PathBuf> {
    let mut groups = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            groups.extend(with_those_below(&entry.path()));
        }
    }
    groups.push(directory.to_owned());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_all_groups_is_no_containers() {
        for place in ["/", "", "..", "/..", "/pod/../..", "/pod/.."] {
            assert!(!is_place(Path::new(place)), "{place}");
            assert_eq!(directories(Path::new(place)).unwrap(), Vec::<PathBuf>::new(), "{place}");
        }
        for place in ["/pod/container", "container", ":youki:container", "/kubepods.slice/a:b"] {
            assert!(is_place(Path::new(place)), "{place}");
        }
    }

    #[test]
    fn those_below_come_first() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join(MEMBERS), "12\n0\n").unwrap();
        fs::write(directory.path().join(MEMBERS), "7\n12\n").unwrap();
        let groups = with_those_below(directory.path());
        assert_eq!(groups, [inner.clone(), directory.path().join("a"), directory.path().to_owned()]);
        assert_eq!(processes(directory.path()), BTreeSet::from([0, 7, 12]));
        fs::remove_file(inner.join(MEMBERS)).unwrap();
        assert!(remove(directory.path()).is_err());
        assert!(!inner.exists());
        remove(&inner).unwrap();
    }
}
