//! What an image consists of, and which of its layers is a program.

use crate::oci::split_export;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use wasmrt_model::{Error, ErrorKind, Result};

/// What layers are called that are a module or a component as it is.
const PROGRAMS: [&str; 3] = [
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];

/// How layers say what file they were made from.
const TITLE: &str = "org.opencontainers.image.title";

/// No image is for more.
const MOST_PLATFORMS: usize = 64;

/// Content, by its digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    pub(super) annotations: BTreeMap<String, String>,
}

/// A manifest, or an index of manifests.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Manifest {
    manifests: Vec<Descriptor>,
    layers: Vec<Descriptor>,
}

impl Manifest {
    pub(super) fn is_index(&self) -> bool {
        !self.manifests.is_empty()
    }

    /// What it is an index of.
    pub(super) fn platforms(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests.iter().take(MOST_PLATFORMS)
    }
}

/// The programs of an image.
#[derive(Debug, Default)]
pub(super) struct Layers(Vec<Descriptor>);

impl Layers {
    /// Adds those of a manifest. Platforms may have the same ones.
    pub(super) fn add(&mut self, manifest: Manifest) {
        for layer in manifest.layers {
            let known = self.0.iter().any(|known| known.digest == layer.digest);
            if PROGRAMS.contains(&layer.media_type.as_str()) && !known {
                self.0.push(layer);
            }
        }
    }

    /// The one that a process wants by this name. Where there is only one, it is the program of the container's `own` first process, whatever that is
    /// called.
    ///
    /// # Errors
    /// `InvalidInput` when there are several, and none has that name.
    pub(super) fn program(mut self, name: &str, own: bool) -> Result<Option<Descriptor>> {
        let file = Path::new(split_export(name).0).file_name().map(|file| file.to_string_lossy().into_owned());
        let titled = |layer: &Descriptor| {
            let title = layer.annotations.get(TITLE).and_then(|title| Path::new(title).file_name());
            title.is_some() && title.map(|title| title.to_string_lossy().into_owned()) == file
        };
        let mut named = self.0.iter().filter(|layer| titled(layer));
        if let (Some(layer), None) = (named.next(), named.next()) {
            return Ok(Some(layer.clone()));
        }
        match (self.0.len(), own) {
            (0, _) | (_, false) => Ok(None),
            (1, true) => Ok(self.0.pop()),
            (several, true) => {
                let titles: Vec<&str> =
                    self.0.iter().filter_map(|layer| layer.annotations.get(TITLE)).map(String::as_str).collect();
                let error = Error::new(
                    ErrorKind::InvalidInput,
                    format!(
                        "the image has {several} WebAssembly layers, and '{}' names none of them",
                        name.escape_debug()
                    ),
                );
                Err(if titles.is_empty() {
                    error.with_hint(format!("make it with one layer, or with the annotation {TITLE} on each"))
                } else {
                    error.with_hint(format!("they are {}", titles.join(", ")))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(given: &[(&str, &str, Option<&str>)]) -> Layers {
        let layer = |(media_type, digest, title): &(&str, &str, Option<&str>)| {
            let title = title.map(|title| format!(r#""{TITLE}": "{title}""#)).unwrap_or_default();
            format!(r#"{{"mediaType": "{media_type}", "digest": "{digest}", "size": 1, "annotations": {{{title}}}}}"#)
        };
        let text = format!(r#"{{"layers": [{}]}}"#, given.iter().map(layer).collect::<Vec<_>>().join(","));
        let mut layers = Layers::default();
        layers.add(serde_json::from_str(&text).unwrap());
        layers
    }

    fn digest(given: &[(&str, &str, Option<&str>)], name: &str, own: bool) -> Option<String> {
        layers(given).program(name, own).unwrap().map(|layer| layer.digest)
    }

    #[test]
    fn the_only_one_is_the_program_of_the_first_process() {
        for media_type in PROGRAMS {
            let only = [("application/vnd.oci.image.layer.v1.tar", "a", None), (media_type, "b", None)];
            assert_eq!(digest(&only, "/whatever", true).as_deref(), Some("b"));
            assert_eq!(digest(&only, "/whatever", false), None);
        }
        assert_eq!(digest(&[("application/vnd.oci.image.layer.v1.tar", "a", None)], "/x", true), None);
        assert_eq!(digest(&[], "/x", true), None);
    }

    #[test]
    fn several_are_told_apart_by_their_titles() {
        let wasm = PROGRAMS[0];
        let two = [(wasm, "a", Some("one.wasm")), (wasm, "b", Some("dir/two.wasm"))];
        assert_eq!(digest(&two, "/app/two.wasm#export", true).as_deref(), Some("b"));
        assert_eq!(digest(&two, "one.wasm", false).as_deref(), Some("a"));
        assert_eq!(digest(&two, "three.wasm", false), None);
        let error = layers(&two).program("three.wasm", true).unwrap_err();
        assert!(error.to_string().contains("one.wasm, dir/two.wasm"), "{error}");
        let error = layers(&[(wasm, "a", None), (wasm, "b", None)]).program("", true).unwrap_err();
        assert!(error.to_string().contains(TITLE), "{error}");
    }

    #[test]
    fn platforms_may_share_a_program() {
        let mut shared = layers(&[(PROGRAMS[0], "a", None)]);
        shared.add(Manifest { layers: shared.0.clone(), ..Manifest::default() });
        assert_eq!(shared.program("x", true).unwrap().unwrap().digest, "a");
    }
}
