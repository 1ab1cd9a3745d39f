//! One shim and the one container that it is started for.

use super::bundle::Bundle;
use super::streams::Names;
use crate::Result;
use containerd_shim_protos::protobuf::{Message, well_known_types::any::Any};
use containerd_shim_protos::ttrpc::{self, Server, TtrpcContext, context};
use containerd_shim_protos::{Client, Events, TaskClient, api, create_events};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{TryRecvError, channel};
use std::time::{Duration, Instant};

/// How long any run may take before the harness ends it and calls that a failure. Compiling in CI is slow.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long anything else may take, and a shim to go whose container is gone.
const MOMENT: Duration = Duration::from_secs(20);

/// The name under which a shim takes its engine from an annotation.
const NAME: &str = "containerd-shim-wasm-v2";
const NAMESPACE: &str = "wasmrt-cases";
const SIGKILL: u32 = 9;

/// What a shim refuses: the code and the words of its answer.
pub(super) type Refusal = (i32, String);

/// A shim that was started.
pub(super) struct Pod {
    shim: Command,
    address: String,
    tasks: TaskClient,
    id: String,
    /// The container is there.
    made: bool,
    removed: bool,
    _events: Server,
}

/// Whoever takes a shim's events.
struct Silent;

impl Events for Silent {
    fn forward(&self, _: &TtrpcContext, _: api::ForwardRequest) -> ttrpc::Result<api::Empty> {
        Ok(api::Empty::default())
    }
}

impl Pod {
    /// As containerd starts one.
    pub(super) fn start(shim: &Path, bundle: &Bundle) -> Result<Self> {
        let events = format!("unix://{}", bundle.directory.join("events.sock").display());
        let mut server = Server::new().bind(&events).map_err(|error| format!("no socket for events: {error}"))?;
        server = server.register_service(create_events(Arc::new(Silent)));
        server.start().map_err(|error| format!("nobody takes events: {error}"))?;
        let command = |action: &str| {
            let mut command = Command::new(shim);
            command
                .arg0(NAME)
                .current_dir(&bundle.directory)
                .env("TTRPC_ADDRESS", bundle.directory.join("events.sock"));
            command.args(["-namespace", NAMESPACE, "-id", &bundle.id]).arg("-address");
            command.arg(bundle.directory.join("containerd.sock")).arg(action);
            command
        };
        let given = options(bundle)?;
        let input = bundle.directory.join("options");
        let bytes = given.write_to_bytes().map_err(|error| error.to_string())?;
        std::fs::write(&input, bytes).map_err(|error| error.to_string())?;
        let input = std::fs::File::open(&input).map_err(|error| error.to_string())?;
        let started = command("start").stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let started = started.map_err(|error| format!("cannot start the shim: {error}"))?;
        if !started.status.success() {
            return Err(format!("the shim does not start: {}", String::from_utf8_lossy(&started.stderr).trim()));
        }
        let address = String::from_utf8_lossy(&started.stdout).trim().to_owned();
        let client = Client::connect(&address).map_err(|error| format!("cannot reach the shim: {error}"))?;
        Ok(Self {
            shim: command("delete"),
            address,
            tasks: TaskClient::new(client),
            id: bundle.id.clone(),
            made: false,
            removed: false,
            _events: server,
        })
    }

    /// Makes the container, or tells why it cannot be.
    pub(super) fn create(&mut self, bundle: &Bundle, streams: &Names) -> Result<Result<(), Refusal>> {
        let request = api::CreateTaskRequest {
            id: self.id.clone(),
            bundle: bundle.directory.display().to_string(),
            stdin: streams.stdin.clone(),
            stdout: streams.stdout.clone(),
            stderr: streams.stderr.clone(),
            options: Some(options(bundle)?).into(),
            ..api::CreateTaskRequest::default()
        };
        let created = refused(self.tasks.create(within(PATIENCE), &request))?;
        self.made = created.is_ok();
        Ok(created.map(drop))
    }

