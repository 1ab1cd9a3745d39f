//! Where a guest's standard streams go.

use crate::units::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The three standard streams.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stdio {
    /// Where standard input comes from.
    pub stdin: Input,
    /// Where standard output goes.
    pub stdout: Output,
    /// Where standard error goes.
    pub stderr: Output,
}

/// Where standard input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Input {
    /// The caller's own, untouched: a terminal stays a terminal.
    #[default]
    Inherit,
    /// End of file at once.
    Null,
    /// These bytes (in JSON: text), then end of file.
    #[serde(serialize_with = "text_bytes::serialize", deserialize_with = "text_bytes::deserialize")]
    Bytes(#[schemars(with = "String")] Vec<u8>),
    /// This file, opened by the caller.
    File(PathBuf),
    /// A pipe whose other end the caller writes to while the guest runs.
    Piped,
}

/// Where standard output or standard error goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Output {
    /// The caller's own, untouched: a terminal stays a terminal.
    #[default]
    Inherit,
    /// Nowhere.
    Null,
    /// This file, opened by the caller, created or truncated.
    File(PathBuf),
    /// Into the outcome. The guest is ended when it writes more than `cap`; without one, `output_bytes` alone bounds it.
    Capture {
        /// The most that is kept of this stream.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cap: Option<Bytes>,
    },
    /// A pipe whose other end the caller reads from while the guest runs.
    Piped,
}

impl Output {
    /// Whether what is written is held in memory.
    #[must_use]
    pub fn is_captured(&self) -> bool {
        matches!(self, Self::Capture { .. })
    }
}

mod text_bytes {
    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_bytes(bytes),
        }
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum TextOrBytes {
            Text(String),
            Bytes(Vec<u8>),
        }
        Ok(match <TextOrBytes as serde::Deserialize>::deserialize(deserializer)? {
            TextOrBytes::Text(text) => text.into_bytes(),
            TextOrBytes::Bytes(bytes) => bytes,
        })
    }
}
