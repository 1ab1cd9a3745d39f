//! A WebAssembly process of a container as a run of wasmrt.
//!
//! What is not here is the container's own: user, capabilities, namespaces, seccomp, CPU and process counts hold for the worker as for any
//! process in it, and its standard streams are what containerd has connected it to.

use super::annotations::Annotations;
use super::config::{AotMode, Config};
use super::environment::Variables;
use super::limits::limits;
use super::network::policy;
use super::preopens::preopens;
use super::rootfs::Rootfs;
use oci_spec::runtime::{Process, Spec};
use std::path::PathBuf;
use wasmrt_model::units::Bytes;
use wasmrt_model::{AotPolicy, Ceiling, EngineChoice, Entry, Error, ErrorKind, Result, RunSpec};

/// What a process is to be made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The container.
    pub(crate) spec: &'a Spec,
    /// The process: the container's first one, or one that is added to it.
    pub(crate) process: &'a Process,
    /// The container's files.
    pub(crate) rootfs: &'a Rootfs,
    /// Its annotations.
    pub(crate) annotations: &'a Annotations,
    /// The export that the program's name asks for.
    pub(crate) export: Option<&'a str>,
    /// The engine that the shim is named after.
    pub(crate) engine: EngineChoice,
    /// The operator's config.
    pub(crate) config: &'a Config,
}

/// A run, and what the operator has to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Translated {
    /// What to run it as. Its root directory is a preopen, which the host has to be told to allow.
    pub(crate) spec: RunSpec,
    /// What it may have at most.
    pub(crate) ceiling: Ceiling,
    /// When to compile. `spec.aot` is what a run can say of it: to compile beside a run is its caller's to do.
    pub(crate) aot: AotMode,
    /// Whether it may import WASI. When not, a module that does is to be refused.
    pub(crate) enable_wasi: bool,
    /// Where native code is kept.
    pub(crate) cache: PathBuf,
    /// How much of it; None means the cache's own default.
    pub(crate) cache_max_bytes: Option<Bytes>,
}

/// Translates.
///
/// # Errors
/// `InvalidInput` for a spec or annotations that make no sense, `Denied` for annotations that want more than the operator allows.
pub(crate) fn translate(request: Request<'_>) -> Result<Translated> {
    let Request { spec, process, rootfs, annotations, export, engine, config } = request;
    let engine = annotations.engine.unwrap_or(engine);
    let settings = config.settings(engine);
    if settings.require_os_sandbox && annotations.require_os_sandbox == Some(false) {
        return Err(Error::new(
            ErrorKind::Denied,
            "annotation wasmrt.dev/isolation.require-os-sandbox=false: the config has require_os_sandbox = true",
        )
        .with_operation("read annotations")
        .with_hint("leave the annotation out"));
    }
    let args = process.args().clone().unwrap_or_default();
    if args.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "process.args is empty: there is nothing to run")
            .with_operation("read spec"));
    }
    let aot = annotations.aot.unwrap_or(settings.aot);

    let mut run = RunSpec::default();
    run.engine = engine;
    run.require_os_sandbox = annotations.require_os_sandbox.unwrap_or(settings.require_os_sandbox);
    run.aot = match aot {
        AotMode::Auto => AotPolicy::Auto,
        AotMode::Background => AotPolicy::Cached,
        AotMode::Foreground => AotPolicy::Always,
        AotMode::Off => AotPolicy::Never,
    };
    run.optimize = annotations.optimize.or(settings.optimize);
    run.entry = entry(export, &args);
    run.args = args;
    run.env.set = Variables::read(process.env().as_deref().unwrap_or_default())?.into_map();
    if settings.ceiling.preopens {
        let read_only = spec.root().as_ref().and_then(|root| root.readonly()).unwrap_or(false);
        run.preopens = preopens(rootfs, !read_only, process.cwd())?;
    }
    run.network = policy(spec, annotations, &settings);
    if !run.network.is_denied() && !settings.ceiling.network {
        return Err(Error::new(
            ErrorKind::Denied,
            "annotation wasmrt.dev/network.allow: the config's ceiling allows no network rules",
        )
        .with_operation("read annotations"));
    }
    run.limits = limits(spec, process, annotations, &settings)?;
    Ok(Translated {
        spec: run,
        ceiling: settings.ceiling,
        aot,
        enable_wasi: settings.enable_wasi,
        cache: settings.cache,
        cache_max_bytes: settings.cache_max_bytes,
    })
}

/// What is called: an export gets the process's arguments as its own.
fn entry(export: Option<&str>, args: &[String]) -> Entry {
    match export {
        None | Some("_start") => Entry::Start,
        Some(name) => Entry::Invoke { name: name.to_owned(), args: args.get(1..).unwrap_or_default().to_vec() },
    }
}

#[cfg(test)]
mod tests;