    /// Lets the container run to its end; `meanwhile` is called again and again. Its exit code.
    pub(super) fn run(&mut self, mut meanwhile: impl FnMut()) -> Result<Result<u32, Refusal>> {
        let (sender, ended) = channel();
        let (tasks, request) =
            (self.tasks.clone(), api::WaitRequest { id: self.id.clone(), ..api::WaitRequest::default() });
        std::thread::spawn(move || sender.send(tasks.wait(within(PATIENCE + MOMENT), &request)));
        let request = api::StartRequest { id: self.id.clone(), ..api::StartRequest::default() };
        if let Err(refusal) = refused(self.tasks.start(within(MOMENT), &request))? {
            return Ok(Err(refusal));
        }
        let until = Instant::now() + PATIENCE;
        loop {
            meanwhile();
            match ended.try_recv() {
                Ok(ended) => {
                    return Ok(Ok(ended.map_err(|error| format!("nobody says how it ended: {error}"))?.exit_status));
                }
                Err(TryRecvError::Disconnected) => return Err("lost sight of the container".to_owned()),
                Err(TryRecvError::Empty) if Instant::now() > until => {
                    return Err(format!("it did not end within {} s", PATIENCE.as_secs()));
                }
                Err(TryRecvError::Empty) => {}
            }
        }
    }

    /// Removes the container; the shim is to go, and to leave nothing.
    pub(super) fn remove(mut self, bundle: &Bundle) -> Result<()> {
        if self.made {
            let request = api::DeleteRequest { id: self.id.clone(), ..api::DeleteRequest::default() };
            self.tasks.delete(within(MOMENT), &request).map_err(|error| format!("it cannot be removed: {error}"))?;
        }
        let request = api::ShutdownRequest { id: self.id.clone(), ..api::ShutdownRequest::default() };
        // It may be gone before it has answered.
        let _ = self.tasks.shutdown(within(MOMENT), &request);
        self.removed = true;
        let socket = self.socket();
        let until = Instant::now() + MOMENT;
        while UnixStream::connect(&socket).is_ok() {
            if Instant::now() > until {
                self.removed = false;
                return Err("the shim's container is gone, and it stays".to_owned());
            }
            std::thread::yield_now();
        }
        let left = [socket, bundle.directory.join(&self.id)].into_iter().find(|path| path.exists());
        left.map_or(Ok(()), |path| Err(format!("the shim has left {}", path.display())))
    }

    fn socket(&self) -> PathBuf {
        self.address.strip_prefix("unix://").unwrap_or(&self.address).into()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if !self.removed {
            // What a failure leaves behind is removed as containerd does it.
            let request =
                api::KillRequest { id: self.id.clone(), signal: SIGKILL, all: true, ..api::KillRequest::default() };
            let _ = self.tasks.kill(within(MOMENT), &request);
            let _ = self.shim.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

/// The runtime's options: where the operator's file is.
fn options(bundle: &Bundle) -> Result<Any> {
    let path = bundle.settings.display().to_string();
    let length = u8::try_from(path.len()).ok().filter(|length| *length < 128).ok_or("a path is too long")?;
    let mut value = vec![2 << 3 | 2, length];
    value.extend(path.bytes());
    Ok(Any { type_url: "runtimeoptions.v1.Options".to_owned(), value, ..Any::default() })
}

fn within(time: Duration) -> context::Context {
    context::with_timeout(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
}

/// An answer, or what the shim says against it; an error is a shim that does not answer.
fn refused<T>(answer: ttrpc::Result<T>) -> Result<Result<T, Refusal>> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(ttrpc::Error::RpcStatus(status)) => {
            let code = containerd_shim_protos::protobuf::Enum::value(&status.code.enum_value_or_default());
            Ok(Err((code, status.message)))
        }
        Err(error) => Err(format!("the shim does not answer: {error}")),
    }
}
