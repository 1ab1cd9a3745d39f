//! What is in a world that was not there before its containers.

use crate::Result;
use crate::world::World;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a shim may take to go after its last container was deleted.
const PATIENCE: Duration = Duration::from_secs(15);

/// Directories whose existence is containerd's or runc's own way of working, and nobody's leak.
const STANDING: &[&str] = &[
    "/run/containerd/s",
    "/run/containerd/runc",
    "/run/containerd/runc/e2e",
    "/run/containerd/runc/moby",
    "/run/containerd/runc/k8s.io",
    "/run/containerd/io.containerd.runtime.v2.task/e2e",
    "/run/containerd/io.containerd.runtime.v2.task/moby",
    "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
    "/run/netns",
    // systemd's, for units of containers and of others, and what it shows at its console.
    "/run/systemd/transient",
    "/run/systemd/show-status",
    // mount(8)'s own, and that of iptables where its tables are those of old.
    "/run/mount",
    "/run/xtables.lock",
    "/run/containerd/io.containerd.grpc.v1.cri/sandboxes",
    "/run/containerd/io.containerd.grpc.v1.cri/containers",
    "/run/wasmrt",
];

/// Made by clients (ctr, dockerd), for their own ends of streams and for networks: removed by them in their own time, and by no shim.
const OF_CLIENTS: &[&str] = &["/run/containerd/fifo", "/run/docker"];

/// What there is: processes, mounts, cgroups, and the names in `/run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeSet<String>);

impl Snapshot {
    /// What there is now, but these daemons, which may be restarted.
    ///
    /// # Errors
    /// When the world is no more.
    pub fn of(world: &World, daemons: &[u32]) -> Result<Self> {
        let mut seen = BTreeSet::new();
        for process in world.processes()?.iter().filter(|process| !daemons.contains(&process.pid)) {
            let of = format!(
                "process {} ({}, child of {}): {}",
                process.pid, process.state, process.parent, process.command
            );
            // Its state changes all the time; what counts is the process.
            seen.insert(if process.state == 'Z' {
                of
            } else {
                format!("process {}: {}", process.pid, process.command)
            });
        }
        seen.extend(world.mounts()?.into_iter().map(|mount| format!("mount {mount}")));
        let groups = world.path("/sys/fs/cgroup");
        // With version 2 there is one hierarchy, which is no directory among others.
        let hierarchy = usize::from(groups.join("cgroup.procs").exists());
        cgroups(&groups, Path::new("/sys/fs/cgroup"), hierarchy, &mut seen);
        names(&world.path("/run"), Path::new("/run"), &mut seen);
        Ok(Self(seen))
    }

    /// What there is now and is not in this snapshot. What is on its way out is given time, and names with `tolerated` in them are let be.
    ///
    /// # Errors
    /// Everything that stays.
    pub fn nothing_since(&self, world: &World, daemons: &[u32], tolerated: &str) -> Result<()> {
        crate::eventually(PATIENCE, || {
            let now = Self::of(world, daemons)?;
            let left = now.0.difference(&self.0).filter(|name| tolerated.is_empty() || !name.contains(tolerated));
            let left: Vec<_> = left.cloned().collect();
            if left.is_empty() { Ok(()) } else { Err(format!("left behind:\n  - {}", left.join("\n  - "))) }
        })
    }
}

/// Cgroups two levels below a hierarchy's root: the first one is named after containerd's namespace, and stays.
fn cgroups(outside: &Path, inside: &Path, depth: usize, seen: &mut BTreeSet<String>) {
    for (name, path) in directories(outside) {
        let inside = inside.join(name);
        // The hierarchy itself, then the namespace's own, then a container's. Slices stay, since others may be in them.
        if depth > 1 && inside.extension().is_none_or(|kind| kind != "slice") {
            seen.insert(format!("cgroup {}", inside.display()));
        }
        cgroups(&path, &inside, depth + 1, seen);
    }
}

fn directories(path: &Path) -> Vec<(std::ffi::OsString, PathBuf)> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let directories = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| (entry.file_name(), entry.path())).collect()
}

fn names(outside: &Path, inside: &Path, seen: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(outside) else { return };
    for entry in entries.flatten() {
        let inside = inside.join(entry.file_name());
        if OF_CLIENTS.iter().any(|of_clients| Path::new(of_clients) == inside) {
            continue;
        }
        let Ok(kind) = entry.file_type() else { continue };
        let what = match kind {
            kind if kind.is_dir() => "directory",
            kind if kind.is_socket() => "socket",
            kind if kind.is_fifo() => "named pipe",
            kind if kind.is_symlink() => "link",
            _ => "file",
        };
        if !STANDING.iter().any(|standing| Path::new(standing) == inside) {
            seen.insert(format!("{what} {}", inside.display()));
        }
        if kind.is_dir() {
            names(&entry.path(), &inside, seen);
        }
    }
}
