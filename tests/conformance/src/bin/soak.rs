//! Runs one guest many times in one process, as an embedder would, and fails when something is left behind: descriptors, children, files
//! in the cache or the temporary directory, or memory that grows with the number of runs.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use wasmrt_model::{ExitStatus, RunSpec};
use wasmrt_runtime::{CacheConfig, RunOptions, Runtime, RuntimeConfig};

/// What may be left behind.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Left {
    descriptors: usize,
    children: usize,
    files: usize,
}

/// Memory that a process may still grow by once it has warmed up, in KiB: the allocator's own ups and downs.
const GROWTH_KIB: u64 = 1024;

fn main() -> ExitCode {
    match soak() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "soak: {why}");
            ExitCode::FAILURE
        }
    }
}

fn soak() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let (Some(engine), Some(runs), Some(guest)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: soak ENGINE RUNS MODULE".to_owned());
    };
    let runs: u32 = runs.parse().map_err(|_| format!("'{runs}' is no number of runs"))?;
    let module = std::fs::read(&guest).map_err(|error| format!("{guest}: {error}"))?;
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut config = RuntimeConfig::default();
    config.cache = CacheConfig::in_directory(scratch.path().join("cache"));
    let runtime = Runtime::new(config);
    let preopen = scratch.path().join("given");
    std::fs::create_dir(&preopen).map_err(|error| error.to_string())?;
    let spec = RunSpec::from_json(&format!(
        r#"{{"engine": "{engine}", "preopens": [{{"host": "{}", "guest": "/"}}], "stdio": {{"stdin": "null", "stdout": {{"capture": {{}}}}, "stderr": "null"}}}}"#,
        preopen.display()
    ))
    .map_err(|error| error.to_string())?;

    let once = || match runtime.run(&module, &spec, RunOptions::default()) {
        Ok(outcome) if outcome.status == (ExitStatus::Exited { code: 0 }) => Ok(()),
        Ok(outcome) => Err(format!("{:?}", outcome.status)),
        Err(error) => Err(error.to_string()),
    };
    let warm_up = (runs / 10).max(10);
    for _ in 0..warm_up {
        once()?;
    }
    let (before, resident) = (left(scratch.path())?, resident_kib()?);
    for _ in warm_up..runs {
        once()?;
    }
    let (after, now) = (left(scratch.path())?, resident_kib()?);
    let line = format!("{engine}: {runs} runs: {before:?}, {resident} KiB resident; then {after:?}, {now} KiB\n");
    std::io::stdout().write_all(line.as_bytes()).map_err(|error| error.to_string())?;
    if before != after {
        return Err("something is left behind".to_owned());
    }
    if now > resident + GROWTH_KIB {
        return Err(format!("memory grew by {} KiB", now - resident));
    }
    Ok(())
}

fn left(scratch: &Path) -> Result<Left, String> {
    let count = |path: &Path| std::fs::read_dir(path).map(Iterator::count).map_err(|error| error.to_string());
    let children = std::fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id()))
        .map_err(|error| error.to_string())?;
    Ok(Left {
        descriptors: count(Path::new("/proc/self/fd"))?,
        children: children.split_whitespace().count(),
        files: count(&scratch.join("cache"))? + count(&scratch.join("given"))? + count(&std::env::temp_dir())?,
    })
}

fn resident_kib() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok())
        .ok_or_else(|| "/proc/self/status has no VmRSS".to_owned())
}
