//! A container's control group, by the library that made it.

use crate::failure::with_causes;
use containerd_shim::protos::protobuf::well_known_types::any::Any;
use libcgroups::common::{
    AnyCgroupManager, CgroupConfig, CgroupManager, ControllerOpt, FreezerState, create_cgroup_manager,
};
use libcgroups::v2::util::get_unified_mount_point;
use libcontainer::utils::get_cgroup_path;
use oci_spec::runtime::{LinuxResources, Spec};
use std::fmt::{self, Debug};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use wasmrt_model::{Error, ErrorKind, Result};

/// How long processes may take to end that were killed.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

/// Where a container's control group is, and who keeps it.
#[derive(Clone)]
pub(crate) struct Cgroup {
    path: PathBuf,
    systemd: bool,
    container: String,
    /// Finding the places of a group takes longer than everything that is done there.
    found: Arc<OnceLock<AnyCgroupManager>>,
}

impl Debug for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cgroup").field(&self.path).finish()
    }
}

impl Cgroup {
    pub(crate) fn of(spec: &Spec, container: &str, systemd: bool) -> Self {
        let named = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().clone());
        let path = get_cgroup_path(&named, container);
        Self { path, systemd, container: container.to_owned(), found: Arc::default() }
    }

    pub(crate) fn manage<T>(&self, act: impl FnOnce(&AnyCgroupManager) -> Result<T>) -> Result<T> {
        if let Some(found) = self.found.get() {
            return act(found);
        }
        let manager = self.manager()?;
        if matches!(manager, AnyCgroupManager::Systemd(_)) {
            // It speaks over a connection that others must not use at the same time.
            return act(&manager);
        }
        act(self.found.get_or_init(|| manager))
    }

    fn manager(&self) -> Result<AnyCgroupManager> {
        let config = CgroupConfig {
            cgroup_path: self.path.clone(),
            systemd_cgroup: self.systemd,
            container_name: self.container.clone(),
        };
        create_cgroup_manager(config).map_err(|error| with_causes("cannot find the container's control group", &error))
    }

    /// Where it is, on a machine with version 2 control groups.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        let failed = |error: &dyn std::error::Error| with_causes("cannot find the container's control group", error);
        let root = get_unified_mount_point().map_err(|error| failed(&error))?;
        let path = if self.systemd { self.scope()? } else { self.path.clone() };
        Ok(root.join(path.strip_prefix("/").unwrap_or(&path)))
    }

    /// The group that systemd has made: what it called it is known of the processes in it, which may have made others below.
    fn scope(&self) -> Result<PathBuf> {
        let none = || Error::new(ErrorKind::NotFound, "no process is in the container's control group");
        let process = self.processes()?.first().copied().ok_or_else(none)?;
        let groups = std::fs::read_to_string(format!("/proc/{process}/cgroup"))
            .map_err(|source| Error::io("cannot find the container's control group", source))?;
        let group = groups.lines().find_map(|line| line.strip_prefix("0::")).ok_or_else(none)?;
        let end = group.find(".scope").map_or(group.len(), |at| at + ".scope".len());
        Ok(PathBuf::from(&group[..end]))
    }

    /// All processes in it, whoever made them.
    pub(crate) fn processes(&self) -> Result<Vec<i32>> {
        self.manage(listed)
    }

    /// Lets its processes go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        self.manage(|manager| {
            let thawed = manager.freeze(FreezerState::Thawed);
            thawed.map_err(|error| with_causes("cannot let the container's processes go on", &error))
        })
    }

    /// Ends all processes in it, which must not be frozen, and removes it. One that is not there is no error.
    pub(crate) fn remove(&self) -> Result<()> {
        self.manage(|manager| {
            let until = Instant::now() + ENDED_WITHIN;
            loop {
                // Without the group there are no processes in it.
                let left = listed(manager).unwrap_or_default();
                for pid in &left {
                    crate::signal::send_unnamed(*pid, libc::SIGKILL);
                }
                let late = Instant::now() > until;
                if left.is_empty() || late {
                    let removed = manager.remove();
                    // Another one may have come into it in between.
                    if removed.is_ok() || late {
                        return removed
                            .map_err(|error| with_causes("cannot remove the container's control group", &error));
                    }
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        })
    }

    /// Whether it is there.
    pub(crate) fn exists(&self) -> bool {
        self.processes().is_ok()
    }

    /// Changes limits while the container runs. What is not named stays.
    pub(crate) fn update(&self, resources: &Any) -> Result<()> {
        let resources: LinuxResources = serde_json::from_slice(&resources.value).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "these are not resources of a container").with_source(source)
        })?;
        let options = ControllerOpt {
            resources: &resources,
            disable_oom_killer: false,
            oom_score_adj: None,
            freezer_state: None,
        };
        self.manage(|manager| {
            let applied = manager.apply(&options);
            applied.map_err(|error| with_causes("cannot change the container's limits", &error))
        })
    }
}

fn listed(manager: &AnyCgroupManager) -> Result<Vec<i32>> {
    let pids = manager.get_all_pids();
    let pids = pids.map_err(|error| with_causes("cannot list the container's processes", &error))?;
    Ok(pids.into_iter().map(i32::from).collect())
}

/// Whether a path is one of systemd's: `slice:prefix:name`.
pub(crate) fn is_systemd_path(spec: &Spec) -> bool {
    let path = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_ref());
    path.and_then(|path| path.to_str()).is_some_and(|path| path.matches(':').count() == 2 && !path.starts_with('/'))
}
