//! What this machine has of what wasmrt uses, and what to do about the rest.

use crate::Runtime;
use serde::Serialize;
use std::path::Path;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// As it should be.
    Good,
    /// wasmrt works, but something is slower, weaker or missing.
    Degraded,
    /// wasmrt does not work.
    Broken,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What it is.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// What was found.
    pub found: String,
    /// What to do about it, when something is to be done.
    pub fix: Option<String>,
}

impl Check {
    fn good(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), health: Health::Good, found: found.into(), fix: None }
    }

    fn bad(name: &str, health: Health, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.to_owned(), health, found: found.into(), fix: Some(fix.into()) }
    }
}

/// Looks at everything. Changes nothing but that the cache directory is made when it is not there.
#[must_use]
pub fn examine(runtime: &Runtime) -> Vec<Check> {
    let mut checks = engines(runtime);
    checks.push(cache(runtime));
    checks.push(cgroups());
    checks.push(landlock());
    checks.push(seccomp());
    checks.push(namespaces());
    checks.push(pidfds());
    checks.push(worker());
    checks
}

fn engines(runtime: &Runtime) -> Vec<Check> {
    let statuses = runtime.engines();
    let any = statuses.iter().any(|status| status.capabilities.is_ok());
    statuses
        .into_iter()
        // What was left out when this was built is no fault of the machine's, unless nothing was left in.
        .filter(|status| !any || runtime.has_backend(status.name))
        .map(|status| {
            let name = format!("engine {}", status.name);
            match status.capabilities {
                Ok(capabilities) => {
                    let place =
                        capabilities.path.map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
                    Check::good(&name, format!("{} ({place})", capabilities.version))
                }
                Err(error) => {
                    let health = if any { Health::Degraded } else { Health::Broken };
                    Check::bad(
                        &name,
                        health,
                        error.message(),
                        error.hint().unwrap_or("install it, or use another engine"),
                    )
                }
            }
        })
        .collect()
}

fn cache(runtime: &Runtime) -> Check {
    const NAME: &str = "artifact cache";
    match runtime.cache() {
        Ok(cache) => {
            let entries = cache.entries().unwrap_or_default();
            let bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
            let most = crate::model::units::Bytes(cache.max_bytes());
            let found =
                format!("{}: {} entries, {bytes} bytes of at most {most}", cache.path().display(), entries.len());
            Check::good(NAME, found)
        }
        Err(error) => {
            let fix = error.hint().unwrap_or("set WASMRT_CACHE_DIR to a directory of your own").to_owned();
            Check::bad(NAME, Health::Degraded, error.to_string(), fix)
        }
    }
}

fn cgroups() -> Check {
    const NAME: &str = "cgroups";
    let mounted = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers");
    if let Ok(controllers) = std::fs::read_to_string(unified) {
        return Check::good(NAME, format!("v2 with {}", controllers.trim()));
    }
    if mounted.lines().any(|line| line.contains(":memory:")) {
        return Check::good(NAME, "v1 with a memory controller");
    }
    Check::bad(
        NAME,
        Health::Degraded,
        "no memory controller",
        "mount cgroups; until then a worker's memory is capped by RLIMIT_DATA alone",
    )
}

fn landlock() -> Check {
    const NAME: &str = "Landlock";
    let active = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    match crate::process::landlock_abi() {
        Some(version) => Check::good(NAME, format!("ABI {version}")),
        None if active.is_empty() => Check::bad(
            NAME,
            Health::Degraded,
            "not in this kernel",
            "use a kernel with CONFIG_SECURITY_LANDLOCK (5.13 or later)",
        ),
        None => Check::bad(
            NAME,
            Health::Degraded,
            format!("not among the active modules ({})", active.trim()),
            "boot with lsm=landlock,...",
        ),
    }
}

fn seccomp() -> Check {
    const NAME: &str = "seccomp";
    match std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail") {
        Ok(actions) => Check::good(NAME, actions.trim()),
        Err(_) => Check::bad(NAME, Health::Degraded, "not in this kernel", "use a kernel with CONFIG_SECCOMP_FILTER"),
    }
}

fn namespaces() -> Check {
    const NAME: &str = "namespaces";
    let has = |name: &&str| Path::new("/proc/self/ns").join(name).exists();
    let (present, absent): (Vec<&str>, Vec<&str>) =
        ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"].into_iter().partition(has);
    if absent.is_empty() {
        return Check::good(NAME, present.join(", "));
    }
    Check::bad(
        NAME,
        Health::Degraded,
        format!("without {}", absent.join(", ")),
        "containers need them; single runs do not",
    )
}

/// A command line forks by itself; only programs that embed guests need it.
fn worker() -> Check {
    const NAME: &str = "wasmrt-worker";
    match crate::find_worker(None) {
        Ok(path) => Check::good(NAME, path.display().to_string()),
        Err(error) => Check::bad(
            NAME,
            Health::Degraded,
            format!("{}; only programs that embed guests need it", error.message()),
            error.hint().unwrap_or("install it"),
        ),
    }
}

fn pidfds() -> Check {
    const NAME: &str = "process descriptors";
    match rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()) {
        Ok(_) => Check::good(NAME, "pidfd_open works"),
        Err(errno) => Check::bad(NAME, Health::Broken, errno.to_string(), "use Linux 5.3 or later"),
    }
}
