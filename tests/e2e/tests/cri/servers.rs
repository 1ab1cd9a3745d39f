//! Components that answer HTTP requests: from files, and as the image itself.

use super::with;
use std::time::Duration;
use wasmrt_e2e::command::run;
use wasmrt_e2e::containerd::linux;
use wasmrt_e2e::cri::{Cri, Pod, container_config, v1};
use wasmrt_e2e::image::{ArtifactLayer, Image, guest};
use wasmrt_e2e::trials::{Question, WASM};
use wasmrt_e2e::{Result, eventually};

pub(crate) const QUESTIONS: &[Question] = &[
    Question { name: "servers::port", runtimes: WASM, ask: |machine| with(machine, port) },
    Question { name: "servers::default_port", runtimes: WASM, ask: |machine| with(machine, default_port) },
    Question { name: "servers::artifact", runtimes: WASM, ask: |machine| with(machine, artifact) },
    Question { name: "servers::user", runtimes: WASM, ask: |machine| with(machine, user) },
    Question { name: "servers::annotations", runtimes: WASM, ask: |machine| with(machine, annotations) },
    Question { name: "servers::denied", runtimes: WASM, ask: |machine| with(machine, denied) },
    Question { name: "servers::drains", runtimes: WASM, ask: |machine| with(machine, drains) },
    Question { name: "servers::refused", runtimes: WASM, ask: |machine| with(machine, refused) },
    Question { name: "servers::killed", runtimes: WASM, ask: |machine| with(machine, killed) },
    Question { name: "servers::unbounded_requests", runtimes: WASM, ask: |machine| with(machine, unbounded_requests) },
];

/// A component in a file of the image.
fn image(cri: &Cri<'_>, name: &str) -> Result<String> {
    let image = cri.machine().unimported_of(linux(), &[])?.with_program("app/server.wasm", guest(name)?);
    cri.import(&image)?;
    Ok(image.name().to_owned())
}

/// Starts a server; None on an engine without components, which has to name one that has them.
fn start(
    cri: &Cri<'_>,
    pod: &Pod<'_>,
    image: &str,
    change: impl Fn(&mut v1::ContainerConfig),
) -> Result<Option<String>> {
    let mut config = container_config("server", image, vec!["/app/server.wasm".to_owned()]);
    change(&mut config);
    let id = eventually(Duration::from_secs(20), || pod.create_from(config.clone()))?;
    match pod.start(&id) {
        Ok(()) => Ok(Some(id)),
        Err(complaint) if !cri.machine().runtime.has_components() => {
            let named = complaint.contains("component") && complaint.contains("wasmtime");
            if named { Ok(None) } else { Err(format!("expected a refusal that names wasmtime: {complaint}")) }
        }
        Err(complaint) => Err(complaint),
    }
}

fn variable(config: &mut v1::ContainerConfig, key: &str, value: &str) {
    config.envs.push(v1::KeyValue { key: key.to_owned(), value: value.to_owned() });
}

fn annotate(config: &mut v1::ContainerConfig, name: &str, value: &str) {
    config.annotations.insert(format!("wasmrt.dev/{name}"), value.to_owned());
}

