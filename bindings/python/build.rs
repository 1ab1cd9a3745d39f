//! Puts `wasmrt-worker` into the Python package when a wheel is built, and does nothing otherwise.
//!
//! A wheel is built by maturin, which makes the extension module and cannot make an executable beside it. What `WASMRT_WORKER` names is taken, as
//! backend.py says when pip builds; without it the worker is built here, in a target directory of its own, since the outer cargo holds its own.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set by maturin, and by nobody who merely compiles this crate.
const WHEEL: &str = "MATURIN_PYTHON_SYSCONFIGDATA_DIR";
/// Set by tools that build extension modules, maturin among them.
const EXTENSION: &str = "PYO3_BUILD_EXTENSION_MODULE";
const WORKER: &str = "WASMRT_WORKER";
const NAME: &str = "wasmrt-worker";

fn main() -> Result<(), Box<dyn Error>> {
    for variable in [WHEEL, EXTENSION, WORKER] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os(EXTENSION).is_none() && env::var_os(WHEEL).is_none() {
        return Ok(());
    }
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let worker = match env::var_os(WORKER) {
        Some(worker) => PathBuf::from(worker),
        None => build(&here)?,
    };
    println!("cargo::rerun-if-changed={}", worker.display());
    let place = here.join("wasmrt").join(NAME);
    std::fs::copy(&worker, &place)
        .map_err(|error| format!("cannot copy {} to {}: {error}", worker.display(), place.display()))?;
    Ok(())
}

fn build(here: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let output = PathBuf::from(env::var("OUT_DIR")?);
    // .../target/release/build/wasmrt-python-HASH/out: beside what the profiles have.
    let target = output.ancestors().nth(4).unwrap_or(&output).join("worker-for-wheel");
    let runtime = here.join("../../engine-core/runtime/Cargo.toml");
    println!("cargo::rerun-if-changed={}", here.join("../../engine-core").display());
    println!("cargo::rerun-if-changed={}", here.join("../../backends").display());
    let mut command = Command::new(env::var("CARGO")?);
    command.args(["build", "--locked", "--release", "--bin", NAME]);
    // Nobody debugs what lies in a wheel, and it is a third of the size without.
    command.args(["--config", "profile.release.debug=false", "--config", "profile.release.strip='symbols'"]);
    command.arg("--manifest-path").arg(&runtime);
    command.arg("--target-dir").arg(&target);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        // What the outer build says of itself is not meant for this one.
        if text.starts_with("CARGO_FEATURE_")
            || text.starts_with("CARGO_CFG_")
            || text.starts_with("CARGO_PKG_")
            || text == "CARGO_TARGET_DIR"
        {
            command.env_remove(&name);
        }
    }
    let status = command.status()?;
    if !status.success() {
        return Err(format!("{NAME} could not be built: cargo ended with {status}").into());
    }
    Ok(target.join("release").join(NAME))
}
