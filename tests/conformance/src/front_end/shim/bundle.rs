//! A case as containerd would hand it over: a directory with a root file system and a configuration.

use super::super::{Stage, cache_directory};
use crate::Result;
use crate::case::Case;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the shim keeps annotations of its own.
const PREFIX: &str = "wasmrt.dev/";

/// A container that can be made.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) id: String,
    pub(super) directory: PathBuf,
    /// The operator's file.
    pub(super) settings: PathBuf,
}

/// Whether a container can ask for all that the case does. What it cannot: preopens under the numbers that a case counts on (a container has its
/// root as well), calls of exports whose results somebody reads, ports under another number, files of the case, and what a run's spec alone knows.
pub(super) fn takes(case: &Case) -> bool {
    let header = &case.header;
    let network = |value: &Value| fields(value).is_some_and(|network| network.keys().all(|key| key == "allow"));
    let environment = |value: &Value| fields(value).is_some_and(|env| env.keys().all(|key| key == "set"));
    let is_known = |(key, value): (&String, &Value)| match key.as_str() {
        "limits" | "args" => true,
        "network" => network(value),
        "env" => environment(value),
        _ => false,
    };
    let needs_files = !header.before.is_empty() || !header.after.is_empty() || !header.swaps.is_empty();
    header.spec.iter().all(is_known)
        && header.flags.is_none()
        && header.interrupt.is_none()
        && header.host_env.is_empty()
        && header.file_name.is_none()
        && header.expect.results.is_none()
        && !header.silent_network
        && !needs_files
        && header.ports.is_empty()
}

impl Bundle {
    /// Lays a staged case out.
    pub(super) fn make(stage: &Stage) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("wasmrt-case-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = stage.beside("bundle");
        let root = directory.join("rootfs");
        std::fs::create_dir_all(&root).map_err(|error| format!("cannot make a bundle: {error}"))?;
        let args = arguments(&stage.spec);
        let program = args.first().map_or("guest.wasm", String::as_str);
        std::fs::copy(&stage.module, root.join(program)).map_err(|error| format!("cannot copy the guest: {error}"))?;
        let config = configuration(&id, &stage.spec, &args)?;
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display())).map(|()| path)
        };
        write("config.json", config.to_string())?;
        // Where containerd listens for what the shim has to say.
        write("log", String::new())?;
        let cache = cache_directory()?.join("shim");
        let settings = write("settings.toml", format!("cache = {:?}\n[ceiling]\npreopens = false\n", cache))?;
        Ok(Self { id, directory, settings })
    }
}

/// The guest's arguments. Its first one is its name, under which it lies in the root.
fn arguments(spec: &Map<String, Value>) -> Vec<String> {
    let given = spec.get("args").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut args: Vec<String> = given.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if args.is_empty() {
        args.push("guest.wasm".to_owned());
    }
    args
}

/// As containerd writes it, without a network namespace: peers are where the harness is.
fn configuration(id: &str, spec: &Map<String, Value>, args: &[String]) -> Result<Value> {
    let namespaces = ["pid", "ipc", "uts", "mount"].map(|kind| json!({ "type": kind }));
    Ok(json!({
        "ociVersion": "1.1.0",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": args,
            "env": environment(spec),
            "cwd": "/",
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs", "readonly": true },
        "mounts": mounts(),
        "annotations": annotations(spec)?,
        "linux": { "cgroupsPath": format!("/{id}"), "namespaces": namespaces },
    }))
}

/// What every container has, and what the machine knows of names, as Docker and the kubelet hand it to each container.
fn mounts() -> Vec<Value> {
    let mut mounts = vec![
        json!({ "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] }),
        json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"] }),
    ];
    let known = ["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/ssl/certs"]
        .into_iter()
        .filter(|path| Path::new(path).exists());
    mounts.extend(
        known.map(|path| json!({ "destination": path, "type": "bind", "source": path, "options": ["rbind", "ro"] })),
    );
    mounts
}

fn environment(spec: &Map<String, Value>) -> Vec<String> {
    let set = spec.get("env").and_then(|env| env.get("set")).and_then(Value::as_object);
    set.into_iter().flatten().map(|(name, value)| format!("{name}={}", words(value))).collect()
}

fn annotations(spec: &Map<String, Value>) -> Result<Map<String, Value>> {
    let mut annotations = Map::new();
    let mut put = |name: &str, value: String| {
        annotations.insert(format!("{PREFIX}{name}"), value.into());
    };
    for (key, value) in spec {
        match key.as_str() {
            "limits" => {
                for (limit, value) in fields(value).into_iter().flatten() {
                    let name = match limit.as_str() {
                        "wall_time" => "timeout".to_owned(),
                        "memory_bytes" => "memory".to_owned(),
                        other => other.replace('_', "-"),
                    };
                    put(&name, words(value));
                }
            }
            "network" => {
                let rules = value.get("allow").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let rules: Vec<String> = rules.iter().map(words).collect();
                if rules.is_empty() {
                    put("network.deny", "all".to_owned());
                } else {
                    put("network.allow", rules.join(","));
                }
            }
            "engine" => put("engine", words(value)),
            "optimize" => put("optimize", words(value)),
            "aot" => match words(value).as_str() {
                "always" => put("aot", "foreground".to_owned()),
                "never" => put("aot", "off".to_owned()),
                other => return Err(format!("no annotation says aot = {other}")),
            },
            "args" | "env" => {}
            other => return Err(format!("no setting of a container says {other}")),
        }
    }
    Ok(annotations)
}

fn fields(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object()
}

/// A value without the quotation marks of JSON.
fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
