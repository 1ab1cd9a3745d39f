//! What containerd calls the shim for: `start` and `delete`, which are over at once, and what it can do.

use crate::container::OnDisk;
use crate::process::Exit;
use crate::serve::reactor;
use crate::words::sentence;
use crate::{oci, socket, start, version};
use containerd_shim::Flags;
use containerd_shim::protos::api::{self, DeleteResponse};
use containerd_shim::protos::protobuf::Message;
use containerd_shim::protos::shim_async::{Client, TaskClient};
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use wasmrt_model::{Error, ErrorKind, Result};

/// A process that was killed this way was killed by us.
const KILLED: u32 = 137;

/// How long a shim may take to let go of a container.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

/// Does what containerd wants.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    match try_run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasmrt: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

fn try_run(arguments: &[OsString]) -> Result<()> {
    let name = arguments.first().map(|name| Path::new(name).file_name().unwrap_or(name).to_os_string());
    let name = name.unwrap_or_default();
    let engine = oci::engine_of_binary(&name)?;
    let flags = containerd_shim::parse(arguments.get(1..).unwrap_or_default())
        .map_err(|error| Error::new(ErrorKind::InvalidInput, error.to_string()))?;
    match flags.action.as_str() {
        _ if flags.info => version::describe(&name),
        "start" => start::run(engine, flags),
        "delete" => reactor()?.block_on(delete(&flags)),
        other => Err(Error::new(ErrorKind::InvalidInput, format!("there is no action {other:?}"))
            .with_hint("containerd starts this program, with `start` or `delete`; try --version")),
    }
}

/// Removes a container whose shim may be dead, and tells containerd how it ended.
async fn delete(flags: &Flags) -> Result<()> {
    let exit = Exit { status: KILLED, at: SystemTime::now() };
    if let Some(bundle) = bundle(flags)? {
        let on_disk = OnDisk::of(bundle, &flags.id)?;
        end_shim(&on_disk).await;
        on_disk.remove_rest()?;
    }
    let mut response = DeleteResponse::new();
    response.set_exit_status(exit.status);
    response.set_exited_at(exit.timestamp());
    let told = response.write_to_bytes().map_err(io::Error::other);
    told.and_then(|bytes| io::stdout().write_all(&bytes))
        .map_err(|source| Error::io("cannot tell how the container ended", source))
}

/// Where the container's files are. None when containerd has taken them away, which it does under another name, `.ID`, as soon as the container has been
/// removed: it may call twice at once, from within the bundle, and what the second call finds of it must not be added to any more.
fn bundle(flags: &Flags) -> Result<Option<PathBuf>> {
    let named = PathBuf::from(&flags.bundle);
    match std::env::current_dir() {
        Ok(here) if here.file_name().is_some_and(|name| name == OsStr::new(&format!(".{}", flags.id))) => Ok(None),
        Ok(_) if !flags.bundle.is_empty() => Ok(Some(named)),
        Ok(here) => Ok(Some(here)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !flags.bundle.is_empty() => Ok(None),
        Err(source) => Err(Error::io("cannot find the bundle", source)),
    }
}

/// A shim that lives still lets go of the container; one that has no others ends. Of one that is dead, the socket is removed.
async fn end_shim(on_disk: &OnDisk) {
    let Ok(address) = std::fs::read_to_string(on_disk.bundle().join("address")) else { return };
    let let_go = async {
        let client = Client::connect(&address).await.ok()?;
        let request =
            api::ShutdownRequest { id: on_disk.id().to_owned(), now: true, ..api::ShutdownRequest::default() };
        let context = containerd_shim::Context::default();
        TaskClient::new(client).shutdown(context, &request).await.ok()
    };
    let heard = tokio::time::timeout(ENDED_WITHIN, let_go).await.ok().flatten();
    if heard.is_none() {
        socket::remove_stale(&address);
    }
}
