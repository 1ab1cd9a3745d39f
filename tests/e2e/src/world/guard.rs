//! The guard: starts a world, waits for its end, and removes what is left.

use super::{cgroups, init};
use crate::{Result, failed};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

pub(super) const ARGUMENT: &str = "--world-guard";

/// `NAME DIRECTORY [systemd]`: the world's name, the directory to make and to remove, and what is to be its first process.
pub(super) fn run(mut args: impl Iterator<Item = OsString>) -> Result<()> {
    let name = args.next().and_then(|name| name.into_string().ok()).ok_or("no name for the world")?;
    let directory = PathBuf::from(args.next().ok_or("no directory for the world")?);
    let first = args.next();
    let former = fs::read_to_string("/proc/self/cgroup").map_err(failed("/proc/self/cgroup"))?;
    let lived = live(&name, &directory, first.as_deref(), &former);
    let left = cgroups::leave(&former, &[std::process::id()]).and_then(|()| cgroups::remove(&name));
    let removed = fs::remove_dir_all(&directory).map_err(failed(directory.display()));
    lived.and(left).and(removed)
}

fn live(name: &str, directory: &PathBuf, first: Option<&OsStr>, former: &str) -> Result<()> {
    for part in ["tmp", "home", "bin"] {
        let part = directory.join(part);
        fs::create_dir_all(&part).map_err(failed(part.display()))?;
    }
    cgroups::enter(name)?;
    let exe = std::env::current_exe().map_err(failed("this program's file"))?;
    let mut unshare = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount", "--net", "--uts", "--ipc", "--cgroup"])
        .args(["--propagation", "private", "--mount-proc"])
        .arg(exe)
        .arg(init::ARGUMENT)
        .arg(directory)
        .args(first)
        .spawn()
        .map_err(failed("unshare"))?;
    let named = crate::eventually(Duration::from_secs(20), || child_of(&mut unshare)).and_then(|init| {
        // Whoever is in the world has it for itself.
        cgroups::leave(former, &[std::process::id(), unshare.id()])?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", json!({ "init": init })).and_then(|()| out.flush()).map_err(failed("stdout"))
    });
    if named.is_ok() && first.is_some() {
        // It does not end by itself.
        wait_for_the_test();
        cgroups::hierarchies()?.iter().for_each(|hierarchy| init::thaw(&hierarchy.mount.join(name)));
    }
    if named.is_err() || first.is_some() {
        // It is our child and was not waited for, so the number is its own.
        let _ = unshare.kill();
    }
    let ended = unshare.wait().map_err(failed("unshare"));
    named.and(ended).map(drop)
}

/// Until nobody holds the pipe any more by which the world is asked.
fn wait_for_the_test() {
    let stdin = std::io::stdin();
    // A hang-up is told of whatever is asked for, and nothing else is.
    while let Err(Errno::INTR) = poll(&mut [PollFd::new(&stdin, PollFlags::empty())], None) {}
}

/// The first process of the new namespace, as the machine numbers it.
fn child_of(unshare: &mut Child) -> Result<u32> {
    if let Some(status) = unshare.try_wait().map_err(failed("unshare"))? {
        return Err(format!("unshare has ended: {status}"));
    }
    let pid = unshare.id();
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(&path).map_err(failed(path))?;
    children.split_whitespace().next().and_then(|child| child.parse().ok()).ok_or("unshare has no child yet".to_owned())
}
