//! One pod and its containers.

use super::{Cri, v1};
use crate::program::Program;
use crate::{Result, failed};
use k8s_cri::v1::{ContainerState, NamespaceMode};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A pod that runs. It has to be removed by [`remove`](Self::remove).
#[derive(Debug)]
pub struct Pod<'c> {
    cri: &'c Cri<'c>,
    id: String,
    config: v1::PodSandboxConfig,
    logs: PathBuf,
}

/// What the kubelet writes for a pod that asks for nothing.
#[must_use]
pub fn pod_config(number: u32, logs: &Path) -> v1::PodSandboxConfig {
    v1::PodSandboxConfig {
        metadata: Some(v1::PodSandboxMetadata {
            name: format!("pod{number}"),
            uid: format!("00000000-0000-0000-0000-{number:012}"),
            namespace: "default".to_owned(),
            attempt: 0,
        }),
        hostname: format!("pod{number}"),
        log_directory: logs.display().to_string(),
        linux: Some(v1::LinuxPodSandboxConfig {
            cgroup_parent: "/kubepods".to_owned(),
            security_context: Some(v1::LinuxSandboxSecurityContext {
                namespace_options: Some(namespaces()),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn namespaces() -> v1::NamespaceOption {
    v1::NamespaceOption { pid: NamespaceMode::Container.into(), ..Default::default() }
}

/// What the kubelet writes for a container that asks for nothing.
#[must_use]
pub fn container_config(name: &str, image: &str, argv: Vec<String>) -> v1::ContainerConfig {
    v1::ContainerConfig {
        metadata: Some(v1::ContainerMetadata { name: name.to_owned(), attempt: 0 }),
        image: Some(v1::ImageSpec { image: image.to_owned(), ..Default::default() }),
        command: argv,
        log_path: format!("{name}.log"),
        linux: Some(v1::LinuxContainerConfig {
            resources: Some(v1::LinuxContainerResources { cpu_shares: 2, oom_score_adj: 1000, ..Default::default() }),
            security_context: Some(v1::LinuxContainerSecurityContext {
                namespace_options: Some(namespaces()),
                masked_paths: ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
                    .map(str::to_owned)
                    .into(),
                readonly_paths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
                    .map(str::to_owned)
                    .into(),
                ..Default::default()
            }),
        }),
        ..Default::default()
    }
}

impl<'c> Pod<'c> {
    pub(super) fn run(cri: &'c Cri<'c>, config: v1::PodSandboxConfig, logs: PathBuf) -> Result<Self> {
        let handler = cri.machine().runtime.name().to_owned();
        let request = v1::RunPodSandboxRequest { config: Some(config.clone()), runtime_handler: handler };
        let answer = cri.call("RunPodSandbox", |mut client| async move { client.run_pod_sandbox(request).await })?;
        Ok(Self { cri, id: answer.pod_sandbox_id, config, logs })
    }

    /// The pod's address.
    ///
    /// # Errors
    /// When it has none.
    pub fn address(&self) -> Result<String> {
        let request = v1::PodSandboxStatusRequest { pod_sandbox_id: self.id.clone(), verbose: false };
        let answer =
            self.cri.call("PodSandboxStatus", |mut client| async move { client.pod_sandbox_status(request).await })?;
        let address =
            answer.status.and_then(|status| status.network).map(|network| network.ip).filter(|ip| !ip.is_empty());
        address.ok_or("the pod has no address".to_owned())
    }

    /// Creates a container that does this, out of an image made for it; its number.
    ///
    /// # Errors
    /// What containerd said, or a guest that is not built.
    pub fn create(&self, name: &str, program: &Program) -> Result<String> {
        self.create_with(name, program, |_| ())
    }

    /// As [`create`](Self::create), with changes to its configuration.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with(
        &self,
        name: &str,
        program: &Program,
        change: impl FnOnce(&mut v1::ContainerConfig),
    ) -> Result<String> {
        let image = self.cri.image(std::slice::from_ref(program))?;
        let mut config = container_config(name, &image, program.argv(self.cri.machine().runtime.is_wasm()));
        change(&mut config);
        self.create_from(config)
    }

    /// Creates a container.
    ///
    /// # Errors
    /// What containerd said.
    pub fn create_from(&self, config: v1::ContainerConfig) -> Result<String> {
        let request = v1::CreateContainerRequest {
            pod_sandbox_id: self.id.clone(),
            config: Some(config),
            sandbox_config: Some(self.config.clone()),
        };
        let answer =
            self.cri.call("CreateContainer", |mut client| async move { client.create_container(request).await })?;
        Ok(answer.container_id)
    }

    /// Starts a container.
    ///
    /// # Errors
    /// What containerd said.
    pub fn start(&self, id: &str) -> Result<()> {
        let request = v1::StartContainerRequest { container_id: id.to_owned() };
        self.cri.call("StartContainer", |mut client| async move { client.start_container(request).await }).map(drop)
    }

    /// Creates and starts a container that does this.
    ///
    /// # Errors
    /// What containerd said, or a guest that is not built.
    pub fn run_container(&self, name: &str, program: &Program) -> Result<String> {
        let id = self.create(name, program)?;
        self.start(&id)?;
        Ok(id)
    }

    /// What containerd knows of a container.
    ///
    /// # Errors
    /// What it said.
    pub fn status(&self, id: &str) -> Result<v1::ContainerStatus> {
        let request = v1::ContainerStatusRequest { container_id: id.to_owned(), verbose: false };
        let answer =
            self.cri.call("ContainerStatus", |mut client| async move { client.container_status(request).await })?;
        answer.status.ok_or("a container without a status".to_owned())
    }

    /// Waits until a container has ended: what is known of it then.
    ///
    /// # Errors
    /// That it goes on.
    pub fn ended(&self, id: &str) -> Result<v1::ContainerStatus> {
        crate::eventually(Duration::from_secs(30), || {
            let status = self.status(id)?;
            if status.state == i32::from(ContainerState::ContainerExited) {
                Ok(status)
            } else {
                Err(format!("it goes on: {status:?}"))
            }
        })
    }

    /// The log of a container, as the kubelet finds it: each line with its time, stream and tag.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.logs.join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Waits until a container's log has this text.
    ///
    /// # Errors
    /// What it has instead.
    pub fn logged(&self, name: &str, text: &str) -> Result<()> {
        crate::eventually(Duration::from_secs(20), || {
            let log = self.log(name);
            if log.contains(text) { Ok(()) } else { Err(format!("expected {text:?} in {name}'s log:\n{log}")) }
        })
    }

    /// Runs a command in a container to its end.
    ///
    /// # Errors
    /// What containerd said.
    pub fn exec(&self, id: &str, argv: &[String]) -> Result<v1::ExecSyncResponse> {
        let request = v1::ExecSyncRequest { container_id: id.to_owned(), cmd: argv.to_vec(), timeout: 20 };
        self.cri.call("ExecSync", |mut client| async move { client.exec_sync(request).await })
    }

    /// What a container uses: nanoseconds of processors, bytes of memory in its working set.
    ///
    /// # Errors
    /// What containerd said.
    pub fn stats(&self, id: &str) -> Result<(u64, u64)> {
        let request = v1::ContainerStatsRequest { container_id: id.to_owned() };
        let answer =
            self.cri.call("ContainerStats", |mut client| async move { client.container_stats(request).await })?;
        let stats = answer.stats.ok_or("no figures")?;
        let cpu = stats.cpu.as_ref().and_then(|cpu| cpu.usage_core_nano_seconds).map(|value| value.value);
        let memory = stats.memory.as_ref().and_then(|memory| memory.working_set_bytes).map(|value| value.value);
        cpu.zip(memory).ok_or_else(|| format!("figures are missing: {stats:?}"))
    }

    /// Changes a container's resources.
    ///
    /// # Errors
    /// What containerd said.
    pub fn update(&self, id: &str, linux: v1::LinuxContainerResources) -> Result<()> {
        let request = v1::UpdateContainerResourcesRequest {
            container_id: id.to_owned(),
            linux: Some(linux),
            ..Default::default()
        };
        self.cri
            .call(
                "UpdateContainerResources",
                |mut client| async move { client.update_container_resources(request).await },
            )
            .map(drop)
    }

    /// Stops a container: SIGTERM, and SIGKILL after that many seconds.
    ///
    /// # Errors
    /// What containerd said.
    pub fn stop(&self, id: &str, seconds: i64) -> Result<()> {
        let request = v1::StopContainerRequest { container_id: id.to_owned(), timeout: seconds };
        self.cri.call("StopContainer", |mut client| async move { client.stop_container(request).await }).map(drop)
    }

    /// Removes a container that has ended.
    ///
    /// # Errors
    /// What containerd said.
    pub fn remove_container(&self, id: &str) -> Result<()> {
        let request = v1::RemoveContainerRequest { container_id: id.to_owned() };
        self.cri.call("RemoveContainer", |mut client| async move { client.remove_container(request).await }).map(drop)
    }

    /// Stops and removes the pod with all of its containers.
    ///
    /// # Errors
    /// What containerd said.
    pub fn remove(self) -> Result<()> {
        let request = v1::StopPodSandboxRequest { pod_sandbox_id: self.id.clone() };
        self.cri.call("StopPodSandbox", |mut client| async move { client.stop_pod_sandbox(request).await })?;
        let request = v1::RemovePodSandboxRequest { pod_sandbox_id: self.id.clone() };
        self.cri
            .call("RemovePodSandbox", |mut client| async move { client.remove_pod_sandbox(request).await })
            .map(drop)
    }
}

impl Cri<'_> {
    /// Imports an image that can do these things; its name. Pods take images of the machine's own platform only.
    ///
    /// # Errors
    /// What `ctr` said, or a guest that is not built.
    pub fn image(&self, programs: &[Program]) -> Result<String> {
        let image = self.machine().unimported_of(super::linux(), programs)?;
        self.import(&image)?;
        // Images are noticed by the service that pods are asked of a moment after they are there.
        let name = image.name().to_owned();
        crate::eventually(Duration::from_secs(20), || self.knows(&name))?;
        Ok(name)
    }

    fn knows(&self, name: &str) -> Result<()> {
        use k8s_cri::v1::image_service_client::ImageServiceClient;
        let address = format!("unix:{}", self.machine().world.path(super::SOCKET).display());
        let request = v1::ImageStatusRequest {
            image: Some(v1::ImageSpec { image: name.to_owned(), ..Default::default() }),
            verbose: false,
        };
        let answer = self.call("ImageStatus", |_| async move {
            let endpoint = tonic::transport::Endpoint::from_shared(address).map_err(failed_status)?;
            ImageServiceClient::new(endpoint.connect().await.map_err(failed_status)?).image_status(request).await
        })?;
        if answer.image.is_some() { Ok(()) } else { Err(failed("the image service")("it does not know the image")) }
    }
}

fn failed_status(error: tonic::transport::Error) -> tonic::Status {
    tonic::Status::unavailable(error.to_string())
}
