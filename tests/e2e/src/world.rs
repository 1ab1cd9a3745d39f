//! A world: namespaces for processes, mounts, network, host name and cgroups, with private `/run`, `/etc` and `/var`.
//!
//! Three processes make one. The *guard* stands outside, in a process group of its own; it makes the cgroups and the directory, starts the
//! world, and when that has ended removes both. The *init* is the world's first process; it starts the daemons that it is asked for, and
//! ends when the pipe from the test does, with which the kernel ends everything else in the world. So a test that is killed leaves nothing.

mod cgroups;
mod guard;
mod init;
mod stale;
mod systemd;

use crate::{Result, failed};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Where programs are looked for inside, and nowhere else.
pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What names of worlds begin with.
const PREFIX: &str = "wasmrt-e2e-";

/// A world. It ends when this is dropped.
#[derive(Debug)]
pub struct World {
    /// Whether its first process is systemd.
    pub has_systemd: bool,
    guard: Child,
    pipe: Mutex<Option<Pipe>>,
    init: u32,
    directory: PathBuf,
}

#[derive(Debug)]
struct Pipe {
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// A process of a world, as the world numbers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its parent's number.
    pub parent: u32,
    /// Its state, as `/proc` abbreviates it.
    pub state: char,
    /// Its command line, joined by blanks.
    pub command: String,
}

/// Becomes the guard or the init of a world when this program was started as one of these; tests call it first.
#[must_use]
pub fn become_part() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let part = args.next()?;
    let done = match part.to_str()? {
        guard::ARGUMENT => guard::run(args),
        init::ARGUMENT => init::run(args),
        init::SERVING => init::serve(&Ok(())),
        _ => return None,
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("{}: {complaint}", part.display());
            ExitCode::FAILURE
        }
    })
}

