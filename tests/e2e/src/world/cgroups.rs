//! The cgroups of a world: one in each hierarchy of the machine, which inside is that hierarchy's root.

use crate::{Result, failed};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A hierarchy of cgroups: one for each controller in version 1, a single one in version 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// `cgroup` or `cgroup2`.
    pub kind: String,
    /// What it takes to mount it again: the controllers, or the hierarchy's name.
    pub options: String,
}

/// The hierarchies that are mounted here.
pub(crate) fn hierarchies() -> Result<Vec<Hierarchy>> {
    let text = fs::read_to_string("/proc/self/mountinfo").map_err(failed("/proc/self/mountinfo"))?;
    Ok(text.lines().filter_map(hierarchy).collect())
}

fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (head, tail) = line.split_once(" - ")?;
    let mut tail = tail.split(' ');
    let kind = tail.next().filter(|kind| kind.starts_with("cgroup"))?.to_owned();
    let options = tail.nth(1)?;
    let kept = |option: &&str| !matches!(*option, "rw" | "ro" | "xattr" | "nsdelegate" | "memory_recursiveprot");
    let options = if kind == "cgroup2" { String::new() } else { join(options.split(',').filter(kept)) };
    // A hierarchy without a controller is mounted by its name, with the word that says so.
    let options = if options.starts_with("name=") { format!("none,{options}") } else { options };
    Some(Hierarchy { mount: head.split(' ').nth(4)?.into(), kind, options })
}

fn join<'a>(options: impl Iterator<Item = &'a str>) -> String {
    options.filter(|option| !option.starts_with("release_agent=")).collect::<Vec<_>>().join(",")
}

/// Makes a world's cgroups and puts this process into them.
pub(super) fn enter(name: &str) -> Result<()> {
    for Hierarchy { mount, .. } in hierarchies()? {
        let own = mount.join(name);
        fs::create_dir(&own).map_err(failed(own.display()))?;
        // A new cpuset is empty and takes no process.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(value) = fs::read(mount.join(file)) {
                fs::write(own.join(file), value).map_err(failed(own.join(file).display()))?;
            }
        }
        join_cgroup(&own)?;
    }
    Ok(())
}

/// Puts processes back to where this one was: a cgroup that has a process in it cannot be removed, and in version 2 has nothing to give to others.
pub(super) fn leave(former: &str, processes: &[u32]) -> Result<()> {
    for Hierarchy { mount, options, .. } in hierarchies()? {
        let controllers = options.strip_prefix("none,").unwrap_or(&options);
        let line = former.lines().find_map(|line| {
            let (_, line) = line.split_once(':')?;
            line.strip_prefix(controllers)?.strip_prefix(':')
        });
        let path = line.unwrap_or("/");
        let cgroup = mount.join(path.trim_start_matches('/'));
        processes.iter().try_for_each(|process| put(*process, &cgroup))?;
    }
    Ok(())
}

/// Puts this process into a cgroup.
pub(super) fn join_cgroup(cgroup: &Path) -> Result<()> {
    put(std::process::id(), cgroup)
}

fn put(process: u32, cgroup: &Path) -> Result<()> {
    let file = cgroup.join("cgroup.procs");
    fs::write(&file, process.to_string()).map_err(failed(file.display()))
}

/// Removes a world's cgroups and what is below. What ran in them is dead; the kernel may take a moment to notice.
pub(super) fn remove(name: &str) -> Result<()> {
    crate::eventually(Duration::from_secs(10), || {
        for Hierarchy { mount, .. } in hierarchies()? {
            remove_tree(&mount.join(name))?;
        }
        Ok(())
    })
}

fn remove_tree(cgroup: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(cgroup) else { return Ok(()) };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_tree(&entry.path())?;
    }
    fs::remove_dir(cgroup).map_err(failed(cgroup.display()))
}
