//! A private containerd, and the runtimes that it is asked for.

use crate::command::{self, Output};
use crate::world::World;
use crate::{Result, failed};
use rustix::process::Signal;
use std::cell::Cell;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The containerd namespace in which containers of trials live.
pub const NAMESPACE: &str = "e2e";

/// The variable that names the shim's executable.
const SHIM_VARIABLE: &str = "WASMRT_SHIM";

/// What a trial's containers run under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// runc, with Linux programs: what is asserted of it shows that the harness asks for the right thing.
    Runc,
    /// The shim, as `io.containerd.wasmedge.v1`.
    WasmEdge,
    /// The shim, as `io.containerd.wasmtime.v1`.
    Wasmtime,
    /// The shim, as `io.containerd.wasm.v2`: it chooses the engine.
    Wasm,
}

impl Runtime {
    /// Its name in trials.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::WasmEdge => "wasmedge",
            Self::Wasmtime => "wasmtime",
            Self::Wasm => "wasm",
        }
    }

    /// How containerd is asked for it.
    #[must_use]
    pub fn handler(self) -> &'static str {
        match self {
            Self::Runc => "io.containerd.runc.v2",
            Self::WasmEdge => "io.containerd.wasmedge.v1",
            Self::Wasmtime => "io.containerd.wasmtime.v1",
            Self::Wasm => "io.containerd.wasm.v2",
        }
    }

    /// The platform of images for it.
    #[must_use]
    pub fn platform(self) -> &'static str {
        match self {
            Self::Runc => linux(),
            _ => "wasi/wasm",
        }
    }

    /// Whether its containers may be components.
    #[must_use]
    pub fn has_components(self) -> bool {
        matches!(self, Self::Wasmtime | Self::Wasm)
    }

    /// Whether its containers are WebAssembly.
    #[must_use]
    pub fn is_wasm(self) -> bool {
        self != Self::Runc
    }
}

/// The platform of Linux images here.
#[must_use]
pub fn linux() -> &'static str {
    if cfg!(target_arch = "aarch64") { "linux/arm64" } else { "linux/amd64" }
}

/// Finds the shim: as the environment says, else beside this program's directory in the target directory.
///
/// # Errors
/// Where it was looked for.
pub fn find_shim() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(SHIM_VARIABLE) {
        return Ok(path.into());
    }
    let program = std::env::current_exe().map_err(failed("this program's file"))?;
    let beside = program.ancestors().nth(2).unwrap_or(Path::new(".")).join("containerd-shim-wasmrt");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(format!("the shim is not built: it is not at {} (or name it in {SHIM_VARIABLE})", beside.display()))
}

/// Finds a program where worlds look for programs.
///
/// # Errors
/// Where it was looked for.
pub fn find_program(name: &str) -> Result<PathBuf> {
    let found =
        crate::world::PATH.split(':').map(|directory| Path::new(directory).join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("{name} is not installed: it is not in {}", crate::world::PATH))
}

/// A containerd that runs in a world.
#[derive(Debug)]
pub struct Containerd {
    pid: Cell<u32>,
    config: PathBuf,
    log: PathBuf,
    path: String,
}

impl Containerd {
    /// Starts one in a world. `plugins` is what its configuration says of plug-ins.
    ///
    /// # Errors
    /// When it does not come up: its log.
    pub fn start(world: &World, plugins: &str) -> Result<Self> {
        let directory = world.directory();
        let bin = directory.join("bin");
        if let Ok(shim) = find_shim() {
            for name in ["wasmedge-v1", "wasmtime-v1", "wasmer-v1", "wasm-v2"] {
                let link = bin.join(format!("containerd-shim-{name}"));
                symlink(&shim, &link).map_err(failed(link.display()))?;
            }
        }
        let config = directory.join("containerd.toml");
        let root = directory.join("containerd");
        let text = format!(
            "version = 2\nroot = \"{}\"\nstate = \"/run/containerd\"\n{plugins}\n[grpc]\naddress = \"{SOCKET}\"\n",
            root.display()
        );
        std::fs::write(&config, text).map_err(failed(config.display()))?;
        let path = format!("{}:{}", bin.display(), crate::world::PATH);
        let containerd = Self { pid: Cell::new(0), config, log: directory.join("containerd.log"), path };
        containerd.start_again(world)?;
        Ok(containerd)
    }

    /// Starts it after it has ended.
    ///
    /// # Errors
    /// When it does not come up: its log.
    pub fn start_again(&self, world: &World) -> Result<()> {
        let config = self.config.display().to_string();
        self.pid.set(world.start(&["containerd", "--config", &config], &[("PATH", &self.path)], &self.log)?);
        let up = crate::eventually(Duration::from_secs(30), || {
            UnixStream::connect(world.path(SOCKET)).map_err(failed(SOCKET))?;
            command::run(client(world, &["version"]))?.success()
        });
        up.map(drop).map_err(|complaint| format!("containerd does not come up: {complaint}\n{}", self.log_tail()))
    }

    /// Ends it with a signal and waits for its end.
    ///
    /// # Errors
    /// When it does not end.
    pub fn end(&self, world: &World, signal: Signal) -> Result<()> {
        let pid = self.pid.get();
        world.kill(pid, signal)?;
        crate::eventually(Duration::from_secs(20), || {
            match world.processes()?.iter().find(|process| process.pid == pid && process.state != 'Z') {
                Some(_) => Err("containerd does not end".to_owned()),
                None => Ok(()),
            }
        })
    }

    /// Its process, as the world numbers it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.get()
    }

    /// What its log says, shims included, since it was up, and what went wrong before.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let said: Vec<_> = log.lines().filter(|line| !line.contains("loading plugin")).collect();
        let start = said.iter().position(|line| line.contains("successfully booted")).map_or(0, |at| at + 1);
        let (before, since) = said.split_at(start);
        let mut kept: Vec<_> = before.iter().copied().filter(|line| line.contains("level=error")).collect();
        kept.extend(&since[since.len().saturating_sub(80)..]);
        format!("  containerd's log:\n    {}", kept.join("\n    "))
    }

    /// All of its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Where containerd serves its clients.
pub const SOCKET: &str = "/run/containerd/containerd.sock";

/// What a containerd that serves clients alone can do without.
pub const WITHOUT_CRI: &str = "disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n";

/// The client `ctr`, in the trials' namespace.
#[must_use]
pub fn client(world: &World, args: &[&str]) -> Command {
    let mut command = world.command("ctr");
    command.args(["--namespace", NAMESPACE]).args(args);
    command
}

/// Runs `ctr` to its end.
///
/// # Errors
/// As [`command::run`].
pub fn ctr(world: &World, args: &[&str]) -> Result<Output> {
    command::run(client(world, args))
}
