//! The OCI image layout: blobs by their digests, a manifest, an index.

use super::{Content, tar};
use crate::{Result, failed};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Bytes of a media type.
#[derive(Debug)]
pub(super) struct Blob {
    media_type: String,
    hash: String,
    annotations: Value,
    bytes: Vec<u8>,
}

impl Blob {
    pub(super) fn new(media_type: &str, bytes: Vec<u8>) -> Self {
        let hash = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { media_type: media_type.to_owned(), hash, annotations: json!({}), bytes }
    }

    pub(super) fn with_annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations[name] = json!(value);
        self
    }

    pub(super) fn digest(&self) -> String {
        format!("sha256:{}", self.hash)
    }

    fn descriptor(&self) -> Value {
        let (size, annotations) = (self.bytes.len(), &self.annotations);
        json!({ "mediaType": self.media_type, "digest": self.digest(), "size": size, "annotations": annotations })
    }
}

/// A layout of one image.
#[derive(Debug)]
pub(super) struct Layout {
    index: Value,
    blobs: Vec<Blob>,
}

impl Layout {
    pub(super) fn new(name: &str, platform: &Value, annotations: &Value, config: Blob, layers: Vec<Blob>) -> Self {
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": config.descriptor(),
            "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
            "annotations": annotations,
        });
        let manifest = Blob::new(media_type, manifest.to_string().into_bytes());
        let mut entry = manifest.descriptor();
        entry["platform"] = platform.clone();
        entry["annotations"] = json!({ "io.containerd.image.name": name });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry],
        });
        let mut blobs = vec![config, manifest];
        blobs.extend(layers);
        Self { index, blobs }
    }

    pub(super) fn write(self, path: &Path) -> Result<PathBuf> {
        let mut tar = tar::Writer::default();
        let mut add = |path: &str, bytes: Vec<u8>| tar.add(path, &Content::File(bytes, 0o644));
        add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec())?;
        add("index.json", self.index.to_string().into_bytes())?;
        for blob in self.blobs {
            add(&format!("blobs/sha256/{}", blob.hash), blob.bytes)?;
        }
        std::fs::write(path, tar.finish()).map_err(failed(path.display()))?;
        Ok(path.to_owned())
    }
}
