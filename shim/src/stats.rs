//! What a container uses, as containerd takes it: in the shape of the version of control groups that the machine has.

mod unified;

use crate::cgroup::Cgroup;
use crate::failure::with_causes;
use containerd_shim::protos::cgroups::metrics as v1;
use containerd_shim::protos::protobuf::well_known_types::any::Any;
use containerd_shim::protos::protobuf::{MessageField, MessageFull};
use libcgroups::common::{CgroupManager, CgroupSetup, get_cgroup_setup};
use libcgroups::stats::{MemoryData, Stats};
use wasmrt_model::Result;

/// # Errors
/// `Internal` when the control group cannot be read.
pub(crate) fn of(cgroup: &Cgroup) -> Result<Any> {
    let setup = get_cgroup_setup().map_err(|error| with_causes("cannot tell control groups apart", &error))?;
    match setup {
        CgroupSetup::Unified => packed(&unified::metrics(&cgroup.directory()?)?, "io.containerd.cgroups.v2.Metrics"),
        CgroupSetup::Hybrid | CgroupSetup::Legacy => {
            let stats = cgroup.manage(|manager| {
                manager.stats().map_err(|error| with_causes("cannot read what the container uses", &error))
            })?;
            packed(&legacy(&stats), "io.containerd.cgroups.v1.Metrics")
        }
    }
}

fn packed(metrics: &impl MessageFull, type_url: &str) -> Result<Any> {
    let value =
        metrics.write_to_bytes().map_err(|error| with_causes("cannot write down what the container uses", &error))?;
    Ok(Any { type_url: type_url.to_owned(), value, ..Any::default() })
}

/// Nanoseconds and bytes.
fn legacy(stats: &Stats) -> v1::Metrics {
    let number = |name: &str| stats.memory.stats.get(name).copied().unwrap_or_default();
    let entry = |data: &MemoryData| {
        MessageField::some(v1::MemoryEntry {
            limit: data.limit,
            usage: data.usage,
            max: data.max_usage,
            failcnt: data.fail_count,
            ..v1::MemoryEntry::default()
        })
    };
    let memory = v1::MemoryStat {
        cache: number("cache"),
        rss: number("rss"),
        rss_huge: number("rss_huge"),
        mapped_file: number("mapped_file"),
        dirty: number("dirty"),
        writeback: number("writeback"),
        pg_pg_in: number("pgpgin"),
        pg_pg_out: number("pgpgout"),
        pg_fault: number("pgfault"),
        pg_maj_fault: number("pgmajfault"),
        inactive_anon: number("inactive_anon"),
        active_anon: number("active_anon"),
        inactive_file: number("inactive_file"),
        active_file: number("active_file"),
        unevictable: number("unevictable"),
        hierarchical_memory_limit: number("hierarchical_memory_limit"),
        hierarchical_swap_limit: number("hierarchical_memsw_limit"),
        total_cache: number("total_cache"),
        total_rss: number("total_rss"),
        total_rss_huge: number("total_rss_huge"),
        total_mapped_file: number("total_mapped_file"),
        total_pg_fault: number("total_pgfault"),
        total_pg_maj_fault: number("total_pgmajfault"),
        total_inactive_anon: number("total_inactive_anon"),
        total_active_anon: number("total_active_anon"),
        total_inactive_file: number("total_inactive_file"),
        total_active_file: number("total_active_file"),
        total_unevictable: number("total_unevictable"),
        usage: entry(&stats.memory.memory),
        swap: entry(&stats.memory.memswap),
        kernel: entry(&stats.memory.kernel),
        kernel_tcp: entry(&stats.memory.kernel_tcp),
        ..v1::MemoryStat::default()
    };
    let usage = v1::CPUUsage {
        total: stats.cpu.usage.usage_total,
        kernel: stats.cpu.usage.usage_kernel,
        user: stats.cpu.usage.usage_user,
        per_cpu: stats.cpu.usage.per_core_usage_total.clone(),
        ..v1::CPUUsage::default()
    };
    let throttling = v1::Throttle {
        periods: stats.cpu.throttling.periods,
        throttled_periods: stats.cpu.throttling.throttled_periods,
        throttled_time: stats.cpu.throttling.throttled_time,
        ..v1::Throttle::default()
    };
    v1::Metrics {
        memory: MessageField::some(memory),
        cpu: MessageField::some(v1::CPUStat {
            usage: MessageField::some(usage),
            throttling: MessageField::some(throttling),
            ..v1::CPUStat::default()
        }),
        pids: MessageField::some(v1::PidsStat {
            current: stats.pids.current,
            limit: stats.pids.limit,
            ..v1::PidsStat::default()
        }),
        ..v1::Metrics::default()
    }
}
