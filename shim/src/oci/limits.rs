//! A container's limits: what its annotations ask for, else what the config gives, and never more than its cgroup and rlimits have.

use super::annotations::Annotations;
use super::config::Settings;
use oci_spec::runtime::{PosixRlimitType, Process, Spec};
use std::time::Duration;
use wasmrt_model::limits::Limit;
use wasmrt_model::units::{Bytes, Count, Span};
use wasmrt_model::{Error, ErrorKind, Limits, LimitsSpec, Result};

/// A guest with less memory than a page has none.
const PAGE: Bytes = Bytes(64 << 10);

/// The limits to ask for.
///
/// # Errors
/// `Denied` for an annotation above the ceiling; `InvalidInput` for a memory limit that leaves the guest nothing, with the least that would.
pub(super) fn limits(
    spec: &Spec,
    process: &Process,
    annotations: &Annotations,
    settings: &Settings,
) -> Result<LimitsSpec> {
    let ceiling = &settings.ceiling.limits;
    for (annotation, asked) in &annotations.limits {
        Limits::resolve(asked, ceiling).map_err(|error| {
            Error::new(error.kind(), format!("annotation {annotation}: {}", error.message()))
                .with_operation("read annotations")
        })?;
    }
    let mut limits = annotations.all_limits().or(settings.defaults.at_most(ceiling));
    if let Some(room) = memory_of_cgroup(spec, settings.memory_reserve)? {
        limits.memory_bytes = Some(tighter(limits.memory_bytes, Limit::At(room)).min(ceiling.memory_bytes));
    }
    if let Some(files) = soft_rlimit(process, PosixRlimitType::RlimitNofile) {
        limits.open_files = Some(tighter(limits.open_files, Limit::At(Count(files))).min(ceiling.open_files));
    }
    if let Some(seconds) = soft_rlimit(process, PosixRlimitType::RlimitCpu) {
        // The kernel takes 0 for 1, too.
        let time = Span(Duration::from_secs(seconds.max(1)));
        limits.cpu_time = Some(tighter(limits.cpu_time, Limit::At(time)).min(ceiling.cpu_time));
    }
    Ok(limits)
}

/// Of what was asked for and what there is. What was not asked for gets all that there is.
fn tighter<T: Copy + Ord>(asked: Option<Limit<T>>, there_is: Limit<T>) -> Limit<T> {
    asked.map_or(there_is, |asked| asked.min(there_is))
}

/// What the container's cgroup has for its guest; None when it has no limit.
fn memory_of_cgroup(spec: &Spec, reserve: Bytes) -> Result<Option<Bytes>> {
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    let limit = resources.and_then(|resources| resources.memory().as_ref()).and_then(|memory| memory.limit());
    // 0 and -1 are how engines write that there is none.
    let limit = limit.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
    let unified = resources.and_then(|resources| resources.unified().as_ref()).and_then(|keys| keys.get("memory.max"));
    let unified = match unified.map(|text| text.trim()) {
        None | Some("max") => None,
        Some(text) => Some(text.parse::<u64>().map_err(|_| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("linux.resources.unified has memory.max = '{}'", text.escape_debug()),
            )
            .with_operation("read spec")
            .with_hint("it is a number of bytes, or max")
        })?),
    };
    let Some(limit) = limit.into_iter().chain(unified).min() else { return Ok(None) };
    match limit.checked_sub(reserve.0).filter(|room| *room >= PAGE.0) {
        Some(room) => Ok(Some(Bytes(room))),
        None => Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "a memory limit of {} leaves nothing for the guest: {reserve} of it are for the engine and its host",
                Bytes(limit)
            ),
        )
        .with_operation("read spec")
        .with_hint(format!("the least is {}", Bytes(reserve.0.saturating_add(PAGE.0))))),
    }
}

/// The soft limit, but for one that is infinite.
fn soft_rlimit(process: &Process, which: PosixRlimitType) -> Option<u64> {
    let rlimits = process.rlimits().as_ref()?;
    rlimits
        .iter()
        .rev()
        .find(|rlimit| rlimit.typ() == which)
        .map(|rlimit| rlimit.soft())
        .filter(|soft| *soft != u64::MAX)
}

#[cfg(test)]
mod tests;
