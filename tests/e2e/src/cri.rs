//! Pods, asked for as the kubelet asks: gRPC on containerd's socket, networks by CNI plug-ins.

mod pod;

pub use k8s_cri::v1;
pub use pod::{Pod, container_config, pod_config};

use crate::containerd::{Runtime, SOCKET, linux};
use crate::image::{ArtifactLayer, Image};
use crate::machine::Machine;
use crate::program::with_busybox;
use crate::world::World;
use crate::{Result, command, failed};
use k8s_cri::v1::runtime_service_client::RuntimeServiceClient;
use serde_json::json;
use std::cell::Cell;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

/// Where containers of pods live in containerd.
pub const NAMESPACE: &str = "k8s.io";

/// The image of what holds a pod's namespaces.
const PAUSE: &str = "localhost/pause:latest";

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What containerd is configured with: handlers as they are named in a RuntimeClass. Lowering a score is a privilege that not every machine
/// gives.
const PLUGINS: &str = r#"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:latest"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.wasmedge]
runtime_type = "io.containerd.wasmedge.v1"
pod_annotations = ["wasmrt.dev/*"]
container_annotations = ["wasmrt.dev/*"]
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.wasmtime]
runtime_type = "io.containerd.wasmtime.v1"
pod_annotations = ["wasmrt.dev/*"]
container_annotations = ["wasmrt.dev/*"]
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.wasm]
runtime_type = "io.containerd.wasm.v2"
pod_annotations = ["wasmrt.dev/*"]
container_annotations = ["wasmrt.dev/*"]
"#;

/// Makes a machine whose containerd serves the kubelet.
///
/// # Errors
/// What did not come up.
pub fn machine(runtime: Runtime) -> Result<Machine> {
    machine_in(World::new()?, PLUGINS, runtime)
}

/// Makes one in which systemd makes the control groups of pods.
///
/// # Errors
/// What did not come up.
pub fn machine_with_systemd(runtime: Runtime) -> Result<Machine> {
    let mut plugins = PLUGINS.to_owned();
    for handler in ["runc", "wasmedge", "wasmtime", "wasm"] {
        let table = format!("plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.{handler}.options");
        plugins += &format!("[{table}]\nSystemdCgroup = true\n");
    }
    machine_in(World::with_systemd()?, &plugins, runtime)
}

fn machine_in(world: World, plugins: &str, runtime: Runtime) -> Result<Machine> {
    configure_networks(&world)?;
    Machine::in_world(world, runtime, plugins)
}

fn configure_networks(world: &World) -> Result<()> {
    let directory = world.path("/etc/cni/net.d");
    std::fs::create_dir_all(&directory).map_err(failed(directory.display()))?;
    let list = json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "ipMasq": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{ "subnet": "10.88.0.0/16" }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    });
    let file = directory.join("10-pods.conflist");
    std::fs::write(&file, list.to_string()).map_err(failed(file.display()))?;
    // Ports of the machine that are asked for at its loopback address are led on only if the kernel is told to.
    let mut command = world.command("sh");
    command.args(["-c", "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    command::run(command)?.success().map(drop)
}

/// A client of containerd's, in the kubelet's place.
#[derive(Debug)]
pub struct Cri<'m> {
    machine: &'m Machine,
    runtime: tokio::runtime::Runtime,
    client: RuntimeServiceClient<Channel>,
    pods: Cell<u32>,
}

impl<'m> Cri<'m> {
    /// Connects, brings the image of pods along, and waits until networks are ready.
    ///
    /// # Errors
    /// What did not come up.
    pub fn connect(machine: &'m Machine) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed("tokio"))?;
        let address = format!("unix:{}", machine.world.path(SOCKET).display());
        let endpoint = Endpoint::from_shared(address).map_err(failed("the address"))?;
        let client = {
            let _entered = runtime.enter();
            RuntimeServiceClient::new(endpoint.connect_lazy())
        };
        let cri = Self { machine, runtime, client, pods: Cell::new(0) };
        let pause = with_busybox(Image::new(PAUSE, linux()))?.with_config("Env", json!(["PATH=/bin"]));
        let pause = pause.with_config("Entrypoint", json!(["/bin/busybox", "sleep", "100000"]));
        cri.import(&pause)?;
        cri.wait_until_ready()?;
        machine.adopt(&[])?;
        Ok(cri)
    }

