//! Control groups that systemd makes, as Kubernetes has it: where they are, and what it is told of them.
//!
//! The first process of a scope is the one that has libcontainer make the container: it is in the group already then, and libcontainer finds a group
//! like any other, whose limits it sets. Systemd is told of these, since it would lift what it does not know when it reads its units again.

use super::bus::{Arguments, Missed, Systemd, Value};
use crate::failure::with_causes;
use libcgroups::common::{CgroupSetup, get_cgroup_setup};
use oci_spec::runtime::Spec;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wasmrt_model::{Error, ErrorKind, Result};

/// Where systemd says that it runs.
const RUNS: &str = "/run/systemd/system";

/// The slice of what names none.
const SYSTEM: &str = "system.slice";

const SLICE: &str = ".slice";
const SCOPE: &str = ".scope";

/// How long systemd may take to do what it has agreed to.
const DONE_WITHIN: Duration = Duration::from_secs(30);

/// How long systemd may take to forget a unit.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What a group has in files, and a unit in settings.
const FIGURES: [(&str, &str); 7] = [
    ("memory.min", "MemoryMin"),
    ("memory.low", "MemoryLow"),
    ("memory.high", "MemoryHigh"),
    ("memory.max", "MemoryMax"),
    ("memory.swap.max", "MemorySwapMax"),
    ("pids.max", "TasksMax"),
    ("cpu.weight", "CPUWeight"),
];

const LISTS: [(&str, &str); 2] = [("cpuset.cpus", "AllowedCPUs"), ("cpuset.mems", "AllowedMemoryNodes")];

const MICROSECONDS: u64 = 1_000_000;

/// Whether a path is one of systemd's: `slice:prefix:name`.
pub(super) fn is_of_systemd(path: &str) -> bool {
    path.matches(':').count() == 2 && !path.starts_with('/')
}

/// Looks at the group that a container is to have. Systemd makes it when that is asked for by the shape of its path; an absolute one is nobody's but the
/// caller's, whatever the runtime's options say.
///
/// # Errors
/// `InvalidInput` for a path that systemd does not take, `Unsupported` where there is no systemd that could be asked: a group elsewhere would not be
/// held to the limits of its slice.
pub(super) fn check(spec: &Spec, options: bool) -> Result<()> {
    let path = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_ref());
    let path = path.and_then(|path| path.to_str()).unwrap_or_default();
    if !is_of_systemd(path) {
        if options && !path.starts_with('/') {
            return Err(no_path(path));
        }
        return Ok(());
    }
    below_root(path)?;
    let unsupported = |why: &str| {
        let error =
            Error::new(ErrorKind::Unsupported, format!("systemd cannot make the control group '{path}': {why}"));
        error.with_hint("set SystemdCgroup = false for this runtime, and the cgroup driver of the kubelet to cgroupfs")
    };
    let setup = get_cgroup_setup().map_err(|error| with_causes("cannot tell control groups apart", &error))?;
    if !matches!(setup, CgroupSetup::Unified) {
        return Err(unsupported("that takes version 2 control groups, which this machine does not have alone"));
    }
    if !Path::new(RUNS).is_dir() {
        return Err(unsupported(&format!("it does not run here, there is no {RUNS}")));
    }
    Ok(())
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
    let own = group_of("1").unwrap_or_default();
    let root = own.strip_suffix("/init.scope").unwrap_or(&own);
    PathBuf::from(if root.is_empty() { "/" } else { root })
}

/// The slices that a slice's name says it is in, and the unit.
fn below_root(path: &str) -> Result<PathBuf> {
    let wrong = || no_path(path);
    let (slice, unit) = unit(path).ok_or_else(wrong)?;
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
    place.push(unit);
    Ok(place)
}

/// The slice and the unit of a path. A container's group is never a slice itself.
fn unit(path: &str) -> Option<(&str, String)> {
    let mut parts = path.split(':');
    let (slice, prefix, name) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || name.is_empty() || name.ends_with(SLICE) || path.contains('/') {
        return None;
    }
    Some((if slice.is_empty() { SYSTEM } else { slice }, format!("{prefix}-{name}{SCOPE}")))
}

/// The unit that a group is, whoever has made it.
pub(super) fn unit_at(place: &Path) -> Option<&str> {
    let name = place.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(SCOPE))?;
    Path::new(RUNS).is_dir().then_some(name)
}

