//! Networks of pods: servers, ports of the machine, sidecars.

use super::with;
use std::time::Duration;
use wasmrt_e2e::command::run;
use wasmrt_e2e::containerd::linux;
use wasmrt_e2e::cri::{Cri, Pod, container_config, v1};
use wasmrt_e2e::image::guest;
use wasmrt_e2e::program::with_busybox;
use wasmrt_e2e::trials::{ALL, Question, WASM};
use wasmrt_e2e::{Result, eventually};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "network::server", runtimes: ALL, ask: |machine| with(machine, server) },
    Question { name: "network::host_port", runtimes: ALL, ask: |machine| with(machine, host_port) },
    Question { name: "network::sidecar", runtimes: ALL, ask: |machine| with(machine, sidecar) },
    Question { name: "network::preview1_listener", runtimes: WASM, ask: |machine| with(machine, preview1_listener) },
];

/// Starts a server on port 8080 that answers `/health`.
fn start_server(cri: &Cri<'_>, pod: &Pod<'_>) -> Result<()> {
    if cri.machine().runtime.is_wasm() {
        let env = [("HOST", "0.0.0.0"), ("PORT", "8080")];
        return start_guest(cri, pod, "rust/http-server", &env, &[]);
    }
    let image = with_busybox(cri.machine().unimported_of(linux(), &[])?)?;
    let script = "mkdir -p /tmp/www && echo ok > /tmp/www/health && exec busybox httpd -f -p 8080 -h /tmp/www";
    start(cri, pod, &image, "server", ["/bin/busybox", "sh", "-c", script].map(str::to_owned).into(), |_| ())
}

fn start_guest(
    cri: &Cri<'_>,
    pod: &Pod<'_>,
    name: &str,
    env: &[(&str, &str)],
    annotations: &[(&str, &str)],
) -> Result<()> {
    let image = cri.machine().unimported_of(linux(), &[])?.with_program("app/server.wasm", guest(name)?);
    start(cri, pod, &image, "server", vec!["/app/server.wasm".to_owned()], |config| {
        let pairs = env.iter().map(|(key, value)| v1::KeyValue { key: (*key).to_owned(), value: (*value).to_owned() });
        config.envs.extend(pairs);
        config.annotations.extend(annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    })
}

fn start(
    cri: &Cri<'_>,
    pod: &Pod<'_>,
    image: &wasmrt_e2e::image::Image,
    name: &str,
    argv: Vec<String>,
    change: impl Fn(&mut v1::ContainerConfig),
) -> Result<()> {
    cri.import(image)?;
    let mut config = container_config(name, image.name(), argv);
    change(&mut config);
    let id = eventually(Duration::from_secs(20), || pod.create_from(config.clone()))?;
    pod.start(&id)
}

/// Asks for a page from the machine, as probes of the kubelet do.
fn answers(cri: &Cri<'_>, pod: &Pod<'_>, address: &str) -> Result<()> {
    let url = format!("http://{address}/health");
    eventually(Duration::from_secs(20), || {
        let mut curl = cri.machine().world.command("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "5", &url]);
        run(curl)?.success()
    })
    .map(drop)
    .map_err(|error| format!("{error}\nthe server's log:\n{}", pod.log("server")))
}

fn server(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    start_server(cri, &pod)?;
    answers(cri, &pod, &format!("{}:8080", pod.address()?))?;
    pod.remove()
}

fn host_port(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod_with(|config| {
        let mapping = v1::PortMapping { container_port: 8080, host_port: 18080, ..Default::default() };
        config.port_mappings.push(mapping);
    })?;
    start_server(cri, &pod)?;
    answers(cri, &pod, "127.0.0.1:18080")?;
    pod.remove()
}

/// A Linux container in the same pod reaches the server over the pod's loopback.
fn sidecar(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    start_server(cri, &pod)?;
    let image = with_busybox(cri.machine().unimported_of(linux(), &[])?)?;
    let request = r"GET /health HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n";
    let ask = format!("printf '{request}' | busybox nc 127.0.0.1 8080 | busybox grep '^HTTP/1.[01] 200'");
    let script = &format!("until {ask}; do sleep 0.2; done; echo reached; exec sleep 1000");
    let argv: Vec<String> = ["/bin/busybox", "sh", "-c", script].map(str::to_owned).into();
    start(cri, &pod, &image, "sidecar", argv, |_| ())?;
    pod.logged("sidecar", "reached").map_err(|error| format!("{error}\nthe server's log:\n{}", pod.log("server")))?;
    pod.remove()
}

/// A program that is handed its listener finds one for what the pod's annotation says.
fn preview1_listener(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    start_guest(cri, &pod, "rust/p1-listener", &[], &[("wasmrt.dev/network.listen", "0.0.0.0:8080")])?;
    answers(cri, &pod, &format!("{}:8080", pod.address()?))?;
    pod.remove()
}
