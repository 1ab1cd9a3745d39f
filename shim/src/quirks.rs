//! What libcontainer takes wrongly, put so that it takes it rightly.

use crate::bundle::write_spec;
use libcgroups::common::{CgroupSetup, get_cgroup_setup};
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use std::path::Path;
use wasmrt_model::Result;

/// To mount version 1 control groups, it looks up the process of its own number among the machine's. A process in a process namespace that was there
/// before has another number there, or none at all. Such a container gets no view of its control groups: they hold without it.
///
/// # Errors
/// When the changed configuration cannot be kept.
pub(crate) fn without_control_groups(spec: &Spec, bundle: &Path) -> Result<()> {
    let is_view = |kind: &Option<String>| kind.as_deref() == Some("cgroup");
    let Some(mounts) = spec.mounts().as_ref().filter(|mounts| mounts.iter().any(|mount| is_view(mount.typ()))) else {
        return Ok(());
    };
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    let joins = namespaces
        .into_iter()
        .flatten()
        .any(|namespace| namespace.typ() == LinuxNamespaceType::Pid && namespace.path().is_some());
    if !joins || get_cgroup_setup().is_ok_and(|setup| matches!(setup, CgroupSetup::Unified)) {
        return Ok(());
    }
    let mut spec = spec.clone();
    spec.set_mounts(Some(mounts.iter().filter(|mount| !is_view(mount.typ())).cloned().collect()));
    write_spec(&spec, bundle)
}