/// Has systemd make a container's group, with this process in it, and waits until it is.
pub(super) fn start(path: &str, container: &str) -> Result<()> {
    let (slice, unit) = unit(path).ok_or_else(|| no_path(path))?;
    let properties = [
        ("Description", Value::Text(format!("wasmrt container {container}"))),
        ("Slice", Value::Text(slice.to_owned())),
        ("Delegate", Value::Flag(true)),
        ("CPUAccounting", Value::Flag(true)),
        ("IOAccounting", Value::Flag(true)),
        ("MemoryAccounting", Value::Flag(true)),
        ("TasksAccounting", Value::Flag(true)),
        ("DefaultDependencies", Value::Flag(false)),
        // Nobody looks at how it ended.
        ("CollectMode", Value::Text("inactive-or-failed".to_owned())),
        ("PIDs", Value::Processes(vec![std::process::id()])),
    ];
    let mut systemd = Systemd::connect()?;
    let until = Instant::now() + GONE_WITHIN;
    loop {
        let arguments = Arguments::default().text(&unit).text("fail").properties(&properties).nothing_else();
        match systemd.call("StartTransientUnit", arguments) {
            // One of this name that was removed, most likely.
            Err(Missed::Refused(name, _)) if name.ends_with(".UnitExists") && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => break done.map_err(Error::from)?,
        }
    }
    let until = Instant::now() + DONE_WITHIN;
    let end = format!("/{unit}");
    // It answers when it has agreed.
    while !own_group()?.ends_with(&end) {
        if Instant::now() > until {
            return Err(Error::new(ErrorKind::Internal, format!("systemd does not make the control group '{path}'")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The group that this process is in, from the root of all groups.
pub(super) fn own_group() -> Result<String> {
    group_of("self").map_err(|source| Error::io("cannot find the own control group", source))
}

fn group_of(process: &str) -> std::io::Result<String> {
    let groups = std::fs::read_to_string(format!("/proc/{process}/cgroup"))?;
    Ok(groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned())
}

/// Has systemd forget a unit whose group is gone. It would notice that by itself, so nothing is lost when it cannot be told.
pub(super) fn stop(unit: &str) {
    let arguments = Arguments::default().text(unit).text("replace");
    let _ = Systemd::connect().map(|mut systemd| systemd.call("StopUnit", arguments));
}

/// Tells systemd of a group's limits.
pub(super) fn tell(unit: &str, group: &Path) -> Result<()> {
    let arguments = Arguments::default().text(unit).flag(true).properties(&limits(group)?);
    Systemd::connect()?.call("SetUnitProperties", arguments).map_err(Error::from)
}

/// A group's limits as systemd calls them. What the kernel has no file for has no limit.
fn limits(group: &Path) -> Result<Vec<(&'static str, Value)>> {
    let text = |file: &str| std::fs::read_to_string(group.join(file)).unwrap_or_default();
    let number = |text: &str| if text.trim() == "max" { Some(u64::MAX) } else { text.trim().parse().ok() };
    let mut limits = Vec::new();
    for (file, name) in FIGURES {
        // A group that only gets what others leave has no weight.
        let figure = number(&text(file)).filter(|figure| *figure > 0 || file != "cpu.weight");
        limits.extend(figure.map(|figure| (name, Value::Number(figure))));
    }
    let maximum = text("cpu.max");
    let maximum = maximum.split_once(' ').and_then(|(quota, period)| number(quota).zip(number(period)));
    if let Some((quota, period)) = maximum.filter(|(_, period)| *period > 0) {
        let each_second = if quota == u64::MAX { quota } else { quota.saturating_mul(MICROSECONDS) / period };
        limits.push(("CPUQuotaPerSecUSec", Value::Number(each_second)));
        limits.push(("CPUQuotaPeriodUSec", Value::Number(period)));
    }
    for (file, name) in LISTS {
        let list = text(file);
        if !list.trim().is_empty() {
            limits.push((name, Value::Bytes(mask(list.trim())?)));
        }
    }
    Ok(limits)
}

/// `0-2,5` as bits, the first of the first byte for 0.
fn mask(list: &str) -> Result<Vec<u8>> {
    let wrong = || Error::new(ErrorKind::InvalidInput, format!("'{list}' is no list of processors or memory nodes"));
    let mut bits = Vec::new();
    for range in list.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.trim().parse::<u16>().map(usize::from).map_err(|_| wrong());
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(wrong());
        }
        bits.resize(bits.len().max(last / 8 + 1), 0);
        for bit in first..=last {
            if let Some(byte) = bits.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
    Ok(bits)
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
        ] {
            assert_eq!(below_root(path).unwrap(), Path::new(place), "{path}");
        }
        let wrong = ["system:a:b", ".slice:a:b", "a--b.slice:x:y", "-a.slice:x:y", "a.slice:x:", "a.slice:..:/b"];
        for path in wrong.into_iter().chain(["a:b", "a.slice:b:c:d", "a.slice:b:c.slice"]) {
            assert!(below_root(path).is_err(), "{path}");
        }
    }

    #[test]
    fn systemd_is_told_of_limits_in_its_own_words() {
        let group = tempfile::tempdir().unwrap();
        assert_eq!(limits(group.path()).unwrap(), []);
        let files = [
            ("memory.max", "1048576\n"),
            ("memory.high", "max\n"),
            ("pids.max", "7\n"),
            ("cpu.weight", "0\n"),
            ("cpu.max", "50000 200000\n"),
            ("cpuset.cpus", "0-2,9\n"),
            ("cpuset.mems", "\n"),
        ];
        for (file, text) in files {
            std::fs::write(group.path().join(file), text).unwrap();
        }
        let number = |name, number| (name, Value::Number(number));
        let expected = [
            number("MemoryHigh", u64::MAX),
            number("MemoryMax", 1 << 20),
            number("TasksMax", 7),
            number("CPUQuotaPerSecUSec", 250_000),
            number("CPUQuotaPeriodUSec", 200_000),
            ("AllowedCPUs", Value::Bytes(vec![7, 2])),
        ];
        assert_eq!(limits(group.path()).unwrap(), expected);
        std::fs::write(group.path().join("cpu.max"), "max 100000\n").unwrap();
        assert!(limits(group.path()).unwrap().contains(&number("CPUQuotaPerSecUSec", u64::MAX)));
        for wrong in ["3-1", "a", "1-", "99999999"] {
            assert!(mask(wrong).is_err(), "{wrong}");
        }
    }
}
