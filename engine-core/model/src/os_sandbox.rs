//! The second wall around a guest: what the kernel enforces on its worker, whatever the engine does.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a kernel enforces on a worker, beside the rest that every kernel has: no new privileges, no capabilities that the guest's
/// files do not need, resource limits, no descriptors beyond its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsSandbox {
    /// Landlock confines it to its preopens: the version of its rules. None when the kernel has none, or one that is too old.
    pub landlock: Option<u32>,
    /// A filter refuses every system call that running a guest does not need.
    pub seccomp: bool,
}

impl OsSandbox {
    /// Whether every part of it stands.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self.landlock.is_some() && self.seccomp
    }

    /// The parts that are missing, by name.
    #[must_use]
    pub fn missing(self) -> Vec<&'static str> {
        let parts = [("Landlock", self.landlock.is_some()), ("seccomp", self.seccomp)];
        parts.into_iter().filter(|(_, stands)| !stands).map(|(name, _)| name).collect()
    }
}

impl fmt::Display for OsSandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.landlock {
            Some(version) => write!(f, "Landlock {version}")?,
            None => f.write_str("no Landlock")?,
        }
        f.write_str(if self.seccomp { ", seccomp" } else { ", no seccomp" })
    }
}
