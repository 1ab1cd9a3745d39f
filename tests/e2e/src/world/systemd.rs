//! A world whose first process is systemd, as on machines of today: it makes the control groups of containers when it is asked to.

use super::init;
use crate::{Result, failed};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The program, where every distribution has it.
pub(super) const PROGRAM: &str = "/usr/lib/systemd/systemd";

/// What it reaches in a world.
pub(super) const TARGET: &str = "wasmrt-e2e.target";

/// What programs run that it starts by itself, mostly to make units of things that no world has.
const GENERATORS: &str = "/usr/lib/systemd/system-generators";

/// Without the usual dependencies, which are a machine's: file systems, logs, consoles.
const UNITS: &[(&str, &str)] = &[
    (TARGET, "[Unit]\nDefaultDependencies=no\n"),
    ("dbus.socket", "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/dbus/system_bus_socket\n"),
    (
        "dbus.service",
        "[Unit]\nDefaultDependencies=no\nRequires=dbus.socket\nAfter=dbus.socket\n[Service]\nType=notify\nNotifyAccess=main\n\
         ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation\nOOMScoreAdjust=0\n",
    ),
];

/// Leaves the world's requests to a child, and becomes systemd. Returns only when that failed.
pub(super) fn become_it() -> Result<()> {
    init::place("tmpfs", Path::new(GENERATORS), "tmpfs", "mode=755")?;
    let directory = Path::new("/etc/systemd/system");
    fs::create_dir_all(directory).map_err(failed(directory.display()))?;
    for (name, text) in UNITS {
        let unit = directory.join(name);
        fs::write(&unit, text).map_err(failed(unit.display()))?;
    }
    // It takes the group that it is in for the root of all, and the processes in it for its own.
    crate::eventually(Duration::from_secs(10), || {
        let inside = fs::read_to_string("/sys/fs/cgroup/cgroup.procs").map_err(failed("cgroup.procs"))?;
        let strangers = inside.lines().any(|pid| pid == "0");
        if strangers { Err("whoever made this world is still in its control group".to_owned()) } else { Ok(()) }
    })?;
    let exe = std::env::current_exe().map_err(failed("this program's file"))?;
    let mut child = Command::new(exe).arg(init::SERVING).spawn().map_err(failed("a world's server"))?;
    // Modules of the kernel are the machine's, and it would complain of every one that is missing.
    let error = Command::new("setpriv")
        .args(["--bounding-set", "-sys_module", "--", PROGRAM])
        .args(["--system", "--log-target=null", "--show-status=no", "--unit", TARGET])
        .env_clear()
        // It is not to take a world for a machine.
        .env("container", "wasmrt-e2e")
        .env("PATH", super::PATH)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .exec();
    let _ = child.kill().and_then(|()| child.wait());
    Err(format!("{PROGRAM}: {error}"))
}
