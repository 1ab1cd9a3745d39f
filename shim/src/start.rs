//! `start`: the pod's shim is found, or made as a copy of this process, and containerd hears its address.

use crate::bundle::read_spec;
use crate::options::RuntimeOptions;
use crate::serve::{self, ELSEWHERE, SERVING, Shim};
use crate::socket;
use containerd_shim::Flags;
use containerd_shim::protos::protobuf::{Message, well_known_types::any::Any};
use std::io::{self, PipeWriter, Read, Write, pipe};
use std::path::Path;
use wasmrt_model::{EngineChoice, Error, ErrorKind, Result};
use wasmrt_runtime::{Fork, fork};

/// What a pod's containers have in common, by the names that CRI implementations give it.
const POD: [&str; 2] = ["io.kubernetes.cri.sandbox-id", "io.containerd.runc.v2.group"];

/// Tells containerd the address of the pod's shim.
///
/// # Errors
/// What keeps a shim from living, and `Io` when containerd does not listen any more. Then there is none.
pub(crate) fn run(engine: EngineChoice, flags: Flags) -> Result<()> {
    let mut given = Vec::new();
    io::stdin().read_to_end(&mut given).map_err(failed)?;
    let given = Any::parse_from_bytes(&given).map_err(|source| {
        Error::new(ErrorKind::InvalidInput, "containerd's options cannot be read").with_source(source)
    })?;
    let options = RuntimeOptions::read(Some(&given))?;
    // What is wrong with the configuration is told once, before anything is made.
    let cache = serve::cache(engine, options.config_path.as_deref())?;
    let bundle = std::env::current_dir().map_err(failed)?;
    let group = group_of(&bundle).unwrap_or_else(|| flags.id.clone());
    let address = containerd_shim::socket_address(&flags.address, &flags.namespace, &group);
    std::fs::write(bundle.join("address"), &address)
        .map_err(|source| Error::io("cannot write down the shim's address", source))?;
    if socket::answers(&address) {
        return tell(&address);
    }
    let shim = Shim { engine, config: options.config_path, cache, flags, options: given, address: address.clone() };
    let born = Born::from_this_process(shim)?;
    tell(&address)?;
    born.map_or(Ok(()), Born::confirm)
}

fn failed(source: io::Error) -> Error {
    Error::io("cannot start the shim", source)
}

/// A shim that nobody knows of yet. It ends when this is dropped, and its socket is removed.
struct Born {
    process: Option<Fork>,
    address: String,
    known: PipeWriter,
}

impl Born {
    /// None when another one was quicker.
    ///
    /// # Errors
    /// What kept it from serving, in its own words.
    fn from_this_process(shim: Shim) -> Result<Option<Self>> {
        let (knows, known) = pipe().map_err(failed)?;
        let (mut says, said) = pipe().map_err(failed)?;
        let address = shim.address.clone();
        let process = fork([knows.into(), said.into()], |[knows, said]| shim.live(knows.into(), said.into()))?;
        let mut heard = String::new();
        says.read_to_string(&mut heard).map_err(failed)?;
        match heard.as_str() {
            SERVING => Ok(Some(Self { process: Some(process), address, known })),
            ELSEWHERE => Ok(None),
            "" => Err(Error::new(ErrorKind::Internal, "the shim ended at once")),
            complaint => Err(Error::new(ErrorKind::Internal, complaint)),
        }
    }

    /// Lets it know that it is known. One that never hears of it ends by itself.
    fn confirm(mut self) -> Result<()> {
        self.known.write_all(b"\n").map_err(|source| Error::io("the shim ended at once", source))?;
        if let Some(process) = self.process.take() {
            process.leave();
        }
        Ok(())
    }
}

impl Drop for Born {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            drop(process);
            socket::remove(&self.address);
        }
    }
}

fn group_of(bundle: &Path) -> Option<String> {
    let spec = read_spec(bundle).ok()?;
    let annotations = spec.annotations().as_ref()?;
    POD.iter().find_map(|name| annotations.get(*name)).cloned()
}

fn tell(address: &str) -> Result<()> {
    let mut stdout = io::stdout();
    stdout
        .write_all(address.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|source| Error::io("cannot tell the shim's address", source))
}
