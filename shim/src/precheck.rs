//! What of a container's configuration cannot be had, said before libcontainer tries it: it says that something failed, and not what.

use oci_spec::runtime::{PosixRlimitType, Process, Spec};
use wasmrt_model::{Error, ErrorKind, Result};

/// Making a process takes one that makes it.
const FEWEST_PROCESSES: i64 = 2;

/// Descriptors that a process holds for a moment while it is made.
const FEWEST_DESCRIPTORS: u64 = 24;

/// Refuses what cannot be carried out.
///
/// # Errors
/// `Unsupported` for limits below what making a process takes; `PermissionDenied` for a score that this machine lets nobody have.
pub(crate) fn check(spec: &Spec, process: &Process) -> Result<()> {
    processes(spec)?;
    descriptors(process)?;
    score(process)
}

fn processes(spec: &Spec) -> Result<()> {
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    // 0 and -1 are how engines write that there is none.
    let limit =
        resources.and_then(|resources| resources.pids().as_ref()).map(|pids| pids.limit()).filter(|one| *one > 0);
    match limit {
        Some(limit) if limit < FEWEST_PROCESSES => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the container may have {limit} process, and its first one is made by another one"),
        )
        .with_hint(format!("allow {FEWEST_PROCESSES} processes or more (pids limit)"))),
        _ => Ok(()),
    }
}

fn descriptors(process: &Process) -> Result<()> {
    let limits = process.rlimits().iter().flatten();
    let soft =
        limits.filter(|limit| limit.typ() == PosixRlimitType::RlimitNofile).map(|limit| limit.soft()).next_back();
    match soft {
        Some(soft) if soft < FEWEST_DESCRIPTORS => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the process may have {soft} open files, and making it takes {FEWEST_DESCRIPTORS}"),
        )
        .with_hint(format!("allow {FEWEST_DESCRIPTORS} open files or more (rlimit nofile)"))),
        _ => Ok(()),
    }
}

/// Tries it here, in a process that is there for nothing but to make that one, which inherits it.
fn score(process: &Process) -> Result<()> {
    let Some(score) = process.oom_score_adj() else { return Ok(()) };
    std::fs::write("/proc/self/oom_score_adj", score.to_string()).map_err(|source| {
        let error = Error::io(format!("cannot set the process's oom_score_adj to {score}"), source);
        error.with_hint(
            "lowering it takes CAP_SYS_RESOURCE, which the shim does not have: for pods, set restrict_oom_score_adj = true in containerd's configuration",
        )
    })
}

/// What a process does, without the program that engines put before it to pass signals on and reap what is left: here the shim does both.
pub(crate) fn behind_init(arguments: &[String]) -> Option<&[String]> {
    const INIT: &str = "/sbin/docker-init";
    match arguments {
        [init, dashes, rest @ ..] if init == INIT && dashes == "--" && !rest.is_empty() => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(pids: i64, files: u64) -> (Spec, Process) {
        let spec: Spec = serde_json::from_value(json!({
            "ociVersion": "1.0.2",
            "linux": { "resources": { "pids": { "limit": pids } } },
        }))
        .unwrap();
        let process: Process = serde_json::from_value(json!({
            "user": { "uid": 0, "gid": 0 },
            "cwd": "/",
            "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": files, "hard": files }],
        }))
        .unwrap();
        (spec, process)
    }

    #[test]
    fn limits_that_make_no_process_are_refused_by_name() {
        for (pids, files, word) in [(1, 1024, "processes"), (2, 3, "open files"), (0, 23, "open files")] {
            let (spec, process) = spec(pids, files);
            let error = check(&spec, &process).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
        for (pids, files) in [(2, 24), (0, 1024), (-1, 1024)] {
            let (spec, process) = spec(pids, files);
            check(&spec, &process).unwrap();
        }
    }

    #[test]
    fn an_init_is_one_that_says_what_it_starts() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(behind_init(&words("/sbin/docker-init -- /app.wasm x")), Some(&words("/app.wasm x")[..]));
        for other in ["/app.wasm", "/sbin/docker-init --", "/sbin/docker-init /app.wasm", "/sbin/tini -- /app.wasm"] {
            assert_eq!(behind_init(&words(other)), None, "{other}");
        }
    }
}
