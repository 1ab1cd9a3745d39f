//! Images: OCI layouts in a tar file, of one layer or of one artifact.

mod layout;
mod tar;

use crate::{Result, failed};
use layout::{Blob, Layout};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What a file of an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file with these bytes and this mode.
    File(Vec<u8>, u32),
    /// A symbolic link to this target.
    Link(String),
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

/// An image to be made.
#[derive(Debug, Clone)]
pub struct Image {
    name: String,
    platform: (String, String),
    files: Vec<(String, Content)>,
    config: Value,
    labels: Value,
}

/// A layer of an artifact.
#[derive(Debug, Clone)]
pub struct ArtifactLayer {
    /// What it is said to be.
    pub media_type: &'static str,
    /// The name of the file that it was, where that is said.
    pub title: Option<&'static str>,
    /// What it is.
    pub bytes: Vec<u8>,
}

impl Image {
    /// An empty image of this name (`localhost/name:tag`) and platform (`wasi/wasm`).
    #[must_use]
    pub fn new(name: &str, platform: &str) -> Self {
        let (os, architecture) = platform.split_once('/').unwrap_or((platform, ""));
        let platform = (os.to_owned(), architecture.to_owned());
        Self { name: name.to_owned(), platform, files: Vec::new(), config: json!({}), labels: json!({}) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its platform.
    #[must_use]
    pub fn platform(&self) -> String {
        format!("{}/{}", self.platform.0, self.platform.1)
    }

    /// Adds something at a path without a leading `/`.
    #[must_use]
    pub fn with(mut self, path: &str, content: Content) -> Self {
        self.files.push((path.to_owned(), content));
        self
    }

    /// Adds a file that may be executed.
    #[must_use]
    pub fn with_program(self, path: &str, bytes: Vec<u8>) -> Self {
        self.with(path, Content::File(bytes, 0o755))
    }

    /// Sets a field of the image's configuration: `Entrypoint`, `Env`, `WorkingDir`...
    #[must_use]
    pub fn with_config(mut self, field: &str, value: Value) -> Self {
        self.config[field] = value;
        self
    }

    /// Sets an annotation of its manifest.
    #[must_use]
    pub fn with_annotation(mut self, name: &str, value: &str) -> Self {
        self.labels[name] = json!(value);
        self
    }

    /// Writes the image as a tar file.
    ///
    /// # Errors
    /// What could not be written.
    pub fn write(&self, directory: &Path) -> Result<PathBuf> {
        let mut layer = tar::Writer::default();
        for (path, content) in &self.files {
            layer.add(path, content)?;
        }
        let layer = Blob::new("application/vnd.oci.image.layer.v1.tar", layer.finish());
        let config = json!({
            "os": self.platform.0,
            "architecture": self.platform.1,
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": [layer.digest()] },
        });
        let config = Blob::new("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes());
        self.lay_out(config, vec![layer]).write(&self.file(directory))
    }

    /// Writes the image as an OCI artifact: programs are its layers as they are, and nothing can be unpacked.
    ///
    /// # Errors
    /// What could not be written.
    pub fn write_artifact(&self, directory: &Path, layers: Vec<ArtifactLayer>) -> Result<PathBuf> {
        let layers = layers.into_iter().map(|layer| {
            let blob = Blob::new(layer.media_type, layer.bytes);
            match layer.title {
                Some(title) => blob.with_annotation("org.opencontainers.image.title", title),
                None => blob,
            }
        });
        let config = json!({
            "os": self.platform.0,
            "architecture": self.platform.1,
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        // The type of configurations that was made for artifacts is one that containerd 1.7 does not know.
        let config = Blob::new("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes());
        self.lay_out(config, layers.collect()).write(&self.file(directory))
    }

    fn file(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{}.tar", self.name.replace(['/', ':'], "_")))
    }

    fn lay_out(&self, config: Blob, layers: Vec<Blob>) -> Layout {
        let platform = json!({ "os": self.platform.0, "architecture": self.platform.1 });
        Layout::new(&self.name, &platform, &self.labels, config, layers)
    }
}

/// A built guest.
///
/// # Errors
/// When it is not built.
pub fn guest(name: &str) -> Result<Vec<u8>> {
    let path = guests().join(format!("{name}.wasm"));
    std::fs::read(&path).map_err(failed(format!("{}: run tests/guests/build, or set WASMRT_GUESTS", path.display())))
}

/// The directory of built guests: as the environment says, else `guests` in the target directory that this program stands in.
#[must_use]
pub fn guests() -> PathBuf {
    if let Some(directory) = std::env::var_os("WASMRT_GUESTS") {
        return directory.into();
    }
    let target = std::env::current_exe().ok().and_then(|exe| exe.ancestors().nth(3).map(Path::to_owned));
    target.unwrap_or_else(|| "target".into()).join("guests")
}

/// A module out of its text.
///
/// # Errors
/// Where the text is wrong.
pub fn module(text: &str) -> Result<Vec<u8>> {
    wat::parse_str(text).map_err(|error| error.to_string())
}
