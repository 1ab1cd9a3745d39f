//! Notices that the kernel has ended a process for want of memory, while that can still be told from other ends.
#![expect(unsafe_code, reason = "a reactor has to be promised that a descriptor stays what it is")]

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::inotify;
use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches one control group.
#[derive(Debug)]
pub(crate) struct OomWatch {
    /// Readable when there is something to look at.
    changes: OwnedFd,
    source: Source,
    seen: Mutex<Seen>,
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    /// How many processes were ended.
    ended: u64,
    /// How many of them were told of.
    told: u64,
    /// How many were ended in the group above, this one included.
    above: u64,
    /// Whether the group is gone.
    over: bool,
}

#[derive(Debug)]
enum Source {
    /// Of a version 1 group, which reports its own end as well.
    Control(fs::File),
    /// Of a version 2 group.
    Events(PathBuf),
}

impl OomWatch {
    /// Watches the control group in which this process is. None where it cannot be had: then nobody is told.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let root = Path::new("/sys/fs/cgroup");
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
            if controllers.split(',').any(|controller| controller == "memory") {
                return Self::version_1(&root.join("memory").join(path)).ok();
            }
            if controllers.is_empty() {
                let events = root.join(path).join("memory.events");
                if events.exists() {
                    return Self::version_2(events).ok();
                }
            }
        }
        None
    }

    fn version_1(group: &Path) -> std::io::Result<Self> {
        let changes = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let control = fs::File::open(group.join("memory.oom_control"))?;
        let line = format!("{} {}", changes.as_raw_fd(), control.as_raw_fd());
        fs::OpenOptions::new().write(true).open(group.join("cgroup.event_control"))?.write_all(line.as_bytes())?;
        Ok(Self { changes, source: Source::Control(control), seen: Mutex::default() })
    }

    fn version_2(events: PathBuf) -> std::io::Result<Self> {
        let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&changes, &events, inotify::WatchFlags::MODIFY)?;
        if let Some(above) = above(&events) {
            // The group of all has no such file.
            let _ = inotify::add_watch(&changes, above, inotify::WatchFlags::MODIFY);
        }
        let watch = Self { changes, source: Source::Events(events), seen: Mutex::default() };
        watch.ended();
        Ok(watch)
    }

    /// Calls `tell` once for each process that was ended since it was looked at last.
    pub(crate) fn look(&self, mut tell: impl FnMut()) {
        let ended = self.ended();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if ended > seen.told {
            seen.told = ended;
            tell();
        }
    }

    /// How many processes were ended so far. Systemd removes a group with its last process, and with it what the kernel has noted there. When that came
    /// first, the group has ended one if the group above has, which the kernel notes as well, since both were looked at: whatever changes there is
    /// looked at, so that it is not what was long before.
    pub(crate) fn ended(&self) -> u64 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // What it says is only that there is something to look at.
        let _ = rustix::io::read(&self.changes, &mut [0; 4096]);
        let above = self.above();
        if let Some(ended) = self.noted() {
            seen.ended = ended;
            seen.above = above.unwrap_or(u64::MAX);
        } else if !seen.over {
            seen.over = true;
            seen.ended += u64::from(above.is_some_and(|above| above > seen.above));
        }
        seen.ended
    }

    /// How many the kernel has noted for the group above.
    fn above(&self) -> Option<u64> {
        let Source::Events(path) = &self.source else { return None };
        ended_in(&fs::read_to_string(above(path)?).ok()?)
    }

    /// How many the kernel has noted. None for a group that is gone.
    fn noted(&self) -> Option<u64> {
        let mut buffer = [0; 4096];
        let text = match &self.source {
            Source::Control(control) => {
                let count = control.read_at(&mut buffer, 0).unwrap_or(0);
                String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned()
            }
            Source::Events(path) => fs::read_to_string(path).unwrap_or_default(),
        };
        ended_in(&text)
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }
}

impl AsRawFd for OomWatch {
    fn as_raw_fd(&self) -> i32 {
        self.changes.as_raw_fd()
    }
}

/// For waiting until there is something to look at.
///
/// # Errors
/// The system's.
pub(crate) fn readable(watch: &Arc<OomWatch>) -> std::io::Result<AsyncFd<Arc<OomWatch>>> {
    // SAFETY: the watch owns its descriptor, never replaces it, and lives as long as what is returned.
    unsafe { AsyncFd::register_with_interest(Arc::clone(watch), Interest::READABLE) }.map_err(std::io::Error::from)
}

/// The same file of the group above.
fn above(events: &Path) -> Option<PathBuf> {
    Some(events.parent()?.parent()?.join(events.file_name()?))
}

fn ended_in(events: &str) -> Option<u64> {
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ended_is_counted() {
        assert_eq!(ended_in("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n"), Some(2));
        assert_eq!(ended_in("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), Some(1));
        assert_eq!(ended_in("low 0\n"), None);
    }

    #[test]
    fn what_was_noted_in_a_group_that_is_gone_is_noted_above() {
        let above = tempfile::tempdir().unwrap();
        let group = above.path().join("group");
        let note = |directory: &Path, ended: u64| {
            fs::write(directory.join("memory.events"), format!("max 1\noom_kill {ended}\n")).unwrap();
        };
        let watched = || {
            let _ = fs::remove_dir_all(&group);
            fs::create_dir(&group).unwrap();
            note(&group, 0);
            note(above.path(), 5);
            OomWatch::version_2(group.join("memory.events")).unwrap()
        };
        let watch = watched();
        note(&group, 1);
        note(above.path(), 6);
        assert_eq!((watch.ended(), watch.ended()), (1, 1));
        fs::remove_dir_all(&group).unwrap();
        assert_eq!(watch.ended(), 1);
        let watch = watched();
        note(&group, 1);
        note(above.path(), 6);
        fs::remove_dir_all(&group).unwrap();
        assert_eq!((watch.ended(), watch.ended()), (1, 1));
        let mut told = 0;
        watch.look(|| told += 1);
        watch.look(|| told += 1);
        assert_eq!(told, 1);
        // Another group's end is not this one's, before or after.
        let watch = watched();
        note(above.path(), 6);
        watch.look(|| told += 1);
        fs::remove_dir_all(&group).unwrap();
        watch.look(|| told += 1);
        note(above.path(), 7);
        watch.look(|| told += 1);
        assert_eq!((told, watch.ended()), (1, 0));
    }
}
