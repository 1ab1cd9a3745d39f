//! A container's control group, by the library that made it, or by systemd.

mod bus;
mod hierarchy;
mod systemd;

use crate::bundle::write_spec;
use crate::failure::with_causes;
use containerd_shim::protos::protobuf::well_known_types::any::Any;
use hierarchy::MEMBERS;
use libcgroups::common::{AnyCgroupManager, CgroupConfig, CgroupManager, ControllerOpt, create_cgroup_manager};
use libcgroups::v2::util::get_unified_mount_point;
use libcontainer::utils::get_cgroup_path;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxResources, Spec};
use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use systemd::is_of_systemd;
use wasmrt_model::{Error, ErrorKind, Result};

/// How long processes may take to end that were killed.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

/// Where a container's control group is.
#[derive(Clone)]
pub(crate) struct Cgroup {
    /// What it is called.
    name: PathBuf,
    /// Where it is, from the root of all groups.
    place: PathBuf,
    container: String,
    devices: Option<Vec<LinuxDeviceCgroup>>,
    /// Finding the places of a group takes longer than everything that is done there.
    found: Arc<OnceLock<AnyCgroupManager>>,
}

/// Looks at the group that a container is to have.
///
/// # Errors
/// `InvalidInput` for a path that names none, and as systemd's.
pub(crate) fn check(spec: &Spec, of_systemd: bool) -> Result<()> {
    let path = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_ref());
    if let Some(path) = path.filter(|path| !hierarchy::is_place(path)) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("'{}' is no control group of a container", path.display()),
        )
        .with_hint("linux.cgroupsPath is to name one below the root of all"));
    }
    systemd::check(spec, of_systemd)
}

impl Debug for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cgroup").field(&self.name).finish()
    }
}

impl Cgroup {
    pub(crate) fn of(spec: &Spec, container: &str) -> Self {
        let linux = spec.linux().as_ref();
        let name = get_cgroup_path(&linux.and_then(|linux| linux.cgroups_path().clone()), container);
        let path = name.to_str().filter(|path| is_of_systemd(path));
        let place = path.and_then(|path| systemd::place(path).ok()).unwrap_or_else(|| name.clone());
        let devices = linux.and_then(|linux| linux.resources().as_ref()).and_then(|all| all.devices().clone());
        Self { name, place, container: container.to_owned(), devices, found: Arc::default() }
    }

    /// Has systemd make it if it is systemd's, with this process in it, and puts down where it is for whoever makes the container.
    pub(crate) fn begin(&self, spec: &Spec, bundle: &Path) -> Result<Option<Begun>> {
        let Some(path) = self.name.to_str().filter(|path| is_of_systemd(path)) else { return Ok(None) };
        let root = mount_point()?;
        let former = root.join(systemd::own_group()?.trim_start_matches('/')).join(MEMBERS);
        systemd::start(path, &self.container)?;
        enable_controllers(&root, &self.directory()?);
        let mut spec = spec.clone();
        if let Some(linux) = spec.linux_mut() {
            linux.set_cgroups_path(Some(self.place.clone()));
        }
        write_spec(&spec, bundle)?;
        Ok(Some(Begun { former, cgroup: self.clone() }))
    }

    pub(crate) fn manage<T>(&self, act: impl FnOnce(&AnyCgroupManager) -> Result<T>) -> Result<T> {
        if let Some(found) = self.found.get() {
            return act(found);
        }
        // What systemd has made is a group like any other.
        let config = CgroupConfig {
            cgroup_path: self.place.clone(),
            systemd_cgroup: false,
            container_name: self.container.clone(),
        };
        let manager = create_cgroup_manager(config)
            .map_err(|error| with_causes("cannot find the container's control group", &error))?;
        act(self.found.get_or_init(|| manager))
    }

    /// Where it is, on a machine with version 2 control groups.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        Ok(mount_point()?.join(hierarchy::below_root(&self.place)))
    }

    /// All processes in it, whoever made them.
    pub(crate) fn processes(&self) -> Result<BTreeSet<i32>> {
        Ok(hierarchy::directories(&self.place)?.iter().flat_map(|directory| hierarchy::processes(directory)).collect())
    }

    /// Lets its processes go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        let failed = |source| Error::io("cannot let the container's processes go on", source);
        hierarchy::directories(&self.place)?.iter().try_for_each(|directory| hierarchy::thaw(directory).map_err(failed))
    }

    /// Ends all processes in it, also those that are frozen, and removes it. One that is not there is no error.
    pub(crate) fn remove(&self) -> Result<()> {
        let until = Instant::now() + ENDED_WITHIN;
        let mut removed;
        loop {
            let directories = hierarchy::directories(&self.place)?;
            removed = directories.iter().try_for_each(|directory| {
                hierarchy::remove(directory).map_err(|source| {
                    Error::io("cannot remove the container's control group", source)
                        .with_context("path", directory.display())
                })
            });
            if removed.is_ok() || Instant::now() > until {
                break;
            }
            for directory in &directories {
                // What is frozen does not even end.
                let _ = hierarchy::thaw(directory);
                for pid in hierarchy::processes(directory) {
                    crate::signal::send_unnamed(pid, libc::SIGKILL);
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Some(unit) = systemd::unit_at(&self.place) {
            systemd::stop(unit);
        }
        removed
    }

    /// Changes limits while the container runs. What is not named stays.
    pub(crate) fn update(&self, resources: &Any) -> Result<()> {
        let mut resources: LinuxResources = serde_json::from_slice(&resources.value).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "these are not resources of a container").with_source(source)
        })?;
        self.manage(|manager| {
            if matches!(manager, AnyCgroupManager::V2(_)) && resources.devices().is_none() {
                // Without any it takes back what was allowed.
                resources.set_devices(self.devices.clone());
            }
            let options = ControllerOpt {
                resources: &resources,
                disable_oom_killer: false,
                oom_score_adj: None,
                freezer_state: None,
            };
            let applied = manager.apply(&options);
            applied.map_err(|error| with_causes("cannot change the container's limits", &error))
        })?;
        self.tell_systemd()
    }

    /// Tells systemd of its limits if systemd has made it.
    fn tell_systemd(&self) -> Result<()> {
        systemd::unit_at(&self.place).map_or(Ok(()), |unit| systemd::tell(unit, &self.directory()?))
    }
}

/// A group that systemd has made, with this process in it.
pub(crate) struct Begun {
    /// Where this process was listed before.
    former: PathBuf,
    cgroup: Cgroup,
}

impl Begun {
    /// Leaves the group to the container, which is in it by now, and has the limits that systemd is told of.
    pub(crate) fn leave(self) -> Result<()> {
        // Where that cannot be it is left a little later, when this process ends.
        let _ = std::fs::write(&self.former, std::process::id().to_string());
        self.cgroup.tell_systemd()
    }
}

fn mount_point() -> Result<PathBuf> {
    get_unified_mount_point().map_err(|error| with_causes("cannot find the machine's control groups", &error))
}

/// Gives a group every controller that there is, as far as that goes: systemd does so for those that it knows. A limit that lacks one is refused when
/// it is set.
fn enable_controllers(root: &Path, group: &Path) {
    let controllers = std::fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    let above: Vec<_> = group.ancestors().skip(1).take_while(|above| above.starts_with(root)).collect();
    for above in above.into_iter().rev() {
        for controller in controllers.split_whitespace() {
            let _ = std::fs::write(above.join("cgroup.subtree_control"), format!("+{controller}"));
        }
    }
}
