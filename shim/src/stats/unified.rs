//! What a version 2 control group says of itself: microseconds and bytes.
//!
//! The library that makes groups reads these files too, and fails where the machine has no pressure stall information or a controller is switched
//! off, which is common. A file that is not there is a figure that nobody has.

use containerd_shim::protos::cgroups_v2::metrics::{
    CPUStat, IOEntry, IOStat, MemoryEvents, MemoryStat, Metrics, PidsStat,
};
use containerd_shim::protos::protobuf::MessageField;
use std::collections::BTreeMap;
use std::path::Path;
use wasmrt_model::{Error, Result};

/// # Errors
/// When there is no such group.
pub(super) fn metrics(group: &Path) -> Result<Metrics> {
    // Every group has this one, whatever the controllers.
    let cpu = std::fs::read_to_string(group.join("cpu.stat"))
        .map_err(|source| Error::io("cannot read what the container uses", source))?;
    Ok(Metrics {
        pids: MessageField::some(PidsStat {
            current: number(group, "pids.current"),
            limit: number(group, "pids.max"),
            ..PidsStat::default()
        }),
        cpu: MessageField::some(processor(&Table::of(&cpu))),
        memory: MessageField::some(memory(group)),
        io: MessageField::some(IOStat { usage: devices(&text(group, "io.stat")), ..IOStat::default() }),
        memory_events: MessageField::some(memory_events(&Table::of(&text(group, "memory.events")))),
        ..Metrics::default()
    })
}

fn processor(table: &Table<'_>) -> CPUStat {
    CPUStat {
        usage_usec: table.get("usage_usec"),
        user_usec: table.get("user_usec"),
        system_usec: table.get("system_usec"),
        nr_periods: table.get("nr_periods"),
        nr_throttled: table.get("nr_throttled"),
        throttled_usec: table.get("throttled_usec"),
        nr_bursts: table.get("nr_bursts"),
        burst_usec: table.get("burst_usec"),
        ..CPUStat::default()
    }
}

fn memory(group: &Path) -> MemoryStat {
    let text = text(group, "memory.stat");
    let table = Table::of(&text);
    MemoryStat {
        anon: table.get("anon"),
        file: table.get("file"),
        kernel_stack: table.get("kernel_stack"),
        slab: table.get("slab"),
        sock: table.get("sock"),
        shmem: table.get("shmem"),
        file_mapped: table.get("file_mapped"),
        file_dirty: table.get("file_dirty"),
        file_writeback: table.get("file_writeback"),
        anon_thp: table.get("anon_thp"),
        inactive_anon: table.get("inactive_anon"),
        active_anon: table.get("active_anon"),
        inactive_file: table.get("inactive_file"),
        active_file: table.get("active_file"),
        unevictable: table.get("unevictable"),
        slab_reclaimable: table.get("slab_reclaimable"),
        slab_unreclaimable: table.get("slab_unreclaimable"),
        pgfault: table.get("pgfault"),
        pgmajfault: table.get("pgmajfault"),
        workingset_nodereclaim: table.get("workingset_nodereclaim"),
        pgrefill: table.get("pgrefill"),
        pgscan: table.get("pgscan"),
        pgsteal: table.get("pgsteal"),
        pgactivate: table.get("pgactivate"),
        pgdeactivate: table.get("pgdeactivate"),
        pglazyfree: table.get("pglazyfree"),
        pglazyfreed: table.get("pglazyfreed"),
        thp_fault_alloc: table.get("thp_fault_alloc"),
        thp_collapse_alloc: table.get("thp_collapse_alloc"),
        usage: number(group, "memory.current"),
        usage_limit: number(group, "memory.max"),
        max_usage: number(group, "memory.peak"),
        swap_usage: number(group, "memory.swap.current"),
        swap_limit: number(group, "memory.swap.max"),
        swap_max_usage: number(group, "memory.swap.peak"),
        ..MemoryStat::default()
    }
}

fn memory_events(table: &Table<'_>) -> MemoryEvents {
    MemoryEvents {
        low: table.get("low"),
        high: table.get("high"),
        max: table.get("max"),
        oom: table.get("oom"),
        oom_kill: table.get("oom_kill"),
        oom_group_kill: table.get("oom_group_kill"),
        ..MemoryEvents::default()
    }
}

/// A device a line: `8:0 rbytes=1 wbytes=2 rios=3 wios=4`.
fn devices(text: &str) -> Vec<IOEntry> {
    let device = |line: &str| {
        let (number, rest) = line.split_once(' ')?;
        let (major, minor) = number.split_once(':')?;
        let table = Table(rest.split(' ').filter_map(|pair| pair.split_once('=')).collect());
        Some(IOEntry {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            rbytes: table.get("rbytes"),
            wbytes: table.get("wbytes"),
            rios: table.get("rios"),
            wios: table.get("wios"),
            ..IOEntry::default()
        })
    };
    text.lines().filter_map(device).collect()
}

/// Figures by their names.
struct Table<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Table<'a> {
    /// A name and a figure a line.
    fn of(text: &'a str) -> Self {
        Self(text.lines().filter_map(|line| line.split_once(' ')).collect())
    }

    fn get(&self, name: &str) -> u64 {
        self.0.get(name).and_then(|figure| figure.parse().ok()).unwrap_or_default()
    }
}

fn text(group: &Path, file: &str) -> String {
    std::fs::read_to_string(group.join(file)).unwrap_or_default()
}

/// The one figure of a file; `max` is what nothing exceeds.
fn number(group: &Path, file: &str) -> u64 {
    let text = text(group, file);
    if text.trim() == "max" { u64::MAX } else { text.trim().parse().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_has_is_told_and_what_it_lacks_is_not() {
        let group = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(group.path().join(name), text).unwrap();
        assert!(metrics(group.path()).is_err());
        write("cpu.stat", "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n");
        write("memory.current", "4096\n");
        write("memory.max", "max\n");
        write("memory.stat", "anon 100\nfile 200\n");
        write("memory.events", "oom 2\noom_kill 1\n");
        write("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5\n8:16 \n");
        let told = metrics(group.path()).unwrap();
        assert_eq!((told.cpu.usage_usec, told.cpu.system_usec, told.cpu.nr_periods), (1500, 500, 0));
        assert_eq!((told.memory.usage, told.memory.usage_limit), (4096, u64::MAX));
        assert_eq!((told.memory.anon, told.memory.file, told.memory.swap_usage), (100, 200, 0));
        assert_eq!((told.memory_events.oom, told.memory_events.oom_kill), (2, 1));
        assert_eq!((told.pids.current, told.pids.limit), (0, 0));
        let [first, second] = told.io.usage.as_slice() else { panic!("{:?}", told.io.usage) };
        assert_eq!((first.major, first.minor, first.rbytes, first.wios), (8, 0, 1, 4));
        assert_eq!((second.minor, second.rbytes), (16, 0));
    }
}