    /// Waits until containerd says that it can run pods.
    ///
    /// # Errors
    /// What it says instead.
    pub fn wait_until_ready(&self) -> Result<()> {
        crate::eventually(Duration::from_secs(30), || {
            let status =
                self.call("Status", |mut client| async move { client.status(v1::StatusRequest::default()).await })?;
            let conditions = status.status.map(|status| status.conditions).unwrap_or_default();
            match conditions.iter().find(|condition| !condition.status) {
                None if !conditions.is_empty() => Ok(()),
                condition => Err(format!("not ready: {condition:?}")),
            }
        })
    }

    /// The machine that it is on.
    #[must_use]
    pub fn machine(&self) -> &'m Machine {
        self.machine
    }

    /// Imports an image to where pods take theirs from.
    ///
    /// # Errors
    /// What `ctr` said.
    pub fn import(&self, image: &Image) -> Result<()> {
        self.import_file(image, &image.write(self.machine.world.directory())?)
    }

    /// Imports programs as an OCI artifact, under this image's name.
    ///
    /// # Errors
    /// What `ctr` said.
    pub fn import_artifact(&self, image: &Image, layers: Vec<ArtifactLayer>) -> Result<()> {
        self.import_file(image, &image.write_artifact(self.machine.world.directory(), layers)?)
    }

    fn import_file(&self, image: &Image, file: &Path) -> Result<()> {
        let mut command = self.machine.world.command("ctr");
        command.args(["--namespace", NAMESPACE, "image", "import", "--platform", &image.platform()]).arg(file);
        command::run(command)?.success().map(drop)
    }

    /// One call, and its answer.
    ///
    /// # Errors
    /// What containerd said, or that it said nothing in time.
    pub fn call<T, F>(&self, name: &str, call: impl FnOnce(RuntimeServiceClient<Channel>) -> F) -> Result<T>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let call = call(self.client.clone());
        let answer = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, call).await });
        match answer {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(format!("{name}: {:?}: {}", status.code(), status.message())),
            Err(_) => Err(format!("{name}: no answer within {} s", PATIENCE.as_secs())),
        }
    }

    /// Runs a pod of this machine's runtime.
    ///
    /// # Errors
    /// What containerd said.
    pub fn pod(&self) -> Result<Pod<'_>> {
        self.pod_with(|_| ())
    }

    /// As [`pod`](Self::pod), with changes to its configuration.
    ///
    /// # Errors
    /// What containerd said.
    pub fn pod_with(&self, change: impl FnOnce(&mut v1::PodSandboxConfig)) -> Result<Pod<'_>> {
        let number = self.pods.get();
        self.pods.set(number + 1);
        let logs = self.machine.world.directory().join(format!("logs{number}"));
        std::fs::create_dir_all(&logs).map_err(failed(logs.display()))?;
        let mut config = pod_config(number, &logs);
        if let Some(linux) = config.linux.as_mut().filter(|_| self.machine.world.has_systemd) {
            linux.cgroup_parent = format!("/kubepods.slice/kubepods-pod{number}.slice");
        }
        change(&mut config);
        Pod::run(self, config, logs)
    }

    /// Asserts that no pod is left, and with them nothing else.
    ///
    /// # Errors
    /// What is left.
    pub fn is_clean(&self) -> Result<()> {
        let request = v1::ListPodSandboxRequest::default();
        let pods = self.call("ListPodSandbox", |mut client| async move { client.list_pod_sandbox(request).await })?;
        if !pods.items.is_empty() {
            return Err(format!("left behind: {:?}", pods.items));
        }
        self.machine.is_clean()
    }
}

/// A directory that is in memory and whose files count for whoever writes them.
///
/// # Errors
/// What the machine refused.
pub fn memory_directory(world: &World) -> Result<PathBuf> {
    let directory = world.directory().join("memory");
    std::fs::create_dir_all(&directory).map_err(failed(directory.display()))?;
    let mut command = world.command("mount");
    command.args(["-t", "tmpfs", "-o", "size=1g", "tmpfs"]).arg(&directory);
    command::run(command)?.success()?;
    Ok(directory)
}
