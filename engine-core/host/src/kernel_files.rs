//! The file systems that are windows into the kernel and into processes. Granting a directory grants none of them, wherever they are mounted below it:
//! a file of theirs is not data. `/proc/self/mem` is the memory of the very process that a guest runs in.

use rustix::fs::makedev;
use std::fs;
use std::sync::Arc;
use wasmrt_model::{Error, Result};

/// Their types, as the kernel names them.
const TYPES: &[&str] = &[
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "efivarfs",
    "fusectl",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "resctrl",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sysfs",
    "tracefs",
];

/// Those that are mounted, as this process sees it, by their devices.
#[derive(Debug, Clone, Default)]
pub struct KernelFiles(Arc<[u64]>);

impl KernelFiles {
    /// Looks for them. Has to be done while the process can still see what is mounted.
    ///
    /// # Errors
    /// `NotFound` and others of the system when that cannot be told.
    pub fn find() -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")
            .map_err(|source| Error::io("cannot tell which file systems are the kernel's", source))?;
        Ok(Self(mounts.lines().filter_map(device_of_kernel_mount).collect()))
    }

    /// As found in another place, before this one could not be seen any more.
    #[must_use]
    pub fn on(devices: Vec<u64>) -> Self {
        Self(devices.into())
    }

    /// Their devices.
    #[must_use]
    pub fn devices(&self) -> &[u64] {
        &self.0
    }

    /// Whether what is on this device is the kernel's.
    #[must_use]
    pub fn hold(&self, device: u64) -> bool {
        self.0.contains(&device)
    }
}

/// `36 35 98:0 /root /place options... - type source options`
fn device_of_kernel_mount(line: &str) -> Option<u64> {
    let (before, after) = line.split_once(" - ")?;
    if !TYPES.contains(&after.split(' ').next()?) {
        return None;
    }
    let (major, minor) = before.split(' ').nth(2)?.split_once(':')?;
    Some(makedev(major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_kernels_file_systems_are_told_from_others() {
        let line = "21 29 0:19 / /proc rw,nosuid shared:12 master:3 - proc proc rw";
        assert_eq!(device_of_kernel_mount(line), Some(makedev(0, 19)));
        assert_eq!(device_of_kernel_mount("29 1 254:1 / / rw - ext4 /dev/vda1 rw"), None);
        assert_eq!(device_of_kernel_mount("29 1 254:1 / /a\\040-\\040b rw - overlay overlay rw"), None);
        assert_eq!(device_of_kernel_mount("nonsense"), None);
        let found = KernelFiles::find().unwrap();
        assert!(found.hold(fs::metadata("/proc/self/mem").unwrap().dev()));
        assert!(!found.hold(fs::metadata(env!("CARGO_MANIFEST_DIR")).unwrap().dev()));
    }
}
