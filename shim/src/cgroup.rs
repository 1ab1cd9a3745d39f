//! A container's control group, by the library that made it.

mod systemd;

pub(crate) use systemd::{apart, is_asked, is_systemd_path};

use crate::failure::with_causes;
use containerd_shim::protos::protobuf::well_known_types::any::Any;
use libcgroups::common::{
    AnyCgroupManager, CgroupConfig, CgroupManager, ControllerOpt, FreezerState, create_cgroup_manager,
};
use libcgroups::v2::util::get_unified_mount_point;
use libcontainer::utils::get_cgroup_path;
use oci_spec::runtime::{LinuxResources, Spec};
use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use wasmrt_model::{Error, ErrorKind, Result};

/// How long processes may take to end that were killed.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

/// Where a container's control group is, and who makes it.
#[derive(Clone)]
pub(crate) struct Cgroup {
    /// What it is called.
    name: PathBuf,
    /// Where it is, from the root of all groups.
    place: PathBuf,
    systemd: bool,
    container: String,
    resources: LinuxResources,
    /// Finding the places of a group takes longer than everything that is done there.
    found: Arc<OnceLock<AnyCgroupManager>>,
}

impl Debug for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cgroup").field(&self.name).finish()
    }
}

impl Cgroup {
    pub(crate) fn of(spec: &Spec, container: &str, systemd: bool) -> Self {
        let linux = spec.linux().as_ref();
        let name = get_cgroup_path(&linux.and_then(|linux| linux.cgroups_path().clone()), container);
        let scope = systemd.then(|| systemd::place(&name.to_string_lossy()).ok()).flatten();
        let place = scope.unwrap_or_else(|| name.clone());
        let resources = linux.and_then(|linux| linux.resources().clone()).unwrap_or_default();
        Self { name, place, systemd, container: container.to_owned(), resources, found: Arc::default() }
    }

    pub(crate) fn manage<T>(&self, act: impl FnOnce(&AnyCgroupManager) -> Result<T>) -> Result<T> {
        if let Some(found) = self.found.get() {
            return act(found);
        }
        let manager = self.manager(&self.place, false)?;
        act(self.found.get_or_init(|| manager))
    }

    fn manager(&self, path: &Path, systemd: bool) -> Result<AnyCgroupManager> {
        let config = CgroupConfig {
            cgroup_path: path.to_owned(),
            systemd_cgroup: systemd,
            container_name: self.container.clone(),
        };
        create_cgroup_manager(config).map_err(|error| with_causes("cannot find the container's control group", &error))
    }

    /// Has systemd do something with it.
    fn by_systemd(&self, act: impl FnOnce(&AnyCgroupManager) -> Result<()> + Send) -> Result<()> {
        apart(|| act(&self.manager(&self.name, true)?))
    }

    /// Where it is, on a machine with version 2 control groups.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        let root = get_unified_mount_point()
            .map_err(|error| with_causes("cannot find the container's control group", &error))?;
        Ok(root.join(self.place.strip_prefix("/").unwrap_or(&self.place)))
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
        let until = Instant::now() + ENDED_WITHIN;
        let mut stopped = false;
        loop {
            // Without the group there are no processes in it.
            let left = self.processes().unwrap_or_default();
            for pid in &left {
                crate::signal::send_unnamed(*pid, libc::SIGKILL);
            }
            let late = Instant::now() > until;
            if left.is_empty() || late {
                let removed = if self.systemd { self.remove_scope(&mut stopped) } else { self.remove_empty() };
                // Another one may have come into it in between.
                if removed.is_ok() || late {
                    return removed;
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn remove_empty(&self) -> Result<()> {
        self.manage(|manager| {
            let removed = manager.remove();
            removed.map_err(|error| with_causes("cannot remove the container's control group", &error))
        })
    }

    /// Has systemd stop the unit, once. It removes the group in its own time, and without being asked when the last process has ended.
    fn remove_scope(&self, stopped: &mut bool) -> Result<()> {
        let asked = if *stopped { Ok(()) } else { self.by_systemd(|manager| stopped_by(manager)) };
        *stopped |= asked.is_ok();
        if !self.directory()?.exists() {
            return Ok(());
        }
        asked.and(Err(Error::new(ErrorKind::Internal, "systemd does not remove the container's control group")))
    }

    /// Whether it is there.
    pub(crate) fn exists(&self) -> bool {
        self.processes().is_ok()
    }

    /// Sets the limits that the container is made with where systemd has made its group. Systemd knows only some of them, and nothing of devices, and
    /// sets those after it has answered.
    pub(crate) fn confine(&self) -> Result<()> {
        self.manage(|manager| applied(manager, &self.resources))
            .map_err(|error| with_causes("cannot set the container's limits", &error))
    }

    /// Changes limits while the container runs. What is not named stays.
    pub(crate) fn update(&self, resources: &Any) -> Result<()> {
        let mut resources: LinuxResources = serde_json::from_slice(&resources.value).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "these are not resources of a container").with_source(source)
        })?;
        if resources.devices().is_none() {
            // Without any the library takes back what was allowed.
            resources.set_devices(self.resources.devices().clone());
        }
        let changed = if self.systemd { self.update_scope(&mut resources) } else { Ok(()) };
        changed
            .and_then(|()| self.manage(|manager| applied(manager, &resources)))
            .map_err(|error| with_causes("cannot change the container's limits", &error))
    }

    /// Systemd has to know, too: it sets what it knows whenever it is told to load its units again.
    fn update_scope(&self, resources: &mut LinuxResources) -> Result<()> {
        if let Some(mut cpu) = resources.cpu().clone() {
            // The library has systemd lift this limit where it is not named.
            let now = std::fs::read_to_string(self.directory()?.join("cpu.max")).unwrap_or_default();
            let mut now = now.split_whitespace().map(|number| number.parse().ok());
            let (quota, period) = (now.next().flatten(), now.next().flatten());
            cpu.set_quota(cpu.quota().or(quota));
            cpu.set_period(cpu.period().filter(|period| *period > 0).or(period.map(i64::unsigned_abs)));
            resources.set_cpu(Some(cpu));
        }
        self.by_systemd(|manager| applied(manager, resources))
    }
}

fn applied(manager: &AnyCgroupManager, resources: &LinuxResources) -> Result<()> {
    let options =
        ControllerOpt { resources, disable_oom_killer: false, oom_score_adj: None, freezer_state: None };
    manager.apply(&options).map_err(|error| with_causes("the control group refuses", &error))
}

fn listed(manager: &AnyCgroupManager) -> Result<Vec<i32>> {
    let pids = manager.get_all_pids();
    let pids = pids.map_err(|error| with_causes("cannot list the container's processes", &error))?;
    Ok(pids.into_iter().map(i32::from).collect())
}

fn stopped_by(manager: &AnyCgroupManager) -> Result<()> {
    manager.remove().map_err(|error| with_causes("systemd cannot be asked to remove the container's control group", &error))
}
