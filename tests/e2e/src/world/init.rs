//! The init of a world: makes it private, starts and signals processes on request, reaps, and ends with its standard input.

use super::{cgroups, pid, systemd};
use crate::{Result, failed};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::{Signal, WaitOptions, kill_process, wait};
use serde_json::{Value, json};
use std::ffi::{CString, OsString};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(super) const ARGUMENT: &str = "--world-init";

/// What serves where the first process is another one.
pub(super) const SERVING: &str = "--world-server";

/// `DIRECTORY [systemd]`: the world's own, and what is to be its first process.
pub(super) fn run(mut args: impl Iterator<Item = OsString>) -> Result<()> {
    let directory = PathBuf::from(args.next().ok_or("no directory for the world")?);
    let has_systemd = args.next().is_some();
    let mut prepared = prepare(&directory, has_systemd);
    if has_systemd {
        prepared = prepared.and_then(|()| systemd::become_it());
    }
    serve(&prepared)
}

/// Answers requests until there is nobody left to ask.
pub(super) fn serve(prepared: &Result<()>) -> Result<()> {
    std::thread::spawn(reap);
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let answer = prepared.clone().and_then(|()| obey(&line)).unwrap_or_else(|error| json!({ "error": error }));
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    thaw(Path::new("/sys/fs/cgroup"));
    Ok(())
}

/// What is frozen cannot die, and no world ends before everything in it is dead.
pub(super) fn thaw(directory: &Path) {
    // Each directory has one of these, or none; there is nobody to tell of a failure.
    let _ = OpenOptions::new()
        .write(true)
        .open(directory.join("freezer.state"))
        .and_then(|mut file| file.write_all(b"THAWED"));
    let _ =
        OpenOptions::new().write(true).open(directory.join("cgroup.freeze")).and_then(|mut file| file.write_all(b"0"));
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        thaw(&entry.path());
    }
}

/// What the shim may be told and may have kept on this machine, and not in a world.
const MACHINES_OWN: [&str; 2] = ["/etc/wasmrt", "/var/lib/wasmrt"];

fn prepare(directory: &Path, has_systemd: bool) -> Result<()> {
    let hierarchies = cgroups::hierarchies()?;
    place("tmpfs", Path::new("/run"), "tmpfs", "mode=755")?;
    for (name, place_of) in [("etc", "/etc"), ("var", "/var")] {
        let (upper, work) = (directory.join(name), directory.join(format!("{name}.work")));
        for part in [&upper, &work] {
            fs::create_dir(part).map_err(failed(part.display()))?;
        }
        let options = format!("lowerdir={place_of},upperdir={},workdir={}", upper.display(), work.display());
        place("overlay", Path::new(place_of), "overlay", &options)?;
    }
    for own in MACHINES_OWN {
        match fs::remove_dir_all(own) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(format!("{own}: {error}")),
            _ => {}
        }
    }
    remount_cgroups(&hierarchies, has_systemd)?;
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().map_err(failed("ip"))?;
    if up.success() { Ok(()) } else { Err(format!("ip link set lo up: {up}")) }
}

/// Mounted anew inside a namespace of cgroups, each hierarchy has the world's own cgroup as its root.
fn remount_cgroups(hierarchies: &[cgroups::Hierarchy], has_systemd: bool) -> Result<()> {
    let root = Path::new("/sys/fs/cgroup");
    for hierarchy in hierarchies.iter().rev() {
        unmount(&hierarchy.mount, UnmountFlags::DETACH).map_err(failed(hierarchy.mount.display()))?;
    }
    if !hierarchies.iter().any(|hierarchy| hierarchy.mount == root) {
        place("tmpfs", root, "tmpfs", "mode=755")?;
    }
    for hierarchy in hierarchies {
        fs::create_dir_all(&hierarchy.mount).map_err(failed(hierarchy.mount.display()))?;
        place("cgroup", &hierarchy.mount, &hierarchy.kind, &hierarchy.options)?;
        if hierarchy.kind == "cgroup2" && !has_systemd {
            delegate(&hierarchy.mount)?;
        }
    }
    Ok(())
}

/// In version 2 a cgroup with processes has no controllers to give to others, so those of the world's own stand in one beside.
fn delegate(root: &Path) -> Result<()> {
    let daemons = root.join("daemons");
    fs::create_dir(&daemons).map_err(failed(daemons.display()))?;
    cgroups::join_cgroup(&daemons)?;
    let controllers = fs::read_to_string(root.join("cgroup.controllers")).map_err(failed("cgroup.controllers"))?;
    let wanted: Vec<_> = controllers.split_whitespace().map(|name| format!("+{name}")).collect();
    let control = root.join("cgroup.subtree_control");
    if wanted.is_empty() {
        return Ok(());
    }
    // Whoever started this process may still be about to leave.
    crate::eventually(Duration::from_secs(10), || {
        fs::write(&control, wanted.join(" ")).map_err(failed(control.display()))
    })
}

pub(super) fn place(source: &str, target: &Path, kind: &str, options: &str) -> Result<()> {
    let data = CString::new(options).map_err(failed(options))?;
    mount(source, target, kind, MountFlags::empty(), data.as_c_str())
        .map_err(|error| format!("cannot mount {kind} ({options}) at {}: {error}", target.display()))
}

fn obey(line: &str) -> Result<Value> {
    let request: Value = serde_json::from_str(line).map_err(failed("a request"))?;
    if let Some(argv) = request["start"].as_array() {
        return start(argv, &request);
    }
    if let Some(number) = request["kill"].as_u64() {
        let raw = request["signal"].as_i64().and_then(|raw| i32::try_from(raw).ok());
        let signal = raw.and_then(Signal::from_named_raw).ok_or("no such signal")?;
        let target = pid(u32::try_from(number).map_err(failed("a process"))?)?;
        kill_process(target, signal).map_err(failed(format!("process {number}")))?;
    }
    Ok(json!({}))
}

fn start(argv: &[Value], request: &Value) -> Result<Value> {
    let argv: Vec<&str> = argv.iter().filter_map(Value::as_str).collect();
    let (program, args) = argv.split_first().ok_or("no program")?;
    let path = request["log"].as_str().ok_or("no log")?;
    let log = OpenOptions::new().create(true).append(true).open(path).map_err(failed(path))?;
    let variables = request["env"].as_object().into_iter().flatten();
    let child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(variables.filter_map(|(name, value)| Some((name, value.as_str()?))))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(failed(path))?)
        .stderr(log)
        .spawn()
        .map_err(failed(program))?;
    Ok(json!({ "pid": child.id() }))
}

/// Whatever dies in a world without a parent is this process's to wait for.
fn reap() {
    loop {
        if wait(WaitOptions::empty()).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
