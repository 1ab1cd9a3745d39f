//! A container's directory as containerd has made it: what it is to be, and where its files will be.
//!
//! Owns the names in there and how the configuration is read and written. What the shim keeps there of its own is its container's.

use crate::failure::with_causes;
use oci_spec::OciSpecError;
use oci_spec::runtime::Spec;
use std::path::Path;
use wasmrt_model::Result;

/// The directory that containers have as `/`.
pub(crate) const ROOTFS: &str = "rootfs";
const CONFIG: &str = "config.json";

/// What the container is to be.
///
/// # Errors
/// `Internal` when it cannot be read or is no OCI spec.
pub(crate) fn read_spec(bundle: &Path) -> Result<Spec> {
    // At once: `Spec::load` reads it byte by byte, and it is read several times in a container's life.
    std::fs::read(bundle.join(CONFIG))
        .map_err(OciSpecError::from)
        .and_then(|json| serde_json::from_slice(&json).map_err(OciSpecError::from))
        .map_err(|error| with_causes("cannot read the container's configuration", &error))
}

/// Changes what the container is to be, for whoever reads it next.
///
/// # Errors
/// `Internal` when it cannot be written.
pub(crate) fn write_spec(spec: &Spec, bundle: &Path) -> Result<()> {
    spec.save(bundle.join(CONFIG)).map_err(|error| with_causes("cannot write the container's configuration", &error))
}