/// What a server answers, once it does.
fn ask(cri: &Cri<'_>, pod: &Pod<'_>, port: u16, path: &str) -> Result<String> {
    let url = format!("http://{}:{port}{path}", pod.address()?);
    eventually(Duration::from_secs(20), || {
        let mut curl = cri.machine().world.command("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "5", &url]);
        run(curl)?.success()
    })
    .map(|output| output.stdout)
    .map_err(|error| format!("{error}\nthe server's log:\n{}", pod.log("server")))
}

fn serves(cri: &Cri<'_>, image: &str, port: u16, change: impl Fn(&mut v1::ContainerConfig)) -> Result<()> {
    let pod = cri.pod()?;
    if start(cri, &pod, image, change)?.is_some() {
        ask(cri, &pod, port, "/health")?;
        pod.logged("server", &format!(":{port}\n"))?;
        // What it was asked is told where the container's other words are.
        pod.logged("server", "/health")?;
    }
    pod.remove()
}

fn port(cri: &Cri<'_>) -> Result<()> {
    serves(cri, &image(cri, "rust/component-http")?, 8081, |config| variable(config, "PORT", "8081"))
}

fn default_port(cri: &Cri<'_>) -> Result<()> {
    serves(cri, &image(cri, "rust/component-http")?, 8080, |_| ())
}

fn artifact(cri: &Cri<'_>) -> Result<()> {
    let image = Image::new("localhost/server:latest", linux());
    let media_type = "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm";
    let layer = ArtifactLayer { media_type, title: None, bytes: guest("rust/component-http")? };
    cri.import_artifact(&image, vec![layer])?;
    serves(cri, image.name(), 8082, |config| variable(config, "PORT", "8082"))
}

fn user(cri: &Cri<'_>) -> Result<()> {
    serves(cri, &image(cri, "rust/component-http")?, 8080, |config| {
        let linux = config.linux.get_or_insert_default();
        let security = linux.security_context.get_or_insert_default();
        security.run_as_user = Some(v1::Int64Value { value: 1234 });
    })
}

fn annotations(cri: &Cri<'_>) -> Result<()> {
    serves(cri, &image(cri, "rust/component-http")?, 9000, |config| {
        variable(config, "PORT", "8081");
        annotate(config, "network.listen", "0.0.0.0:9000");
        annotate(config, "serve.concurrency", "2");
        annotate(config, "serve.access-log", "json");
    })
}

/// Where no rule lets it listen it does not, and says which annotation would.
fn denied(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let image = image(cri, "rust/component-http")?;
    match start(cri, &pod, &image, |config| annotate(config, "network.allow", "connect=*")) {
        Ok(None) => {}
        Err(complaint) if complaint.contains("wasmrt.dev/network.listen=0.0.0.0:8080") => {}
        other => return Err(format!("expected a refusal that names the annotation: {other:?}")),
    }
    pod.remove()
}

/// What it is refused while it answers is in its log, with the annotation that would allow it.
fn refused(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let image = image(cri, "rust/component-http")?;
    if start(cri, &pod, &image, |config| annotate(config, "network.allow", "listen=*"))?.is_some() {
        ask(cri, &pod, 8080, "/health")?;
        let mut curl = cri.machine().world.command("curl");
        let url = format!("http://{}:8080/fetch?url=http://192.0.2.1:81/", pod.address()?);
        curl.args(["--silent", "--show-error", "--max-time", "5", &url]);
        run(curl)?.success()?.says("HttpRequestDenied\n")?;
        pod.logged("server", "connect=192.0.2.1:81 in the annotation wasmrt.dev/network.allow")?;
    }
    pod.remove()
}

/// Asked to stop, it finishes what is under way and has ended well.
fn drains(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let image = image(cri, "rust/component-http")?;
    if let Some(id) = start(cri, &pod, &image, |_| ())? {
        ask(cri, &pod, 8080, "/health")?;
        pod.stop(&id, 20)?;
        let status = pod.ended(&id)?;
        if (status.exit_code, status.reason.as_str()) != (0, "Completed") {
            return Err(format!("expected Completed with 0: {status:?}\n{}", pod.log("server")));
        }
        pod.logged("server", "wasmrt: stopping\n")?;
    }
    pod.remove()
}

fn killed(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let image = image(cri, "rust/component-http")?;
    if let Some(id) = start(cri, &pod, &image, |_| ())? {
        ask(cri, &pod, 8080, "/health")?;
        pod.stop(&id, 0)?;
        let status = pod.ended(&id)?;
        if status.exit_code != 137 {
            return Err(format!("expected 137: {status:?}\n{}", pod.log("server")));
        }
    }
    pod.remove()
}

/// A limit of a program's whole life cannot hold for a server; what can is told in the words of annotations.
fn unbounded_requests(cri: &Cri<'_>) -> Result<()> {
    let pod = cri.pod()?;
    let image = image(cri, "rust/component-http")?;
    match start(cri, &pod, &image, |config| annotate(config, "timeout", "10s")) {
        Ok(None) => {}
        Err(complaint) if complaint.contains("wall_time") && complaint.contains("serve.request-timeout") => {}
        other => return Err(format!("expected a refusal that names the annotation: {other:?}")),
    }
    pod.remove()
}