/// Why this machine does not let us make worlds, if so.
#[must_use]
pub fn impossible() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can make the namespaces that containerd is tested in".to_owned());
    }
    let made = Command::new("unshare").args(["--pid", "--fork", "--mount", "--net", "--cgroup", "true"]).output();
    match made {
        Ok(made) if made.status.success() => None,
        Ok(made) => Some(format!("unshare: {}", String::from_utf8_lossy(&made.stderr).trim())),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

/// Why there can be no world with systemd here, if so.
#[must_use]
pub fn impossible_with_systemd() -> Option<String> {
    let programs = [systemd::PROGRAM, "/usr/bin/systemctl", "/usr/bin/dbus-daemon"];
    if let Some(missing) = programs.into_iter().find(|program| !Path::new(program).is_file()) {
        return Some(format!("{missing} is not installed"));
    }
    match cgroups::hierarchies() {
        Ok(found) if found.iter().all(|hierarchy| hierarchy.kind == "cgroup2") => None,
        Ok(_) => Some("this machine has version 1 control groups".to_owned()),
        Err(why) => Some(why),
    }
}

impl World {
    /// Makes a world.
    ///
    /// # Errors
    /// What the machine refused.
    pub fn new() -> Result<Self> {
        Self::with_first(None)
    }

    /// Makes a world whose first process is systemd.
    ///
    /// # Errors
    /// What the machine refused.
    pub fn with_systemd() -> Result<Self> {
        let world = Self::with_first(Some("systemd"))?;
        let up = crate::eventually(Duration::from_secs(60), || {
            crate::command::run(world.systemctl(&["is-active", systemd::TARGET]))?.success()
        });
        up.map_err(failed("systemd does not come up"))?;
        crate::command::run(world.systemctl(&["start", "dbus.service"]))?.success()?;
        Ok(world)
    }

    /// The client of the world's systemd.
    #[must_use]
    pub fn systemctl(&self, args: &[&str]) -> Command {
        let mut command = self.command("systemctl");
        command.arg("--no-pager").args(args);
        command
    }

    fn with_first(first: Option<&str>) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        stale::sweep();
        let name = stale::name(NUMBER.fetch_add(1, Ordering::Relaxed))?;
        let directory = std::env::temp_dir().join(&name);
        let exe = std::env::current_exe().map_err(failed("this program's file"))?;
        let mut guard = Command::new(exe)
            .arg(guard::ARGUMENT)
            .args([name.as_ref(), directory.as_os_str()])
            .args(first)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed("cannot start the guard of a world"))?;
        let (Some(requests), Some(answers)) = (guard.stdin.take(), guard.stdout.take()) else {
            return Err("the guard of a world has no pipes".to_owned());
        };
        let mut pipe = Pipe { requests, answers: BufReader::new(answers) };
        let init = match pipe.answer() {
            Ok(ready) => ready["init"].as_u64().and_then(|pid| u32::try_from(pid).ok()),
            Err(complaint) => {
                drop(pipe);
                let said = guard.wait_with_output().map(|output| output.stderr).unwrap_or_default();
                return Err(format!("no world came up: {complaint}; {}", String::from_utf8_lossy(&said).trim()));
            }
        };
        let init = init.ok_or("the guard does not say who is the init of its world")?;
        let world = Self { has_systemd: first.is_some(), guard, pipe: Mutex::new(Some(pipe)), init, directory };
        world.ask(&json!({ "ready": true }))?;
        Ok(world)
    }

    /// A directory of the world's own, at the same path inside and outside.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A path of the world's, as it is reached from outside.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.init))
    }

    /// A command that runs inside, and ends when its process outside does.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.init.to_string(), "--pid", "--mount", "--net", "--uts", "--ipc", "--cgroup"])
            // What is started here ends with the process that the caller knows, which stands outside.
            .args(["--", "setpriv", "--pdeathsig", "KILL", "--", program])
            .env_clear()
            .envs(self.environment());
        command
    }

    fn environment(&self) -> [(&'static str, String); 4] {
        let of = |name: &str| self.directory.join(name).display().to_string();
        [("PATH", PATH.to_owned()), ("TMPDIR", of("tmp")), ("HOME", of("home")), ("LANG", "C.UTF-8".to_owned())]
    }

    /// Starts a daemon as the init's child. What it prints goes to the end of `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, argv: &[&str], variables: &[(&str, &str)], log: &Path) -> Result<u32> {
        let mut env: serde_json::Map<String, Value> =
            self.environment().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        let answer = self.ask(&json!({ "start": argv, "env": env, "log": log }))?;
        let pid = answer["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.ok_or_else(|| format!("{}: {answer}", argv.join(" ")))
    }

    /// Sends a signal to a process of the world's.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn kill(&self, pid: u32, signal: Signal) -> Result<()> {
        self.ask(&json!({ "kill": pid, "signal": signal.as_raw() })).map(drop)
    }

    /// Everything that runs inside but its init.
    ///
    /// # Errors
    /// When the world is no more.
    pub fn processes(&self) -> Result<Vec<Process>> {
        let proc = self.path("/proc");
        let entries = std::fs::read_dir(&proc).map_err(failed(proc.display()))?;
        let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut processes: Vec<_> = numbers.filter(|pid| *pid != 1).filter_map(|pid| process(&proc, pid)).collect();
        processes.sort_by_key(|process| process.pid);
        Ok(processes)
    }

    /// The world's mounts, as `/proc` lists them: where, of what kind, what.
    ///
    /// # Errors
    /// When the world is no more.
    pub fn mounts(&self) -> Result<Vec<String>> {
        let path = self.path("/proc/1/mountinfo");
        let text = std::fs::read_to_string(&path).map_err(failed(path.display()))?;
        Ok(text.lines().map(|line| line.split(' ').skip(3).collect::<Vec<_>>().join(" ")).collect())
    }

    fn ask(&self, request: &Value) -> Result<Value> {
        let mut pipe = self.pipe.lock().map_err(|_| "a thread died while it asked the init".to_owned())?;
        let pipe = pipe.as_mut().ok_or("the world has ended")?;
        writeln!(pipe.requests, "{request}").map_err(failed("the world's init does not listen"))?;
        let answer = pipe.answer()?;
        match answer["error"].as_str() {
            Some(complaint) => Err(complaint.to_owned()),
            None => Ok(answer),
        }
    }
}

impl Pipe {
    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(failed("the world's init does not answer"))?;
        if line.is_empty() {
            return Err("the world's init has ended".to_owned());
        }
        serde_json::from_str(&line).map_err(|error| format!("the init's answer {line:?}: {error}"))
    }
}

impl Drop for World {
    /// Ends the world and waits until nothing is left of it.
    fn drop(&mut self) {
        if let Ok(mut pipe) = self.pipe.lock() {
            pipe.take();
        }
        // The guard's own complaint has been printed by it; here nobody can act on it.
        let _ = self.guard.wait();
    }
}

fn process(proc: &Path, pid: u32) -> Option<Process> {
    let directory = proc.join(pid.to_string());
    let stat = std::fs::read_to_string(directory.join("stat")).ok()?;
    let (head, tail) = stat.rsplit_once(')')?;
    let mut fields = tail.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let line = std::fs::read(directory.join("cmdline")).ok()?;
    let command = match line.strip_suffix(b"\0") {
        Some(line) => String::from_utf8_lossy(line).replace('\0', " "),
        None => format!("[{}", head.split_once('(').map_or("?", |(_, name)| name)) + "]",
    };
    Some(Process { pid, parent, state, command })
}

fn pid(number: u32) -> Result<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw).ok_or_else(|| format!("{number} is no process's number"))
}
