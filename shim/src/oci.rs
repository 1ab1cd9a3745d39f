//! From what containerd hands over to what wasmrt runs: an OCI spec, annotations and the operator's config become a `RunSpec` and its ceiling.
//!
//! Owns reading and translating. It starts nothing, mounts nothing and makes no cgroup: that is the container's life, and others' business.
//!
//! The way: [`engine_of_binary`] and [`Config::load`] once; for each container [`Rootfs::of_bundle`] (for an exec [`Rootfs::of_running`]), then
//! [`Process`], [`Annotations`], [`Rootfs::find_program`], and [`translate`] for what is WebAssembly.

mod annotations;
mod config;
mod engine;
mod environment;
mod limits;
mod network;
mod preopens;
mod program;
mod rootfs;
mod server;
mod translate;
mod walk;

#[cfg(test)]
mod specs;

pub(crate) use annotations::{Annotations, PREFIX};
pub(crate) use config::{AotMode, Config};
pub(crate) use engine::engine_of_binary;
pub(crate) use environment::{DEFAULT_PATH, Variables};
pub(crate) use program::{FIND_PROGRAM, Program, ProgramKind, split_export};
pub(crate) use rootfs::Rootfs;
pub(crate) use translate::{Request, Translated, translate};
