//! Specs as container engines write them, shortened to what matters here, for tests.

use oci_spec::runtime::Spec;
use serde_json::Value;
use std::path::Path;

/// `ctr run --platform wasi/wasm --mount type=bind,src=...,dst=/data,options=rbind:ro`.
pub(super) fn ctr() -> Spec {
    read(include_str!("specs/ctr.json"))
}

/// `docker run --read-only --memory 64m -v ...:/data -v ...:/etc/app.conf:ro -w /data`.
pub(super) fn docker() -> Spec {
    read(include_str!("specs/docker.json"))
}

/// A container of a pod, as containerd's CRI plug-in writes it for the kubelet.
pub(super) fn cri() -> Spec {
    read(include_str!("specs/cri.json"))
}

/// A spec with changes.
pub(super) fn from(spec: Spec, change: impl FnOnce(&mut Value)) -> Spec {
    let mut json = serde_json::to_value(spec).unwrap();
    change(&mut json);
    serde_json::from_value(json).unwrap()
}

/// A spec whose mounts have their sources below `host`, all of which are made there.
pub(super) fn with_sources_in(spec: Spec, host: &Path) -> Spec {
    from(spec, |spec| {
        for mount in spec["mounts"].as_array_mut().unwrap() {
            let bound = mount["options"].as_array().is_some_and(|options| options.contains(&"rbind".into()));
            if !bound {
                continue;
            }
            let source = host.join(mount["source"].as_str().unwrap().trim_start_matches('/'));
            if source.extension().is_some() || is_file_of_engines(&source) {
                std::fs::create_dir_all(source.parent().unwrap()).unwrap();
                std::fs::write(&source, "").unwrap();
            } else {
                std::fs::create_dir_all(&source).unwrap();
            }
            mount["source"] = source.to_str().unwrap().into();
        }
    })
}

fn is_file_of_engines(source: &Path) -> bool {
    let name = source.file_name().unwrap();
    ["hosts", "hostname", "etc-hosts", "termination-log"].iter().any(|file| name == *file)
}

fn read(json: &str) -> Spec {
    serde_json::from_str(json).unwrap()
}
